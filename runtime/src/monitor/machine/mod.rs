//! How the machine does: whether there is space on its disks, and how much its processors have to do.
//! Nothing of it tells by itself: it is looked at from time to time, once somebody needs to know.

#[cfg(target_os = "linux")]
mod load;
#[cfg(target_os = "linux")]
mod storage;
#[cfg(all(test, target_os = "linux"))]
mod tests;

use std::sync::Arc;

use tokio::{
    sync::{mpsc, watch},
    task::JoinSet,
};

use super::{MonitorConfig, demand::Needs, hub::Report};
use crate::clock::Clock;

/// Starts what looks once somebody needs it.
#[cfg(target_os = "linux")]
pub(super) fn start(
    config: &MonitorConfig,
    clock: &Arc<dyn Clock>,
    needs: watch::Receiver<Needs>,
    reports: &mpsc::UnboundedSender<Report>,
    tasks: &mut JoinSet<()>,
) {
    tasks.spawn(storage::watch(
        config.storage.clone(),
        Arc::clone(clock),
        needs.clone(),
        reports.clone(),
    ));
    tasks.spawn(load::watch(
        config.proc.clone(),
        Arc::clone(clock),
        needs,
        reports.clone(),
    ));
}

/// There is no source here yet.
#[cfg(not(target_os = "linux"))]
pub(super) fn start(
    _: &MonitorConfig,
    _: &Arc<dyn Clock>,
    _: watch::Receiver<Needs>,
    _: &mpsc::UnboundedSender<Report>,
    _: &mut JoinSet<()>,
) {
}
