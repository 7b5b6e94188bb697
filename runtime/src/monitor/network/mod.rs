//! Whether the internet can be reached: NetworkManager's word where it runs, else the kernel's
//! routes as a guess. What it costs: NetworkManager's word alone.

#[cfg(target_os = "linux")]
mod netlink;
#[cfg(target_os = "linux")]
mod network_manager;
#[cfg(all(test, target_os = "linux"))]
mod real;
#[cfg(target_os = "linux")]
mod routes;
#[cfg(target_os = "linux")]
mod state;
#[cfg(all(test, target_os = "linux"))]
mod tests;

use std::sync::Arc;

use bgtask_model::Predicate;
use tokio::{
    sync::{mpsc, watch},
    task::JoinSet,
};

use super::{
    Changes, MonitorConfig, Reading,
    demand::Needs,
    hub::{Report, Source},
};
use crate::clock::{Bell, Clock};

/// Where a source of the network's state puts its word.
struct Reporter {
    source: Source,
    reports: mpsc::UnboundedSender<Report>,
}

impl Reporter {
    #[cfg(target_os = "linux")]
    fn internet(&self, reading: Reading) {
        self.report(Predicate::Internet, reading);
    }

    fn unmetered(&self, reading: Reading) {
        self.report(Predicate::Unmetered, reading);
    }

    fn report(&self, fact: Predicate, reading: Reading) {
        // The hub ends only with everything else.
        let _ = self.reports.send(Report {
            fact,
            source: self.source,
            reading: Some(reading),
        });
    }
}

/// What the sources share.
pub(super) struct Surroundings<'a> {
    pub(super) config: &'a MonitorConfig,
    pub(super) bell: Option<&'a Bell>,
    pub(super) clock: &'a Arc<dyn Clock>,
    pub(super) needs: watch::Receiver<Needs>,
    pub(super) reports: &'a mpsc::UnboundedSender<Report>,
    pub(super) changes: &'a Changes,
    /// Where it is told whether somebody here knows what the network costs.
    pub(super) metering: watch::Sender<Option<bool>>,
}

/// Starts the sources that are wanted, and names those that will speak.
#[cfg(target_os = "linux")]
pub(super) fn start(around: Surroundings<'_>, tasks: &mut JoinSet<()>) -> Vec<(Predicate, Source)> {
    use state::Word;

    let mut started = Vec::new();
    let reporter = |source| Reporter {
        source,
        reports: around.reports.clone(),
    };
    let managed = watch::Sender::new(Word::Nothing);
    let ways = watch::Sender::new(Word::Nothing);
    let state = state::Surroundings {
        ways: ways.subscribe(),
        managed: managed.subscribe(),
        needs: around.needs.clone(),
        changes: around.changes.clone(),
        debounce_down: around.config.debounce_down,
    };
    if around.config.network_manager {
        managed.send_replace(Word::Unheard);
        let address = around.config.system_bus.clone();
        let source = Source::NetworkManager;
        started.extend([
            (Predicate::Internet, source),
            (Predicate::Unmetered, source),
        ]);
        let says = network_manager::Says {
            reporter: reporter(source),
            managed,
            installed: around.metering,
        };
        let clock = Arc::clone(around.clock);
        tasks.spawn(network_manager::run(address, clock, says));
    }
    if let (true, Some(bell)) = (around.config.network, around.bell) {
        ways.send_replace(Word::Unheard);
        let source = Source::Netlink;
        started.push((Predicate::Internet, source));
        let watched = netlink::watch(bell, reporter(source), around.needs, ways);
        tasks.spawn(watched);
    }
    tasks.spawn(state::run(Arc::clone(around.clock), state));
    started
}

/// There is no source here yet.
#[cfg(not(target_os = "linux"))]
pub(super) fn start(around: Surroundings<'_>, _: &mut JoinSet<()>) -> Vec<(Predicate, Source)> {
    let Surroundings {
        config,
        bell,
        clock,
        needs,
        reports,
        changes,
        metering,
    } = around;
    let _ = (config, bell, clock, needs, reports, changes);
    metering.send_replace(Some(false));
    Vec::new()
}

/// Waits until more is needed.
#[cfg(target_os = "linux")]
async fn needed(needs: &mut watch::Receiver<Needs>, more: impl Fn(&Needs) -> bool) {
    if needs.wait_for(more).await.is_err() {
        // Nobody is left who could need it.
        std::future::pending().await
    }
}

/// Says of a network of which nobody can tell what it costs what the user says of those.
pub(super) async fn follow_policy(
    mut allowed: watch::Receiver<bool>,
    reports: mpsc::UnboundedSender<Report>,
) {
    let source = Source::Policy;
    let reporter = Reporter { source, reports };
    loop {
        let allowed_now = *allowed.borrow_and_update();
        reporter.unmetered(match allowed_now {
            true => Reading::Guess(true),
            false => Reading::Unknown,
        });
        if allowed.changed().await.is_err() {
            return;
        }
    }
}
