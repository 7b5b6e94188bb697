//! Everything that can be observed, in the past tense.

use std::fmt;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::{
    AccessStatus, ActivationId, CancelReason, Outcome, Progress, RunId, Standing, Suppression,
};

/// Something that happened to a task, from [`App::events`](crate::App::events) as it happens, or from
/// [`App::log`](crate::App::log) later. Its text is a line for people.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Event {
    /// When.
    pub at: Timestamp,
    /// To which task; empty for what happened to the whole app.
    pub task: String,
    /// What.
    #[serde(flatten)]
    pub kind: EventKind,
}

/// What happened.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "event", rename_all = "snake_case")]
#[non_exhaustive]
pub enum EventKind {
    /// It is registered; `due` for time kinds.
    Registered {
        /// The next due time.
        due: Option<Timestamp>,
        /// The registration was there before this start.
        kept: bool,
    },
    /// Its registration was removed.
    Unregistered,
    /// It may no longer fire and start, or may again.
    Stands {
        /// What holds now.
        standing: Standing,
    },
    /// Its declaration was refused; the others go on.
    Refused {
        /// The error's text.
        error: String,
    },
    /// Its trigger fired and the activation is kept.
    Fired {
        /// The activation.
        activation: ActivationId,
    },
    /// An activation waits for its condition.
    Held {
        /// The activation.
        activation: ActivationId,
        /// What it waits for.
        reason: String,
    },
    /// An activation that was held starts.
    Released {
        /// The activation.
        activation: ActivationId,
    },
    /// An activation is put off, because the energy budget is spent.
    Throttled,
    /// A run started.
    Started {
        /// The activation.
        activation: ActivationId,
        /// The run.
        run: RunId,
        /// The process it runs in. `None` in what is read from the log: there it is not kept.
        pid: Option<u32>,
    },
    /// A run reported progress.
    Progressed {
        /// The run.
        run: RunId,
        /// How far it is.
        progress: Progress,
    },
    /// A run was asked to stop.
    CancelRequested {
        /// The run.
        run: RunId,
        /// Why.
        reason: CancelReason,
    },
    /// A run ended, and that is recorded.
    Ended {
        /// The activation.
        activation: ActivationId,
        /// The run.
        run: RunId,
        /// How.
        outcome: Outcome,
        /// It will be tried again then.
        retry_at: Option<Timestamp>,
    },
    /// A row of an outbox was refused, and is put aside there.
    OutboxRefused {
        /// Its id, as it stands in the row.
        row: String,
        /// Why.
        error: String,
    },
    /// A fire, or an accepted activation, will not start.
    Suppressed {
        /// The activation, if there was one.
        activation: Option<ActivationId>,
        /// Why.
        why: Suppression,
    },
    /// Whether the app may work in the background is another than before.
    AccessChanged {
        /// What holds now.
        status: AccessStatus,
    },
    /// This is the first launch of another build of the program.
    Serviced,
}

impl fmt::Display for Event {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.task.as_str() {
            "" => write!(f, "{}: {}", self.at, self.kind),
            task => write!(f, "{}: {task}: {}", self.at, self.kind),
        }
    }
}

impl fmt::Display for EventKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Registered { due: None, .. } => f.write_str("registered"),
            Self::Registered { due: Some(due), .. } => write!(f, "registered, due at {due}"),
            Self::Unregistered => f.write_str("unregistered"),
            Self::Stands { standing } => match standing {
                Standing::Enabled => f.write_str("enabled"),
                Standing::Paused { .. } => f.write_str("paused"),
                Standing::Disabled { .. } => f.write_str("disabled"),
                Standing::Quarantined { reason, .. } => write!(f, "in quarantine: {reason}"),
            },
            Self::Refused { error } => write!(f, "refused: {error}"),
            Self::Fired { .. } => f.write_str("fired"),
            Self::Held { reason, .. } => write!(f, "held: {reason}"),
            Self::Released { .. } => f.write_str("released"),
            Self::Throttled => f.write_str("put off: the energy budget is spent"),
            Self::Started { pid: None, .. } => f.write_str("started"),
            Self::Started { pid: Some(pid), .. } => write!(f, "started in process {pid}"),
            Self::Progressed { progress, .. } => {
                write!(f, "progressed: {} of {}", progress.done, progress.total)
            }
            Self::CancelRequested { reason, .. } => write!(f, "asked to stop: {reason}"),
            Self::Ended {
                outcome,
                retry_at: None,
                ..
            } => write!(f, "ended: {outcome}"),
            Self::Ended {
                outcome,
                retry_at: Some(at),
                ..
            } => write!(f, "ended: {outcome}; again at {at}"),
            Self::Suppressed { why, .. } => write!(f, "did not start: {why}"),
            Self::OutboxRefused { row, error } => write!(f, "row {row} was refused: {error}"),
            Self::AccessChanged { status } => write!(f, "access is now: {status}"),
            Self::Serviced => f.write_str("another build of the program"),
        }
    }
}
