//! The machine's power: what its changes fire, whether energy is saved, and how much of their
//! budget tasks have used on battery.

use std::time::Duration;

use bgtask_model::SystemEvent;
use jiff::Timestamp;

use super::Broker;
use crate::{
    EnergyLevel, Result,
    energy::{Ledger, Power, Use},
    monitor::PowerWatch,
    store::Finish,
};

/// What the broker knows of the power and of its use.
pub(super) struct Energy {
    pub(super) watch: PowerWatch,
    power: Power,
    /// CPU time per hour on battery.
    budget: Option<Duration>,
    /// As far as they still count.
    uses: Vec<Use>,
    /// When what holds now has to be looked at again.
    until: Option<Timestamp>,
}

impl Energy {
    pub(super) fn new(watch: PowerWatch, budget: Option<Duration>) -> Self {
        Self {
            watch,
            power: Power::UNKNOWN,
            budget,
            uses: Vec::new(),
            until: None,
        }
    }

    pub(super) fn is_saving(&self) -> bool {
        self.power.is_saving()
    }

    /// What is not known is not on battery.
    pub(super) fn is_on_battery(&self) -> bool {
        self.power.is_on_battery()
    }

    /// Whether somebody wants to know what runs use.
    pub(super) fn is_metered(&self) -> bool {
        self.budget.is_some()
    }

    pub(super) fn ledger(&self, now: Timestamp) -> Ledger {
        Ledger::new(self.uses.iter().cloned(), self.budget, now)
    }

    /// Adds what a run has used.
    fn add(&mut self, task: &str, at: Timestamp, on_battery: Duration) {
        let since = Ledger::since(at);
        self.uses.retain(|one| one.hour >= since);
        let of_hour = |one: &&mut Use| one.task == task && one.is_in_the_hour_of(at);
        match self.uses.iter_mut().find(of_hour) {
            Some(known) => known.on_battery += on_battery,
            None => self.uses.push(Use {
                task: task.to_owned(),
                hour: at,
                on_battery,
            }),
        }
    }

    /// Whether the budget holds tasks back now. When that ends by itself is kept.
    pub(super) fn is_over_budget(&mut self, now: Timestamp) -> bool {
        self.until = None;
        if self.budget.is_none() || !self.is_on_battery() {
            return false;
        }
        let ledger = self.ledger(now);
        self.until = ledger.until();
        ledger.level() == EnergyLevel::OverBudget
    }

    /// When [`is_over_budget`](Self::is_over_budget) may say otherwise although nothing happened.
    pub(super) fn next_look(&self) -> Option<Timestamp> {
        self.until
    }
}

impl Broker {
    /// Takes over what was used before this launch, as far as it counts.
    pub(super) async fn recall_energy(&mut self) -> Result<()> {
        if !self.energy.is_metered() {
            return Ok(());
        }
        let rows = self.store.energy(Ledger::since(self.now())).await?;
        self.energy.uses = rows
            .into_iter()
            .map(|row| Use {
                task: row.task,
                hour: row.hour,
                on_battery: row.on_battery,
            })
            .collect();
        self.restrict();
        Ok(())
    }

    /// It is recorded what a run has used: what is over the budget now is held from here on.
    pub(super) fn used(&mut self, task: &str, finish: &Finish) {
        if let (Some(cpu), true) = (finish.cpu, finish.on_battery) {
            self.energy.add(task, finish.at, cpu);
            self.restrict();
        }
    }

    /// The power is another: what has to be held is held before anything fires.
    pub(super) fn power_changed(&mut self, power: Power, events: Vec<SystemEvent>) {
        self.energy.power = power;
        self.restrict();
        for event in events {
            self.system_changed(event, None);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Reading;

    const SECOND: Duration = Duration::from_secs(1);

    fn at(time: &str) -> Timestamp {
        format!("2026-01-02T{time}Z").parse().unwrap()
    }

    fn energy(budget: Option<Duration>) -> Energy {
        let mut energy = Energy::new(PowerWatch::of_nobody(), budget);
        energy.power.on_battery = Reading::Known(true);
        energy
    }

    #[test]
    fn it_is_over_its_budget_until_enough_of_the_use_is_an_hour_old() {
        let mut energy = energy(Some(SECOND * 60));
        energy.add("a", at("10:20:00"), SECOND * 70);
        energy.add("b", at("10:59:59"), SECOND * 50);
        assert!(energy.is_over_budget(at("11:00:00")));
        let until = energy.next_look().unwrap();
        assert_eq!(until, at("11:30:00.001"));
        assert!(energy.is_over_budget(until - Duration::from_millis(2)));
        assert!(!energy.is_over_budget(until));
        assert_eq!(energy.next_look(), None, "nothing is waited for any more");
    }

    #[test]
    fn on_mains_and_without_a_budget_nothing_is_held() {
        for reading in [Reading::Known(false), Reading::Unknown] {
            let mut energy = energy(Some(SECOND));
            energy.add("a", at("11:00:00"), SECOND);
            assert!(energy.is_over_budget(at("11:00:01")));
            energy.power.on_battery = reading;
            assert!(!energy.is_over_budget(at("11:00:01")));
            assert_eq!(energy.next_look(), None);
        }
        let mut free = energy(None);
        free.add("a", at("11:00:00"), SECOND * 3600);
        assert!(!free.is_over_budget(at("11:00:01")));
    }

    #[test]
    fn what_does_not_count_any_more_is_forgotten() {
        let mut energy = energy(Some(SECOND));
        for minute in 0..60 {
            let time = format!("10:{minute:02}:00");
            energy.add("a", at(&time), SECOND);
        }
        assert_eq!(energy.uses.len(), 1);
        energy.add("a", at("11:00:00"), SECOND);
        assert_eq!(energy.uses.len(), 2);
        energy.add("a", at("12:00:00"), SECOND);
        assert_eq!(energy.uses.len(), 2);
        let contribution = energy.ledger(at("12:00:00")).contribution("a");
        assert_eq!(contribution, Some(100.0));
    }
}
