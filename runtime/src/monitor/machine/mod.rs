//! How the machine does: whether there is space on its disks, how much its processors have to do, and
//! whether its memory is short. Only the last tells by itself: the others are looked at from time to
//! time, once somebody needs to know.

#[cfg(target_os = "linux")]
mod load;
#[cfg(target_os = "linux")]
mod pressure;
#[cfg(target_os = "linux")]
mod storage;
#[cfg(all(test, target_os = "linux"))]
mod tests;

use std::{
    ffi::OsString,
    path::PathBuf,
    sync::{Arc, LazyLock},
};

use tokio::{
    sync::{mpsc, watch},
    task::JoinSet,
};

use super::{MonitorConfig, demand::Needs, hub::Report};
use crate::clock::{Bell, Clock};

/// Names the file that a service of systemd is to watch: <https://systemd.io/MEMORY_PRESSURE/>.
pub(super) const PRESSURE_WATCH: &str = "MEMORY_PRESSURE_WATCH";

/// Where the kernel tells of waits for memory: of the service's own, if it is told one, else of
/// all. What a service is told instead of a file of the kernel's is none that can be read.
pub(super) fn pressure_file(watch: Option<OsString>) -> PathBuf {
    let own = watch.map(PathBuf::from);
    let own = own.filter(|file| file.is_absolute() && file.is_file());
    own.unwrap_or_else(|| PathBuf::from("/proc/pressure/memory"))
}

/// Whether the kernel tells of waits for memory: it is built and started with that, or not.
pub(crate) fn tells_pressure() -> bool {
    static TELLS: LazyLock<bool> = LazyLock::new(|| {
        let file = pressure_file(std::env::var_os(PRESSURE_WATCH));
        std::fs::read(file).is_ok()
    });
    *TELLS
}

/// Starts what looks once somebody needs it.
#[cfg(target_os = "linux")]
pub(super) fn start(
    config: &MonitorConfig,
    bell: Option<&Arc<Bell>>,
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
        needs.clone(),
        reports.clone(),
    ));
    let bell = bell.cloned();
    tasks.spawn(pressure::watch(
        config.pressure.clone(),
        move |file, rung| pressure::Trigger::set(bell.as_deref()?, file, rung),
        Arc::clone(clock),
        needs,
        reports.clone(),
    ));
}

/// There is no source here yet.
#[cfg(not(target_os = "linux"))]
pub(super) fn start(
    _: &MonitorConfig,
    _: Option<&Arc<Bell>>,
    _: &Arc<dyn Clock>,
    _: watch::Receiver<Needs>,
    _: &mpsc::UnboundedSender<Report>,
    _: &mut JoinSet<()>,
) {
}
