//! The ways to end, and what each of them is to be recorded as.

use std::{fmt, time::Duration};

use bgtask::{CancelReason, KillCause, Outcome};
use serde::{Deserialize, Serialize};

/// The `timeout`, or the `cpu`, and the `grace` of the tasks whose runs would never end.
pub(crate) const TIMEOUT: Duration = Duration::from_millis(250);
pub(crate) const GRACE: Duration = Duration::from_millis(200);
/// The `memory` of the tasks that have one.
pub(crate) const MEMORY: u64 = 64 << 20;
/// How many reports a flood is.
pub(crate) const FLOOD: u64 = 1_000_000;

/// How a body ends, or that it does not.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Way {
    Return,
    Error,
    Panic,
    /// What the body owned panics when the body returns.
    PanicInDrop,
    /// It never ends, and what it owns panics when it is dropped.
    PanicWhenDropped,
    /// A destructor panics while a panic unwinds.
    PanicTwice,
    Exit(i32),
    Abort,
    WriteNowhere,
    OverflowStack,
    /// Allocates without end.
    Allocate,
    /// Computes without end.
    Spin,
    /// As that, with a limit of its CPU time.
    Compute,
    /// Sleeps for ever, and does not heed the signal that asks it to end.
    Sleep,
    /// Starts a process that never ends, and exits.
    Grandchild,
    /// As that, and the process leaves its group and its session.
    EscapedGrandchild,
    /// Closes its side of the connection to the app, and never ends.
    CloseConnection,
    /// Writes into the connection what is no message, and never ends.
    Garbage,
    /// Reports progress a million times.
    Flood,
    /// Takes a deferral that nobody gives back.
    LeakDeferral,
}

/// Where a body runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Hosting {
    /// In a resource group that no other task is in.
    Own,
    /// In a resource group in whose process another run waits.
    Shared,
    /// In a process for each run.
    Alone,
    /// In the app's process.
    Here,
}

/// The ways that only a process of its own contains, and those that the app survives as well.
const HOSTED: [Way; 10] = [
    Way::PanicTwice,
    Way::Exit(0),
    Way::Exit(3),
    Way::Abort,
    Way::WriteNowhere,
    Way::OverflowStack,
    Way::Allocate,
    Way::Grandchild,
    Way::CloseConnection,
    Way::Garbage,
];
const ANYWHERE: [Way; 8] = [
    Way::Return,
    Way::Error,
    Way::Panic,
    Way::PanicInDrop,
    Way::PanicWhenDropped,
    Way::Flood,
    Way::Spin,
    Way::Sleep,
];

impl Hosting {
    /// The ways that a run may end there.
    pub(crate) fn ways(self) -> Vec<Way> {
        let mut ways = ANYWHERE.to_vec();
        if self != Self::Here {
            ways.extend(HOSTED);
            ways.extend([Way::EscapedGrandchild, Way::LeakDeferral]);
        }
        if self == Self::Alone {
            // With such a limit it is alone in any case.
            ways.push(Way::Compute);
        }
        ways
    }

    /// The name of the task whose runs end so there.
    pub(crate) fn task(self, way: Way) -> String {
        match way {
            Way::Allocate => format!("{self}_small"),
            Way::Compute => "computes".to_owned(),
            Way::Spin if self == Self::Here => "here_plain".to_owned(),
            _ if way.is_endless() => format!("{self}_brief"),
            _ => self.to_string(),
        }
    }
}

impl fmt::Display for Hosting {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Own => "own",
            Self::Shared => "shared",
            Self::Alone => "alone",
            Self::Here => "here",
        })
    }
}

impl Way {
    /// It needs a `timeout` to end.
    fn is_endless(self) -> bool {
        matches!(
            self,
            Self::Spin | Self::Sleep | Self::PanicWhenDropped | Self::LeakDeferral
        )
    }

    /// What is to be recorded.
    pub(crate) fn outcome(self, hosting: Hosting) -> Outcome {
        let text = || "as asked".to_owned();
        let here = hosting == Hosting::Here;
        let cause = match self {
            Self::Return => return Outcome::Completed { value: 7.into() },
            Self::Flood => {
                return Outcome::Completed {
                    value: FLOOD.into(),
                };
            }
            Self::Error => return Outcome::Failed { error: text() },
            Self::Panic | Self::PanicInDrop => return Outcome::Panicked { message: text() },
            Self::PanicWhenDropped if here => return Outcome::Panicked { message: text() },
            Self::Spin | Self::Sleep | Self::LeakDeferral if here => {
                return Outcome::Cancelled {
                    reason: CancelReason::ExecutionTimeExceeded,
                    overrun: self != Self::Sleep,
                };
            }
            Self::Spin | Self::Sleep | Self::LeakDeferral | Self::PanicWhenDropped => {
                KillCause::WallTime {
                    limit: TIMEOUT,
                    grace: GRACE,
                }
            }
            Self::Compute => KillCause::Cpu {
                limit: TIMEOUT,
                grace: GRACE,
            },
            Self::Exit(code) => KillCause::Exit { code },
            Self::Grandchild | Self::EscapedGrandchild => KillCause::Exit { code: 0 },
            // An overflow of the stack is told by the standard library, which then aborts.
            Self::PanicTwice | Self::Abort | Self::OverflowStack => KillCause::Signal { signal: 6 },
            Self::WriteNowhere => KillCause::Signal { signal: 11 },
            Self::Allocate => KillCause::Memory { limit: MEMORY },
            Self::CloseConnection => lost("it closed its connection and went on"),
            Self::Garbage => lost("a message is too long: the limit is 4194304 bytes"),
        };
        Outcome::Killed { cause }
    }

    /// What is to be recorded of a run that waited in the same process.
    pub(crate) fn beside(self, hosting: Hosting, group: &str) -> Outcome {
        match self.outcome(hosting) {
            Outcome::Killed {
                cause: KillCause::WallTime { .. },
            } => Outcome::Killed {
                cause: lost(&format!("another run of the group `{group}` was killed")),
            },
            killed @ Outcome::Killed { .. } => killed,
            _ => Outcome::Completed { value: 0.into() },
        }
    }
}

fn lost(detail: &str) -> KillCause {
    KillCause::HostLost {
        detail: detail.to_owned(),
    }
}
