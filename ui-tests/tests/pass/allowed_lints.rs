//! The strictest lints that a crate may set.
#![deny(
    warnings,
    missing_docs,
    unused,
    unreachable_pub,
    clippy::all,
    clippy::pedantic
)]
#![forbid(unsafe_code)]

use bgtask::{TaskContext, background_condition, background_task};

/// Nothing is awaited here.
#[background_task(trigger = time(15), name = "lints.sync")]
pub(crate) async fn sync(_task: TaskContext) {}

/// Without any parameter.
#[background_task(trigger = startup)]
fn warm_up() -> Result<(), std::io::Error> {
    std::fs::metadata(".").map(drop)
}

/// Holds always.
#[background_condition]
async fn always(report: bgtask::ConditionReporter) {
    report.set(true);
}
