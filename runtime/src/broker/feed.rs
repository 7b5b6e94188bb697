//! Sources that the app brings along. Each runs on the app's runtime until it returns; one that
//! fails or panics is started again after 0.1 s, then ever later, up to a minute.

use std::{fmt, sync::Arc};

use futures_util::future::BoxFuture;
use tokio::{runtime::Handle, sync::mpsc, task::JoinSet};

use super::Command;
use crate::{clock::Clock, monitor::supervised};

/// Where a source's words go. Weak: it does not keep the app open.
pub(crate) type Sink = mpsc::WeakUnboundedSender<Command>;

/// A source of notifications or events.
pub(crate) struct Feed {
    /// As the log calls it.
    pub(crate) name: String,
    pub(crate) run: Box<dyn Fn(Sink) -> BoxFuture<'static, Result<(), String>> + Send + Sync>,
}

impl fmt::Debug for Feed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Feed").field(&self.name).finish()
    }
}

/// The sources that run, until this is dropped.
#[derive(Debug)]
pub(super) struct Feeds {
    _running: JoinSet<()>,
}

impl Feeds {
    pub(super) fn start(
        feeds: Vec<Feed>,
        sink: &Sink,
        clock: &Arc<dyn Clock>,
        on: &Handle,
    ) -> Self {
        let mut running = JoinSet::new();
        for feed in feeds {
            let (sink, clock) = (sink.clone(), Arc::clone(clock));
            running.spawn_on(keep(feed, sink, clock), on);
        }
        Self { _running: running }
    }
}

async fn keep(feed: Feed, sink: Sink, clock: Arc<dyn Clock>) {
    let Feed { name, run } = feed;
    let failed = |error: &str, wait| {
        tracing::warn!(source = name, error, retry = ?wait, "a source failed");
        true
    };
    supervised(&*clock, || run(sink.clone()), failed).await;
}

#[cfg(test)]
mod tests {
    use std::{
        sync::atomic::{AtomicU32, Ordering},
        time::Duration,
    };

    use jiff::Timestamp;

    use super::*;
    use crate::clock::ManualClock;

    #[tokio::test]
    async fn a_source_that_fails_is_started_again_until_it_returns() {
        let clock = Arc::new(ManualClock::new(Timestamp::UNIX_EPOCH));
        let (start, mut starts) = mpsc::unbounded_channel();
        let count = AtomicU32::new(0);
        let feed = Feed {
            name: "door".to_owned(),
            run: Box::new(move |_| {
                let number = count.fetch_add(1, Ordering::SeqCst);
                start.send(number).unwrap();
                Box::pin(async move {
                    match number {
                        0 => Err("no such door".to_owned()),
                        1 => panic!("expected by this test"),
                        _ => Ok(()),
                    }
                })
            }),
        };
        let (commands, _asked) = mpsc::unbounded_channel();
        let as_clock: Arc<dyn Clock> = clock.clone();
        let _feeds = Feeds::start(
            vec![feed],
            &commands.downgrade(),
            &as_clock,
            &Handle::current(),
        );
        for (number, wait) in [(0, 100), (1, 200)] {
            assert_eq!(starts.recv().await, Some(number));
            clock.waiting(1).await;
            clock.advance(Duration::from_millis(wait));
        }
        assert_eq!(starts.recv().await, Some(2));
        // It has returned: it is forgotten, and nothing waits to start it again.
        assert_eq!(starts.recv().await, None);
    }
}
