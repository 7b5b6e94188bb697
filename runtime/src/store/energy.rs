//! The ledger of CPU time.

use std::time::Duration;

use jiff::Timestamp;

/// The CPU time of a task's runs that ended within one hour.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct EnergyRow {
    pub(crate) task: String,
    /// When the hour began.
    pub(crate) hour: Timestamp,
    pub(crate) cpu: Duration,
    /// The part of it that was used on battery.
    pub(crate) on_battery: Duration,
}

const HOUR: i64 = 3600;

/// The beginning of the hour that a time is in. Hours are counted from 1970 UTC.
pub(super) fn hour_of(at: Timestamp) -> Timestamp {
    let second = at.as_second();
    let start = second - second.rem_euclid(HOUR);
    Timestamp::from_second(start).unwrap_or(at)
}
