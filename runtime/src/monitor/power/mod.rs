//! The machine's power: UPower's word where it runs, else the kernel's; whether energy is saved,
//! as the power profile says. Nothing is asked before somebody needs to know.

#[cfg(target_os = "linux")]
mod bus;
#[cfg(all(test, target_os = "linux"))]
mod real;
#[cfg(target_os = "linux")]
mod supplies;
#[cfg(all(test, target_os = "linux"))]
mod tests;
#[cfg(target_os = "linux")]
mod watching;

use std::{collections::BTreeSet, sync::Arc};

use bgtask_model::{Declaration, Predicate, SystemEvent, Trigger};
use tokio::sync::{mpsc, watch};

use super::{Changes, MonitorConfig, demand::Counted, hub::Report};
use crate::{clock::Clock, energy::Power};

/// What somebody needs to know of the power.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Need {
    /// Where it comes from, and whether it is saved.
    Supply,
    /// The charge, which is told much more often than the rest.
    Charge,
    /// A threshold of `battery_above`.
    Above(u32),
}

type Needs = Counted<Need>;

/// Asks for the power to be watched, and tells what it is. Cheap to clone.
#[derive(Clone, Debug)]
pub(crate) struct PowerWatch {
    needs: Arc<watch::Sender<Needs>>,
    /// `None` before it was read.
    now: watch::Receiver<Option<Power>>,
}

impl PowerWatch {
    /// Watches what this declaration needs from now on; nothing if it needs nothing.
    pub(crate) fn need(&self, declaration: &Declaration) {
        self.add(needs(declaration));
    }

    /// What this declaration needed is not needed for it any more.
    pub(crate) fn release(&self, declaration: &Declaration) {
        self.needs.send_if_modified(|all| {
            let gone = needs(declaration).into_iter();
            gone.map(|need| all.remove(&need))
                .fold(false, |any, gone| any | gone)
        });
    }

    /// Watches whether the machine runs on its battery and whether it saves energy: for rules that
    /// hold for the whole app, until it ends.
    pub(crate) fn need_supply(&self) {
        self.add([Need::Supply].into());
    }

    /// The power now, watched from now on. Waits until it was read.
    pub(crate) async fn current(&self) -> Power {
        self.add([Need::Supply, Need::Charge].into());
        let mut now = self.now.clone();
        // Whoever reads it is gone with the app.
        let read = now.wait_for(Option::is_some).await;
        read.ok().and_then(|power| *power).unwrap_or(Power::UNKNOWN)
    }

    /// Whether the machine runs on its battery and whether it saves energy, watched from now on;
    /// `None` before it was read.
    pub(crate) fn supply(&self) -> watch::Receiver<Option<Power>> {
        self.need_supply();
        self.now.clone()
    }

    /// One that nobody serves.
    #[cfg(test)]
    pub(crate) fn of_nobody() -> Self {
        let needs = Arc::new(watch::channel(Needs::default()).0);
        let now = watch::channel(None).1;
        Self { needs, now }
    }

    fn add(&self, more: BTreeSet<Need>) {
        self.needs.send_if_modified(|all| {
            let new = more.into_iter().map(|need| all.add(need));
            new.fold(false, |any, new| any | new)
        });
    }
}

/// What a declaration needs to know.
fn needs(declaration: &Declaration) -> BTreeSet<Need> {
    let mut needs = BTreeSet::new();
    match &declaration.trigger {
        Trigger::System {
            event: SystemEvent::PowerStateChange | SystemEvent::WorkCostChange,
            ..
        } => needs.extend([Need::Supply, Need::Charge]),
        Trigger::Maintenance { .. } => needs.extend([Need::Supply]),
        _ => {}
    }
    let condition = declaration.condition.iter();
    for fact in condition.flat_map(bgtask_model::Condition::predicates) {
        match fact {
            Predicate::AcPower | Predicate::EnergySaverOff => needs.extend([Need::Supply]),
            Predicate::BatteryNotLow | Predicate::WorkCostNotHigh => {
                needs.extend([Need::Supply, Need::Charge]);
            }
            Predicate::BatteryAbove(percent) => {
                needs.extend([Need::Supply, Need::Charge, Need::Above(*percent)]);
            }
            _ => {}
        }
    }
    needs
}

/// The handle, and the future that watches once somebody needs it.
pub(super) fn start(
    config: &MonitorConfig,
    clock: Arc<dyn Clock>,
    reports: mpsc::UnboundedSender<Report>,
    changes: Changes,
) -> (PowerWatch, impl Future<Output = ()> + Send + use<>) {
    let (needs, needed) = watch::channel(Needs::default());
    let (read, now) = watch::channel(None);
    let power = PowerWatch {
        needs: Arc::new(needs),
        now,
    };
    #[cfg(target_os = "linux")]
    let run = watching::run(
        watching::Places {
            address: config.system_bus.clone(),
            supplies: config.power_supplies.clone(),
        },
        clock,
        needed,
        watching::Reporter {
            reports,
            changes,
            read,
        },
    );
    #[cfg(not(target_os = "linux"))]
    let run = {
        // There is no source here yet.
        let _ = (config, clock, reports, changes, needed);
        read.send_replace(Some(Power::UNKNOWN));
        std::future::ready(())
    };
    (power, run)
}
