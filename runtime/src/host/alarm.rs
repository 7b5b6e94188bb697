//! Alarms of one host, on the injected clock.

use std::{convert::Infallible, fmt, sync::Arc, time::Duration};

use futures_util::{
    StreamExt,
    future::{BoxFuture, FutureExt},
    stream::FuturesUnordered,
};
use tokio::sync::oneshot;

use crate::{RunId, clock::Clock};

/// What was waited for.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Alarm {
    /// The host took too long to get ready.
    Startup,
    /// Nothing ran for a while.
    Idle,
    /// A run's time is over.
    Quota(RunId),
    /// A run may have used its CPU time.
    Cpu(RunId),
    /// The memory of the process is to be looked at.
    Memory,
    /// A run's grace is over.
    Grace(RunId),
}

/// Alarms that were set and have not rung.
pub(super) struct Alarms {
    clock: Arc<dyn Clock>,
    set: FuturesUnordered<BoxFuture<'static, Option<Alarm>>>,
}

/// Keeps an alarm set; dropping it takes the alarm back.
#[derive(Debug)]
pub(super) struct Armed {
    _keep: oneshot::Sender<Infallible>,
}

impl Alarms {
    pub(super) fn new(clock: Arc<dyn Clock>) -> Self {
        Self {
            clock,
            set: FuturesUnordered::new(),
        }
    }

    /// Sets an alarm after so much time awake.
    pub(super) fn set(&self, alarm: Alarm, after: Duration) -> Armed {
        let clock = Arc::clone(&self.clock);
        let (keep, dropped) = oneshot::channel();
        self.set.push(
            async move {
                tokio::select! {
                    () = clock.awake(after) => Some(alarm),
                    _ = dropped => None,
                }
            }
            .boxed(),
        );
        Armed { _keep: keep }
    }

    /// The next alarm to ring; never, when none is set.
    pub(super) async fn next(&mut self) -> Alarm {
        loop {
            match self.set.next().await {
                Some(Some(alarm)) => return alarm,
                Some(None) => {}
                None => std::future::pending().await,
            }
        }
    }

    /// An alarm that rings right now.
    pub(super) fn ringing(&mut self) -> Option<Alarm> {
        self.next().now_or_never()
    }
}

impl fmt::Debug for Alarms {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Alarms({} set)", self.set.len())
    }
}
