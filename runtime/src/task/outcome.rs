//! How an activation ended.

use std::{fmt, time::Duration};

use serde::{Deserialize, Serialize};

use super::CancelReason;
use crate::ActivationId;

/// How an activation ended. Exactly one is recorded for each.
///
/// ```
/// use bgtask::{KillCause, Outcome};
///
/// let crashed = Outcome::Killed { cause: KillCause::Signal { signal: 6 } };
/// assert_eq!(crashed.word(), "killed");
/// assert_eq!(crashed.to_string(), "killed: signal 6 (abort)");
/// assert!(!crashed.is_completed());
/// ```
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Outcome {
    /// The body returned; a `Result` was `Ok`.
    Completed {
        /// What it returned, as JSON; `null` for `()`.
        value: serde_json::Value,
    },
    /// The body returned `Err`, its arguments could not be taken, or its result is too long or nested
    /// deeper than 100 levels.
    Failed {
        /// The error's text.
        error: String,
    },
    /// The body panicked.
    Panicked {
        /// The panic's message.
        message: String,
    },
    /// It was asked to stop, and then returned an `Err`, whose text is not kept, or was dropped. A
    /// body that returns `Ok` although it was asked is `Completed`.
    Cancelled {
        /// Why it was asked.
        reason: CancelReason,
        /// The body was still running when this was recorded: it could not be dropped.
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        overrun: bool,
    },
    /// Its process ended under it.
    Killed {
        /// What ended it.
        cause: KillCause,
    },
    /// It was accepted and never started.
    Suppressed {
        /// Why.
        why: Suppression,
    },
}

/// What ended a process under a run.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "cause", rename_all = "snake_case")]
#[non_exhaustive]
pub enum KillCause {
    /// It did not stop within its grace after its time was over.
    WallTime {
        /// The time it had before it was asked to stop.
        limit: Duration,
        /// The time it then had to stop.
        grace: Duration,
    },
    /// It did not stop within its grace after it had used its CPU time (`cpu = "10s"`).
    Cpu {
        /// The CPU time it had before it was asked to stop.
        limit: Duration,
        /// The time it then had to stop.
        grace: Duration,
    },
    /// It did not stop within its grace after it was asked to for another reason.
    Grace {
        /// Why it was asked to stop.
        reason: CancelReason,
        /// The time it had to stop.
        grace: Duration,
    },
    /// Its process ran into its memory limit: an allocation in Rust failed, or more was resident.
    /// Nobody is asked to stop before, as
    /// [on Windows](https://learn.microsoft.com/windows/uwp/launch-resume/reduce-memory-usage).
    Memory {
        /// The limit in bytes.
        limit: u64,
    },
    /// A signal, such as 6 for an abort or 11 for a bad memory access.
    Signal {
        /// The signal's number.
        signal: i32,
    },
    /// The process exited on its own.
    Exit {
        /// The exit code.
        code: i32,
    },
    /// The process closed its connection or sent what is not in the protocol.
    HostLost {
        /// What was seen.
        detail: String,
    },
    /// The host could not take the settings of its process, `nice` or `sandbox`, so no body ran.
    HostSettings {
        /// What could not be done.
        error: String,
    },
    /// `setup` failed in the host, so no body ran.
    HostSetup {
        /// Its error.
        error: String,
    },
}

/// Why an accepted activation, or a due time, did not start.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "why", rename_all = "snake_case")]
#[non_exhaustive]
pub enum Suppression {
    /// A run of the same registration was active and `overlap = skip`.
    Overlap,
    /// A newer activation took its place (`pending = latest`, or `overlap = replace`).
    Superseded {
        /// The newer one.
        by: Option<ActivationId>,
    },
    /// An older activation waits and only that one is kept (`pending = first`), or the queue is
    /// full.
    PendingFull,
    /// It came due while nothing could fire and the task skips missed times.
    Missed,
    /// Its registration was removed: it was unregistered, or its task is no longer declared.
    Removed,
    /// Its trigger fired while the registration was disabled. What is fired by hand or by a row of an
    /// [outbox](crate::guide::outbox) is kept then, and held.
    Disabled,
    /// Its trigger fired while access was denied; the rest is as with [`Disabled`](Self::Disabled).
    Denied,
    /// What the registration names was not there.
    Quarantined,
    /// It was cancelled before it started.
    Cancelled {
        /// Why.
        reason: CancelReason,
    },
    /// It had started before a crash and must not start again (`delivery = at_most_once`).
    AtMostOnce,
}

impl Outcome {
    /// Whether the body did its work.
    #[must_use]
    pub const fn is_completed(&self) -> bool {
        matches!(self, Self::Completed { .. })
    }

    /// One word: `completed`, `failed`, `panicked`, `cancelled`, `killed`, `suppressed`.
    #[must_use]
    pub const fn word(&self) -> &'static str {
        match self {
            Self::Completed { .. } => "completed",
            Self::Failed { .. } => "failed",
            Self::Panicked { .. } => "panicked",
            Self::Cancelled { .. } => "cancelled",
            Self::Killed { .. } => "killed",
            Self::Suppressed { .. } => "suppressed",
        }
    }
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Completed { .. } => f.write_str("completed"),
            Self::Failed { error } => write!(f, "failed: {error}"),
            Self::Panicked { message } => write!(f, "panicked: {message}"),
            Self::Cancelled { reason, overrun } => {
                write!(f, "cancelled: {reason}")?;
                if *overrun {
                    f.write_str("; the body was still running")?;
                }
                Ok(())
            }
            Self::Killed { cause } => write!(f, "killed: {cause}"),
            Self::Suppressed { why } => write!(f, "suppressed: {why}"),
        }
    }
}

impl fmt::Display for KillCause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::WallTime { limit, grace } => write!(
                f,
                "it ran longer than {limit:?} and did not stop within {grace:?} of being asked"
            ),
            Self::Cpu { limit, grace } => write!(
                f,
                "it used more than {limit:?} of CPU time and did not stop within {grace:?} of \
                 being asked"
            ),
            Self::Grace { reason, grace } => {
                write!(
                    f,
                    "it did not stop within {grace:?} of being asked ({reason})"
                )
            }
            Self::Memory { limit } => write!(f, "it ran into its memory limit of {limit} bytes"),
            Self::Signal { signal } => match signal {
                6 => f.write_str("signal 6 (abort)"),
                9 => f.write_str("signal 9 (kill)"),
                11 => f.write_str("signal 11 (bad memory access)"),
                15 => f.write_str("signal 15 (terminate)"),
                24 => f.write_str("signal 24 (CPU time limit)"),
                other => write!(f, "signal {other}"),
            },
            Self::Exit { code } => write!(f, "its process exited with code {code}"),
            Self::HostLost { detail } => write!(f, "its process was lost: {detail}"),
            Self::HostSettings { error } => {
                write!(f, "its process could not take its settings: {error}")
            }
            Self::HostSetup { error } => write!(
                f,
                "`setup` failed in its process: {error} (a host sees a part of the environment; \
                 pass it more with `AppBuilder::host_env`)"
            ),
        }
    }
}

impl fmt::Display for Suppression {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Overlap => f.write_str("a run of it was active"),
            Self::Superseded { .. } => f.write_str("a newer activation took its place"),
            Self::PendingFull => f.write_str("as many as are kept were waiting already"),
            Self::Missed => f.write_str("it came due while nothing could fire"),
            Self::Removed => f.write_str("its registration was removed"),
            Self::Disabled => f.write_str("it was disabled"),
            Self::Denied => f.write_str("access was denied"),
            Self::Quarantined => f.write_str("it was in quarantine"),
            Self::Cancelled { reason } => write!(f, "cancelled before it started: {reason}"),
            Self::AtMostOnce => {
                f.write_str("it had started before a crash and must not start again")
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_cause_of_cpu_time_is_told_and_comes_back_as_it_was() {
        let cause = KillCause::Cpu {
            limit: Duration::from_secs(10),
            grace: Duration::from_secs(5),
        };
        assert_eq!(
            cause.to_string(),
            "it used more than 10s of CPU time and did not stop within 5s of being asked"
        );
        let text = serde_json::to_string(&cause).expect("JSON");
        assert!(text.starts_with(r#"{"cause":"cpu","limit":"#), "{text}");
        assert_eq!(serde_json::from_str::<KillCause>(&text).unwrap(), cause);
    }
}
