//! Whether the user is there, whether they have a session, and whether the device idles: logind's
//! word where it runs, else the files it would keep. Nothing is asked before somebody needs to know.

#[cfg(target_os = "linux")]
mod logind;
#[cfg(all(test, target_os = "linux"))]
mod tests;
#[cfg(target_os = "linux")]
mod users;
#[cfg(target_os = "linux")]
mod watching;

use std::sync::Arc;

use bgtask_model::Predicate;
use tokio::sync::{mpsc, watch};

use super::{
    MonitorConfig,
    demand::Needs,
    hub::{Report, Source},
};
use crate::clock::{Bell, Clock};

/// The facts that are known here.
#[cfg(target_os = "linux")]
const FACTS: [Predicate; 3] = [
    Predicate::UserPresent,
    Predicate::SessionConnected,
    Predicate::DeviceIdle,
];

/// Who will speak of which, once it is needed.
#[cfg(target_os = "linux")]
pub(super) fn sources() -> impl Iterator<Item = (Predicate, Source)> {
    let logind = FACTS.into_iter().map(|fact| (fact, Source::Logind));
    logind.chain([(Predicate::SessionConnected, Source::Users)])
}

/// The future that watches once somebody needs it.
#[cfg(target_os = "linux")]
pub(super) fn start(
    config: &MonitorConfig,
    bell: Option<&Arc<Bell>>,
    clock: Arc<dyn Clock>,
    needs: watch::Receiver<Needs>,
    reports: mpsc::UnboundedSender<Report>,
) -> impl Future<Output = ()> + Send + use<> {
    let places = watching::Places {
        address: config.system_bus.clone(),
        users: config.users.clone(),
        uid: rustix::process::getuid().as_raw(),
    };
    watching::run(places, bell.cloned(), clock, needs, reports)
}

/// There is no source here yet.
#[cfg(not(target_os = "linux"))]
pub(super) fn sources() -> impl Iterator<Item = (Predicate, Source)> {
    std::iter::empty()
}

/// There is no source here yet.
#[cfg(not(target_os = "linux"))]
pub(super) fn start(
    _: &MonitorConfig,
    _: Option<&Arc<Bell>>,
    _: Arc<dyn Clock>,
    _: watch::Receiver<Needs>,
    _: mpsc::UnboundedSender<Report>,
) -> impl Future<Output = ()> + Send + use<> {
    std::future::ready(())
}
