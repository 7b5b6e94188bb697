//! The machine's power: UPower's word where it runs, else the kernel's; whether energy is saved,
//! as the power profile says. Nothing is asked before somebody needs to know.

#[cfg(target_os = "linux")]
mod bus;
#[cfg(target_os = "linux")]
mod supplies;
#[cfg(all(test, target_os = "linux"))]
mod tests;
#[cfg(target_os = "linux")]
mod watching;

use std::{collections::BTreeSet, sync::Arc};

use bgtask_model::{Declaration, Predicate, SystemEvent, Trigger};
use tokio::sync::{mpsc, watch};

use super::{Changes, MonitorConfig, hub::Report};
use crate::{clock::Clock, energy::Power};

/// What somebody needs to know of the power.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Needs {
    /// Anything at all.
    any: bool,
    /// The charge, which is told much more often than the rest.
    charge: bool,
    /// The thresholds of `battery_above`.
    above: BTreeSet<u32>,
}

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
        let more = needs(declaration);
        if more.any {
            self.add(&more);
        }
    }

    /// Watches whether the machine runs on its battery and whether it saves energy: for rules that
    /// hold for the whole app.
    pub(crate) fn need_supply(&self) {
        self.add(&Needs {
            any: true,
            ..Needs::default()
        });
    }

    /// The power now, watched from now on. Waits until it was read.
    pub(crate) async fn current(&self) -> Power {
        self.add(&Needs {
            any: true,
            charge: true,
            ..Needs::default()
        });
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

    fn add(&self, more: &Needs) {
        self.needs.send_if_modified(|needs| {
            let before = needs.clone();
            needs.any |= more.any;
            needs.charge |= more.charge;
            needs.above.extend(&more.above);
            *needs != before
        });
    }
}

/// What a declaration needs to know.
fn needs(declaration: &Declaration) -> Needs {
    let mut needs = Needs::default();
    match &declaration.trigger {
        Trigger::System {
            event: SystemEvent::PowerStateChange | SystemEvent::WorkCostChange,
            ..
        } => (needs.any, needs.charge) = (true, true),
        Trigger::Maintenance { .. } => needs.any = true,
        _ => {}
    }
    let condition = declaration.condition.iter();
    for fact in condition.flat_map(bgtask_model::Condition::predicates) {
        match fact {
            Predicate::AcPower | Predicate::EnergySaverOff => needs.any = true,
            Predicate::BatteryNotLow | Predicate::WorkCostNotHigh => {
                (needs.any, needs.charge) = (true, true);
            }
            Predicate::BatteryAbove(percent) => {
                (needs.any, needs.charge) = (true, true);
                needs.above.insert(*percent);
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
