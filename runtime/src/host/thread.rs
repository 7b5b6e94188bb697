//! The thread where runs are supervised.
//!
//! It is apart from the runtime where bodies run: a task that a body wakes may be queued behind
//! that very body, out of reach of other workers
//! (<https://docs.rs/tokio/latest/tokio/runtime/#lifo-slot>), and a body that never waits would
//! then keep its own supervisor from ever stopping it.

use std::{convert::Infallible, future::Future, io};

use tokio::{
    runtime::{Builder, Handle},
    sync::mpsc,
};

/// A thread with a runtime of its own. Dropping it drops what it runs, except what was spawned to
/// be ended.
#[derive(Debug)]
pub(super) struct SupervisorThread {
    runtime: Handle,
    alive: mpsc::Sender<Infallible>,
}

impl SupervisorThread {
    pub(super) fn start() -> io::Result<Self> {
        let runtime = Builder::new_current_thread().enable_all().build()?;
        let handle = runtime.handle().clone();
        let (alive, mut ended) = mpsc::channel(1);
        std::thread::Builder::new()
            .name("bgtask-runs".to_owned())
            .spawn(move || runtime.block_on(ended.recv()))?;
        Ok(Self {
            runtime: handle,
            alive,
        })
    }

    pub(super) fn spawn(&self, task: impl Future<Output = ()> + Send + 'static) {
        self.runtime.spawn(task);
    }

    /// The thread stays until the task has ended.
    pub(super) fn spawn_to_its_end(&self, task: impl Future<Output = ()> + Send + 'static) {
        let alive = self.alive.clone();
        self.runtime.spawn(async move {
            task.await;
            drop(alive);
        });
    }
}
