//! What is known of the machine's power, and what counts as a change of it.

use bgtask_model::{Predicate, SystemEvent};

use super::WorkCost;
use crate::Reading;

/// A battery below so many percent is low.
pub(crate) const LOW: f64 = 20.0;

/// The machine's power as far as anybody knows.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Power {
    /// It runs on its battery. A machine without a battery does not.
    pub(crate) on_battery: Reading,
    /// The charge of its batteries in percent; `None` without a battery, or not known.
    pub(crate) charge: Option<f64>,
    /// The user, or the system for the user, saves energy.
    pub(crate) saver: Reading,
}

impl Power {
    /// Nobody has said anything yet.
    pub(crate) const UNKNOWN: Self = Self {
        on_battery: Reading::Unknown,
        charge: None,
        saver: Reading::Unknown,
    };

    /// `ac_power`: it does not run on its battery.
    pub(crate) fn ac_power(&self) -> Reading {
        map(self.on_battery, |on_battery| !on_battery)
    }

    /// `battery_above(n)`: it is charged to more than so many percent. A machine that does not run
    /// on a battery and has none is as one that is full.
    pub(crate) fn battery_above(&self, percent: u32) -> Reading {
        match (self.charge, self.on_battery) {
            (Some(charge), _) => Reading::Known(charge > f64::from(percent)),
            (None, Reading::Known(false)) => Reading::Known(true),
            (None, Reading::Guess(false)) => Reading::Guess(true),
            (None, _) => Reading::Unknown,
        }
    }

    /// `battery_not_low`: it does not run on a battery, or that has [`LOW`] percent or more.
    pub(crate) fn battery_not_low(&self) -> Reading {
        match (self.on_battery, self.charge) {
            (Reading::Unknown, None) => Reading::Unknown,
            // Whether it runs on it or not, there is enough.
            (Reading::Unknown, Some(charge)) if charge >= LOW => Reading::Known(true),
            (Reading::Unknown, Some(_)) => Reading::Unknown,
            (Reading::Known(true), None) | (Reading::Guess(true), None) => Reading::Unknown,
            (on_battery, charge) => map(on_battery, |on_battery| {
                !on_battery || charge.is_some_and(|charge| charge >= LOW)
            }),
        }
    }

    /// `energy_saver_off`.
    pub(crate) fn energy_saver_off(&self) -> Reading {
        map(self.saver, |saver| !saver)
    }

    /// Energy is saved, as far as anybody knows.
    pub(crate) fn is_saving(&self) -> bool {
        value(self.saver) == Some(true)
    }

    /// It runs on its battery, as far as anybody knows.
    pub(crate) fn is_on_battery(&self) -> bool {
        value(self.on_battery) == Some(true)
    }

    /// `work_cost_not_high`.
    pub(crate) fn work_cost_not_high(&self) -> Reading {
        let Some(cost) = self.work_cost() else {
            return Reading::Unknown;
        };
        let not_high = cost != WorkCost::High;
        match self.on_battery {
            Reading::Guess(_) => Reading::Guess(not_high),
            _ => Reading::Known(not_high),
        }
    }

    /// The cost of work now, while nobody watches whether the user is there.
    pub(crate) fn work_cost(&self) -> Option<WorkCost> {
        WorkCost::of(self, Reading::Unknown)
    }

    /// One of its facts. `None`: that is no fact about power.
    pub(crate) fn fact(&self, fact: &Predicate) -> Option<Reading> {
        Some(match fact {
            Predicate::AcPower => self.ac_power(),
            Predicate::BatteryAbove(percent) => self.battery_above(*percent),
            Predicate::BatteryNotLow => self.battery_not_low(),
            Predicate::EnergySaverOff => self.energy_saver_off(),
            Predicate::WorkCostNotHigh => self.work_cost_not_high(),
            _ => return None,
        })
    }

    /// This, and where nothing is known what was known before: a source that comes or goes is no
    /// change of the power.
    pub(crate) fn or_before(self, before: Self) -> Self {
        let keep = |now, before| match now {
            Reading::Unknown => before,
            now => now,
        };
        Self {
            on_battery: keep(self.on_battery, before.on_battery),
            charge: match self.on_battery {
                Reading::Unknown => self.charge.or(before.charge),
                _ => self.charge,
            },
            saver: keep(self.saver, before.saver),
        }
    }

    /// What starts tasks when this becomes `next`; nothing when it was not known before.
    ///
    /// `power_state_change`: it runs on its battery or no longer does, the battery becomes low or no
    /// longer is, or energy is saved or no longer is. `work_cost_change`: the cost is another.
    pub(crate) fn events(&self, next: &Self) -> Vec<SystemEvent> {
        let turned = |fact: fn(&Self) -> Reading| {
            let turn = (value(fact(self)), value(fact(next)));
            matches!(turn, (Some(before), Some(after)) if before != after)
        };
        let mut events = Vec::new();
        if turned(Self::ac_power) || turned(Self::battery_not_low) || turned(Self::energy_saver_off)
        {
            events.push(SystemEvent::PowerStateChange);
        }
        if let (Some(before), Some(after)) = (self.work_cost(), next.work_cost())
            && before != after
        {
            events.push(SystemEvent::WorkCostChange);
        }
        events
    }
}

fn map(reading: Reading, change: impl FnOnce(bool) -> bool) -> Reading {
    match reading {
        Reading::Unknown => Reading::Unknown,
        Reading::Guess(value) => Reading::Guess(change(value)),
        Reading::Known(value) => Reading::Known(change(value)),
    }
}

/// What a reading says, guess or not.
pub(super) fn value(reading: Reading) -> Option<bool> {
    match reading {
        Reading::Unknown => None,
        Reading::Guess(value) | Reading::Known(value) => Some(value),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use Reading::{Guess, Known, Unknown};
    use SystemEvent::{PowerStateChange, WorkCostChange};

    fn power(on_battery: Reading, charge: Option<f64>, saver: Reading) -> Power {
        Power {
            on_battery,
            charge,
            saver,
        }
    }

    #[test]
    fn what_the_facts_are() {
        let yes = Known(true);
        let no = Known(false);
        // On battery, charge, saver: ac_power, battery_above(30), battery_not_low,
        // energy_saver_off, work_cost_not_high.
        for (is, facts) in [
            (Power::UNKNOWN, [Unknown; 5]),
            (power(no, None, no), [yes, yes, yes, yes, yes]),
            (power(Guess(false), None, Guess(false)), [Guess(true); 5]),
            (power(no, Some(5.0), no), [yes, no, yes, yes, yes]),
            (power(yes, Some(30.0), no), [no, no, yes, yes, yes]),
            (power(yes, Some(30.1), no), [no, yes, yes, yes, yes]),
            (power(yes, Some(20.0), no), [no, no, yes, yes, yes]),
            (power(yes, Some(19.9), no), [no, no, no, yes, no]),
            (power(yes, Some(80.0), yes), [no, yes, yes, no, no]),
            (power(no, Some(80.0), yes), [yes, yes, yes, no, yes]),
            (
                power(yes, None, Unknown),
                [no, Unknown, Unknown, Unknown, yes],
            ),
            (
                power(Unknown, Some(80.0), no),
                [Unknown, yes, yes, yes, Unknown],
            ),
            (
                power(Unknown, Some(5.0), no),
                [Unknown, no, Unknown, yes, Unknown],
            ),
        ] {
            let asked = [
                Predicate::AcPower,
                Predicate::BatteryAbove(30),
                Predicate::BatteryNotLow,
                Predicate::EnergySaverOff,
                Predicate::WorkCostNotHigh,
            ];
            let found = asked.map(|fact| is.fact(&fact).unwrap());
            assert_eq!(found, facts, "{is:?}");
        }
        assert_eq!(Power::UNKNOWN.fact(&Predicate::Internet), None);
    }

    #[test]
    fn what_starts_tasks() {
        let charged = |on_battery| power(Known(on_battery), Some(80.0), Known(false));
        let at = |charge| power(Known(true), Some(charge), Known(false));
        let saving = power(Known(true), Some(80.0), Known(true));
        for (before, after, events) in [
            (charged(true), charged(true), vec![]),
            (
                charged(false),
                charged(true),
                vec![PowerStateChange, WorkCostChange],
            ),
            (
                charged(true),
                charged(false),
                vec![PowerStateChange, WorkCostChange],
            ),
            (at(80.0), at(20.0), vec![]),
            (at(20.0), at(19.0), vec![PowerStateChange, WorkCostChange]),
            (at(19.0), at(1.0), vec![]),
            (at(19.0), at(21.0), vec![PowerStateChange, WorkCostChange]),
            (
                charged(true),
                saving,
                vec![PowerStateChange, WorkCostChange],
            ),
            // On mains energy may be saved, and work still costs little.
            (
                charged(false),
                power(Known(false), Some(80.0), Known(true)),
                vec![PowerStateChange],
            ),
            (Power::UNKNOWN, charged(true), vec![]),
            (charged(true), Power::UNKNOWN, vec![]),
            // Another source says the same.
            (
                charged(true),
                power(Guess(true), Some(80.0), Guess(false)),
                vec![],
            ),
        ] {
            assert_eq!(before.events(&after), events, "{before:?} {after:?}");
        }
    }

    #[test]
    fn what_was_known_stays_known_while_nobody_says_otherwise() {
        let before = power(Known(true), Some(80.0), Known(true));
        assert_eq!(Power::UNKNOWN.or_before(before), before);
        let after = power(Known(false), None, Unknown);
        assert_eq!(
            after.or_before(before),
            power(Known(false), None, Known(true))
        );
        assert_eq!(after.or_before(Power::UNKNOWN), after);
    }
}
