//! Where runs are supervised: on the broker's thread, which hears of each and hands out the next.
//!
//! It is apart from the runtime where bodies run: a task that a body wakes may be queued behind
//! that very body, out of reach of other workers
//! (<https://docs.rs/tokio/latest/tokio/runtime/#lifo-slot>), and a body that never waits would
//! then keep its own supervisor from ever stopping it.

use std::future::Future;

use tokio::runtime::Handle;
use tokio_util::{
    sync::{CancellationToken, DropGuard},
    task::TaskTracker,
};

/// A runtime without bodies.
#[derive(Clone, Debug)]
pub(crate) struct Supervision {
    runtime: Handle,
    /// What ends processes, and is to have the time for that.
    ending: TaskTracker,
}

impl Supervision {
    /// On this runtime.
    pub(crate) fn on(runtime: Handle) -> Self {
        let ending = TaskTracker::new();
        ending.close();
        Self { runtime, ending }
    }

    /// Waits until all hosts that were dropped have ended.
    pub(crate) async fn ended(&self) {
        self.ending.wait().await;
    }

    pub(super) fn spawn_to_its_end(&self, task: impl Future<Output = ()> + Send + 'static) {
        self.ending.spawn_on(task, &self.runtime);
    }

    /// For what is to end with its owner.
    pub(super) fn owned(&self) -> Owned {
        let dropped = CancellationToken::new();
        Owned {
            runtime: self.runtime.clone(),
            dropped: dropped.clone(),
            _guard: dropped.drop_guard(),
        }
    }
}

/// Dropping it drops what was spawned.
#[derive(Debug)]
pub(super) struct Owned {
    runtime: Handle,
    dropped: CancellationToken,
    _guard: DropGuard,
}

impl Owned {
    pub(super) fn spawn(&self, task: impl Future<Output = ()> + Send + 'static) {
        let dropped = self.dropped.clone();
        self.runtime.spawn(async move {
            // What it would have done is nobody's any more.
            let _ = dropped.run_until_cancelled(task).await;
        });
    }
}
