//! Where bodies run: in the app's process, or in a process of the app's own executable.
//!
//! A host owns a run from its start to its one end: it keeps the time, sends the cancellation
//! message, waits the grace and then ends the body by force where it can. The parent side is the
//! only place that spawns processes; the child side never opens the store.

mod alarm;
pub(crate) mod child;
mod in_process;
mod process;
mod report;
mod runner;
mod spawned;
mod supervisor;
#[cfg(test)]
mod tests;
mod thread;

use std::time::Duration;

pub(crate) use in_process::InProcessHost;
pub(crate) use process::{ProcessConfig, ProcessHosts};

use crate::{CancelReason, Details, Outcome, Progress, RunId};

/// A run to be executed.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Assignment {
    pub(crate) run: RunId,
    pub(crate) task: String,
    pub(crate) attempt: u32,
    pub(crate) fence: u64,
    pub(crate) details: Details,
    /// Wall time without time asleep; `None` is no limit.
    pub(crate) timeout: Option<Duration>,
    pub(crate) grace: Duration,
    /// Resource group, for a process host.
    pub(crate) group: Option<String>,
    /// Memory limit in bytes, for a process host.
    pub(crate) memory: Option<u64>,
}

/// What hosts report, in order for each run: `Started` (unless it never came to that), any number
/// of `Progress`, `Ended`, and `Vacated` once the body has really gone (at once, unless it could not be dropped).
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum HostEvent {
    Started { run: RunId, pid: u32 },
    Progress { run: RunId, progress: Progress },
    Ended { run: RunId, outcome: Outcome },
    Vacated { run: RunId },
}

/// A place where bodies run. Each [`start`](Self::start) is followed by exactly one
/// [`HostEvent::Ended`] and one [`HostEvent::Vacated`], whatever happens.
pub(crate) trait Host: Send + Sync + std::fmt::Debug {
    /// Starts a run. Never blocks; a failure to start is reported as the run's end.
    fn start(&self, assignment: Assignment);

    /// Asks a run to stop; its grace begins. Nothing happens when it has ended.
    fn cancel(&self, run: RunId, reason: CancelReason);
}
