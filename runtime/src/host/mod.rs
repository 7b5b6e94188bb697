//! Where bodies run: in the app's process, or in a process of the app's own executable.
//!
//! A host owns a run from its start to its one end: it keeps the time, sends the cancellation
//! message, waits the grace and then ends the body by force where it can. The parent side is the
//! only place that spawns processes; the child side never opens the store.

mod alarm;
pub(crate) mod child;
mod conversation;
mod cpu;
mod debugger;
mod descendants;
mod environment;
mod groups;
mod handshake;
mod hosted;
mod in_process;
mod memory;
#[cfg(test)]
mod parity;
mod process;
mod remote_data;
mod report;
mod runner;
mod scope;
mod spawned;
mod spent;
mod supervision;
mod supervisor;
#[cfg(test)]
mod tests;
mod watchdog;

use std::time::Duration;

pub(crate) use groups::{GroupHandler, GroupHandlers};
pub(crate) use in_process::InProcessHost;
pub(crate) use process::{ProcessConfig, ProcessHosts};
use report::LatestProgress;
pub(crate) use runner::is_in_body;
pub(crate) use supervision::Supervision;

use bgtask_model::{Declaration, Host as HostKind, ProcessSettings};

use crate::{
    CancelReason, Details, Outcome, RunId, Socket,
    task::{GivenBack, Parcel, Stage},
};

/// A run to be executed.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Assignment {
    pub(crate) run: RunId,
    pub(crate) task: String,
    /// The linked task whose body runs; another one than `task` for what was registered under a
    /// name of its own.
    pub(crate) entry: String,
    /// Its registration group.
    pub(crate) group: Option<String>,
    pub(crate) attempt: u32,
    pub(crate) fence: u64,
    pub(crate) details: Details,
    pub(crate) limits: Limits,
    /// The longest result that is taken, in bytes of JSON.
    pub(crate) max_result: usize,
    /// Its CPU time is to be reported.
    pub(crate) metered: bool,
    /// The process, for a process host.
    pub(crate) place: Place,
    /// The socket that fired it.
    pub(crate) socket: Option<Parcel<Socket>>,
}

/// What a run may take until it is asked to stop. `None` is no limit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Limits {
    /// Wall time, without time asleep.
    pub(crate) timeout: Option<Duration>,
    /// From the request to stop to the end by force.
    pub(crate) grace: Duration,
    /// CPU time, for a process host.
    pub(crate) cpu: Option<Duration>,
    /// Time without work and without progress.
    pub(crate) idle: Option<Duration>,
}

impl Limits {
    pub(crate) fn of(declaration: &Declaration) -> Self {
        Self {
            timeout: declaration.timeout(),
            grace: declaration.grace(),
            cpu: declaration.options.cpu,
            idle: declaration.options.idle_timeout,
        }
    }
}

/// The process that a run belongs in.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Place {
    pub(crate) share: Share,
    pub(crate) settings: ProcessSettings,
}

/// With whom a run shares its process.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Share {
    /// With the runs of its resource group.
    Group(String),
    /// With other runs that name no group and have the same settings.
    Unnamed,
    /// With nobody: a process of its own, which ends with it.
    Alone,
}

impl Place {
    /// Where a run of this task belongs. `alone` keeps it from others whatever it says.
    pub(crate) fn of(declaration: &Declaration, alone: bool) -> Self {
        let options = &declaration.options;
        let share = match &declaration.host {
            _ if alone || options.multiple_instances || options.cpu.is_some() => Share::Alone,
            HostKind::Process { group: Some(group) } => Share::Group(group.clone()),
            HostKind::Process { group: None } | HostKind::InProcess => Share::Unnamed,
        };
        Self {
            share,
            settings: options.process_settings(),
        }
    }
}

impl std::fmt::Display for Place {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match &self.share {
            Share::Group(group) => write!(f, "{group}"),
            Share::Unnamed => f.write_str("default"),
            Share::Alone => f.write_str("of its own"),
        }
    }
}

/// What hosts report, in order for each run: `Started` (unless it never came to that), any number
/// of `Progress`, `Staged` if it completed and changed data, `GaveBack` if it has something to give, `Ended`, and `Vacated` once the body has really gone (at once, unless it could not be dropped).
#[derive(Debug)]
pub(crate) enum HostEvent {
    Started {
        run: RunId,
        pid: u32,
    },
    Progress {
        run: RunId,
        progress: LatestProgress,
    },
    /// What a run that completes changes of the app's data.
    Staged {
        run: RunId,
        changes: Stage,
    },
    /// The socket that a run gives back, whatever its outcome.
    GaveBack {
        run: RunId,
        back: GivenBack,
    },
    Ended {
        run: RunId,
        outcome: Outcome,
        /// The CPU time it used, if that was asked for and is known.
        cpu: Option<Duration>,
    },
    Vacated {
        run: RunId,
    },
}

/// A place where bodies run. Each [`start`](Self::start) is followed by exactly one
/// [`HostEvent::Ended`] and one [`HostEvent::Vacated`], whatever happens.
pub(crate) trait Host: Send + Sync + std::fmt::Debug {
    /// Starts a run. Never blocks; a failure to start is reported as the run's end.
    fn start(&self, assignment: Assignment);

    /// Asks a run to stop; its grace begins. Nothing happens when it has ended.
    fn cancel(&self, run: RunId, reason: CancelReason);
}
