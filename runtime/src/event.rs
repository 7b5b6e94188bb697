//! Everything that can be observed, in the past tense.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::{ActivationId, CancelReason, Outcome, Progress, RunId, Standing, Suppression};

/// Something that happened to a task, from [`App::events`](crate::App::events).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Event {
    /// When.
    pub at: Timestamp,
    /// To which task.
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
}
