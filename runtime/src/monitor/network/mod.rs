//! Whether the internet can be reached: NetworkManager's word where it runs, else the kernel's
//! routes as a guess.

#[cfg(target_os = "linux")]
mod netlink;
#[cfg(target_os = "linux")]
mod network_manager;
#[cfg(target_os = "linux")]
mod routes;
#[cfg(all(test, target_os = "linux"))]
mod tests;

use std::sync::Arc;

#[cfg(target_os = "linux")]
use bgtask_model::Predicate;
use tokio::{sync::mpsc, task::JoinSet};

use super::{
    MonitorConfig,
    hub::{Report, Source},
};
use crate::clock::{Bell, Clock};
#[cfg(target_os = "linux")]
use crate::monitor::Reading;

/// Where a source of the internet's state puts its word.
#[cfg(target_os = "linux")]
struct Reporter {
    source: Source,
    reports: mpsc::UnboundedSender<Report>,
}

#[cfg(target_os = "linux")]
impl Reporter {
    fn internet(&self, reading: Reading) {
        // The hub ends only with everything else.
        let _ = self.reports.send(Report {
            fact: Predicate::Internet,
            source: self.source,
            reading,
        });
    }
}

/// Starts the sources that are wanted, and names those that will speak.
#[cfg(target_os = "linux")]
pub(super) fn start(
    config: &MonitorConfig,
    bell: Option<&Bell>,
    clock: &Arc<dyn Clock>,
    reports: &mpsc::UnboundedSender<Report>,
    tasks: &mut JoinSet<()>,
) -> Vec<Source> {
    let mut started = Vec::new();
    let mut reporter = |source| {
        started.push(source);
        Reporter {
            source,
            reports: reports.clone(),
        }
    };
    if config.network_manager {
        let address = config.system_bus.clone();
        let reporter = reporter(Source::NetworkManager);
        tasks.spawn(network_manager::run(address, Arc::clone(clock), reporter));
    }
    if let (true, Some(bell)) = (config.network, bell) {
        tasks.spawn(netlink::watch(bell, reporter(Source::Netlink)));
    }
    started
}

/// There is no source here yet.
#[cfg(not(target_os = "linux"))]
pub(super) fn start(
    _: &MonitorConfig,
    _: Option<&Bell>,
    _: &Arc<dyn Clock>,
    _: &mpsc::UnboundedSender<Report>,
    _: &mut JoinSet<()>,
) -> Vec<Source> {
    Vec::new()
}
