//! Watches the power once somebody needs to know.

use std::{collections::BTreeSet, path::PathBuf, sync::Arc, time::Duration};

use bgtask_model::Predicate;
use tokio::sync::{mpsc, watch};

use super::{
    Need, Needs,
    bus::{self, BATTERY, PROFILES, PROFILES_BEFORE, UPOWER},
    supplies::{self, Supplies},
};
use crate::{
    Reading,
    clock::Clock,
    energy::Power,
    monitor::{
        Change, Changes,
        hub::{Report, Source},
        properties::{Properties, follow},
    },
};

/// How often a machine with a battery is looked at while no UPower tells. The kernel tells nobody
/// of each percent.
const LOOK_AGAIN: Duration = Duration::from_secs(30);

/// Where the power is read.
pub(super) struct Places {
    /// The system bus, if it is not the usual one.
    pub(super) address: Option<String>,
    /// `/sys/class/power_supply`
    pub(super) supplies: PathBuf,
}

/// Where what was read goes.
pub(super) struct Reporter {
    pub(super) reports: mpsc::UnboundedSender<Report>,
    pub(super) changes: Changes,
    pub(super) read: watch::Sender<Option<Power>>,
}

/// Watches while somebody needs it; more needs are read at once.
pub(super) async fn run(
    places: Places,
    clock: Arc<dyn Clock>,
    mut needed: watch::Receiver<Needs>,
    reporter: Reporter,
) {
    let mut known = Power::UNKNOWN;
    let mut told = BTreeSet::new();
    loop {
        let needs = needed.borrow_and_update().clone();
        let facts = facts(&needs);
        for fact in told.difference(&facts) {
            reporter.report(fact, Source::Supplies, None);
        }
        if facts.is_empty() || (needs_charge(&facts) && !needs_charge(&told)) {
            // What is so when it is looked at again is no change.
            known = Power::UNKNOWN;
        }
        told.clone_from(&facts);
        let watching = async {
            if !facts.is_empty() {
                watch(&places, &*clock, &facts, &reporter, &mut known).await;
            }
            std::future::pending::<()>().await;
        };
        tokio::select! {
            () = watching => {}
            changed = needed.changed() => if changed.is_err() {
                // Nobody is left who could need it.
                return;
            }
        }
    }
}

/// What is told to those who need that.
fn facts(needs: &Needs) -> BTreeSet<Predicate> {
    let mut facts = BTreeSet::new();
    for need in needs.iter() {
        match need {
            Need::Supply => facts.extend([Predicate::AcPower, Predicate::EnergySaverOff]),
            Need::Charge => facts.extend([Predicate::BatteryNotLow, Predicate::WorkCostNotHigh]),
            Need::Above(percent) => facts.extend([Predicate::BatteryAbove(*percent)]),
        }
    }
    facts
}

/// What the bus said last.
#[derive(Clone, Copy, Default)]
struct Said {
    /// The machine runs on its battery, and its charge; `None`: UPower is not there.
    upower: Option<(bool, Option<f64>)>,
    saver: Option<Reading>,
}

async fn watch(
    places: &Places,
    clock: &dyn Clock,
    facts: &BTreeSet<Predicate>,
    reporter: &Reporter,
    known: &mut Power,
) {
    let mut objects = vec![UPOWER, PROFILES, PROFILES_BEFORE];
    if needs_charge(facts) {
        objects.push(BATTERY);
    }
    let (say, mut heard) = watch::channel(None);
    let listen = async {
        let address = places.address.as_deref();
        follow(address, clock, &objects, |all| {
            say.send_replace(Some(said_by(all)));
        })
        .await;
        std::future::pending::<()>().await;
    };
    let tell = async {
        // The sender is here: it does not fail.
        let _ = heard.changed().await;
        loop {
            let said = (*heard.borrow_and_update()).unwrap_or_default();
            let supplies = match said.upower {
                Some(_) => None,
                None => Some(read_supplies(places).await),
            };
            reporter.tell(facts, &said, supplies, known);
            let has_battery = supplies.is_some_and(|supplies| supplies.charge.is_some());
            tokio::select! {
                _ = heard.changed() => {}
                () = look_again(clock, has_battery) => {}
            }
        }
    };
    tokio::select! {
        () = listen => {}
        () = tell => {}
    }
}

/// One of its facts stands for all.
fn needs_charge(facts: &BTreeSet<Predicate>) -> bool {
    facts.contains(&Predicate::BatteryNotLow)
}

async fn look_again(clock: &dyn Clock, has_battery: bool) {
    if has_battery {
        clock.awake(LOOK_AGAIN).await;
    } else {
        std::future::pending().await
    }
}

fn said_by(all: &[Option<Properties>]) -> Said {
    let object = |index: usize| all.get(index).and_then(Option::as_ref);
    let on_battery = object(0).and_then(bus::on_battery);
    let charge = object(3).and_then(bus::charge);
    Said {
        upower: on_battery.map(|on_battery| (on_battery, charge)),
        saver: Some(bus::saver(object(1).or(object(2)))),
    }
}

async fn read_supplies(places: &Places) -> Supplies {
    let root = places.supplies.clone();
    let read = tokio::task::spawn_blocking(move || supplies::read(&root));
    read.await.unwrap_or(Supplies {
        on_battery: Reading::Unknown,
        charge: None,
    })
}

impl Reporter {
    /// Tells every fact that somebody needs, and what changed.
    fn tell(
        &self,
        facts: &BTreeSet<Predicate>,
        said: &Said,
        supplies: Option<Supplies>,
        known: &mut Power,
    ) {
        let supplies = match said.upower {
            Some((on_battery, charge)) => Supplies {
                on_battery: Reading::Known(on_battery),
                charge,
            },
            None => supplies.unwrap_or(Supplies {
                on_battery: Reading::Unknown,
                charge: None,
            }),
        };
        let power = Power {
            on_battery: supplies.on_battery,
            charge: supplies.charge.filter(|_| needs_charge(facts)),
            saver: match (said.saver, known.saver) {
                // The daemon of profiles is gone: what it said last may still be so, or not.
                (Some(Reading::Guess(_)) | None, Reading::Known(_)) => Reading::Unknown,
                (saver, _) => saver.unwrap_or(Reading::Unknown),
            },
        };
        // Who knows now first, who no longer does then: in between nothing is unknown.
        let (now, gone) = match said.upower {
            Some(_) => (Source::UPower, Source::Supplies),
            None => (Source::Supplies, Source::UPower),
        };
        for fact in facts {
            let reading = power.fact(fact).unwrap_or(Reading::Unknown);
            if *fact == Predicate::EnergySaverOff {
                self.report(fact, Source::PowerProfiles, Some(reading));
            } else {
                self.report(fact, now, Some(reading));
                self.report(fact, gone, Some(Reading::Unknown));
            }
        }

        let power = power.or_before(*known);
        let events = known.events(&power);
        if power != *known {
            *known = power;
            // The broker ends only with everything else.
            let _ = self.changes.send(Change::Power { power, events });
        }
        self.read.send_replace(Some(power));
    }

    fn report(&self, fact: &Predicate, source: Source, reading: Option<Reading>) {
        // The hub ends only with everything else.
        let _ = self.reports.send(Report {
            fact: fact.clone(),
            source,
            reading,
        });
    }
}
