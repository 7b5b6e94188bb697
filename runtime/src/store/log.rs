//! What happened, told from what is kept.
//!
//! That something fired, started or ended follows from activations and runs. Only the rest is
//! written as an event.

use std::cmp::Reverse;

use jiff::Timestamp;

use super::{ActivationRecord, RunRecord};
use crate::{Event, EventKind, Outcome};

/// Which part of the log, for [`App::log`](crate::App::log). By default all that is kept.
///
/// ```
/// use bgtask::LogQuery;
///
/// let last = LogQuery {
///     task: Some("fetch_mail".to_owned()),
///     limit: 20,
///     ..LogQuery::default()
/// };
/// assert_eq!(last.since, None);
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LogQuery {
    /// Only what happened to this task.
    pub task: Option<String>,
    /// Only what happened then or later.
    pub since: Option<Timestamp>,
    /// At most so many, the newest; 0 is no limit.
    pub limit: u32,
}

/// What the log is told from: the newest of each, in the order of their recording.
#[derive(Default)]
pub(super) struct Sources {
    pub(super) events: Vec<Event>,
    /// `true`: it is the first that is kept of its activation.
    pub(super) runs: Vec<(RunRecord, bool)>,
    /// With its start, if it runs, and whether no run of it has ended.
    pub(super) open: Vec<(ActivationRecord, Option<Timestamp>, bool)>,
}

/// Whether an event is kept as such. The others follow from what is kept, or are not worth it.
pub(crate) fn is_kept(event: &Event) -> bool {
    !matches!(
        event.kind,
        EventKind::Fired { .. }
            | EventKind::Started { .. }
            | EventKind::Progressed { .. }
            | EventKind::Ended { .. }
            | EventKind::Suppressed {
                activation: Some(_),
                ..
            }
    )
}

/// Everything that happened, newest first.
pub(super) fn merge(query: &LogQuery, sources: Sources) -> Vec<Event> {
    let mut all = sources.events;
    for (record, started, first) in sources.open {
        let mut push = |at, kind| all.push(event(&record.task, at, kind));
        let activation = record.id;
        if first {
            push(record.accepted, EventKind::Fired { activation });
        }
        if let (Some(at), Some(run)) = (started, record.run) {
            let pid = None;
            push(
                at,
                EventKind::Started {
                    activation,
                    run,
                    pid,
                },
            );
        }
    }
    for (record, first) in sources.runs {
        tell_run(record, first, &mut all);
    }
    all.retain(|event| query.since.is_none_or(|since| event.at >= since));
    // Newest first; what happened at one time, in the order of its life.
    all.sort_by_key(|event| Reverse((event.at, rank(&event.kind))));
    if query.limit > 0 {
        all.truncate(query.limit as usize);
    }
    all
}

fn tell_run(record: RunRecord, first: bool, all: &mut Vec<Event>) {
    let (activation, run) = (record.activation, record.run);
    let mut push = |at, kind| all.push(event(&record.task, at, kind));
    if first {
        push(record.accepted, EventKind::Fired { activation });
    }
    if let Some(at) = record.started {
        let pid = None;
        push(
            at,
            EventKind::Started {
                activation,
                run,
                pid,
            },
        );
    }
    let kind = match record.outcome {
        Outcome::Suppressed { why } => EventKind::Suppressed {
            activation: Some(activation),
            why,
        },
        outcome => EventKind::Ended {
            activation,
            run,
            outcome,
            retry_at: record.retry_at,
        },
    };
    push(record.ended, kind);
}

fn event(task: &str, at: Timestamp, kind: EventKind) -> Event {
    Event {
        at,
        task: task.to_owned(),
        kind,
    }
}

/// The order of what happened at one time.
fn rank(kind: &EventKind) -> u8 {
    match kind {
        EventKind::Fired { .. } => 1,
        EventKind::Held { .. } | EventKind::Throttled => 2,
        EventKind::Released { .. } => 3,
        EventKind::Started { .. } => 4,
        EventKind::CancelRequested { .. } => 5,
        EventKind::Ended { .. } | EventKind::Suppressed { .. } => 6,
        EventKind::Registered { .. }
        | EventKind::Unregistered
        | EventKind::Stands { .. }
        | EventKind::AccessChanged { .. }
        | EventKind::Serviced
        | EventKind::Refused { .. }
        | EventKind::OutboxRefused { .. }
        | EventKind::Progressed { .. } => 0,
    }
}
