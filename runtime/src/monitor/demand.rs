//! What somebody needs to know: a source that nobody needs watches nothing.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use bgtask_model::{Condition, Declaration, Predicate, SystemEvent, Trigger};
use tokio::sync::watch;

use super::PowerWatch;

/// Something that a source knows.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Need {
    /// The fact behind one that a condition asks for, or whose change is a trigger.
    Fact(Predicate),
    /// Changes of the network as a whole.
    NetworkState,
}

/// What is needed, each by so many.
#[derive(Clone, Debug)]
pub(super) struct Counted<N>(BTreeMap<N, usize>);

impl<N> Default for Counted<N> {
    fn default() -> Self {
        Self(BTreeMap::new())
    }
}

impl<N: Ord> Counted<N> {
    /// One more needs it. Whether it was not needed before.
    pub(super) fn add(&mut self, need: N) -> bool {
        let count = self.0.entry(need).or_default();
        *count += 1;
        *count == 1
    }

    /// One less does. Whether nobody is left.
    pub(super) fn remove(&mut self, need: &N) -> bool {
        let Some(count) = self.0.get_mut(need) else {
            return false;
        };
        *count -= 1;
        *count == 0 && self.0.remove(need).is_some()
    }

    /// What somebody needs.
    pub(super) fn iter(&self) -> impl Iterator<Item = &N> {
        self.0.keys()
    }
}

/// What is needed of the facts, and of the network.
pub(super) type Needs = Counted<Need>;

impl Needs {
    pub(super) fn network_state(&self) -> bool {
        self.0.contains_key(&Need::NetworkState)
    }

    /// The base facts.
    pub(super) fn facts(&self) -> impl Iterator<Item = &Predicate> {
        self.0.keys().filter_map(|need| match need {
            Need::Fact(fact) => Some(fact),
            Need::NetworkState => None,
        })
    }

    pub(super) fn has(&self, fact: &Predicate) -> bool {
        self.facts().any(|one| one == fact)
    }
}

/// Asks for what registrations need to be watched. Cheap to clone.
#[derive(Clone, Debug)]
pub(crate) struct Demand {
    power: PowerWatch,
    needs: Arc<watch::Sender<Needs>>,
    system_bus: bool,
    /// `None` before it is known.
    metering: watch::Receiver<Option<bool>>,
}

impl Demand {
    pub(super) fn new(
        power: PowerWatch,
        system_bus: bool,
        metering: watch::Receiver<Option<bool>>,
    ) -> Self {
        Self {
            power,
            needs: Arc::new(watch::Sender::default()),
            system_bus,
            metering,
        }
    }

    /// One that nobody serves.
    #[cfg(test)]
    pub(crate) fn of_nobody() -> Self {
        let metering = watch::channel(Some(false)).1;
        Self::new(PowerWatch::of_nobody(), false, metering)
    }

    /// Whether there is a bus on which the system's services may tell something.
    pub(crate) fn has_system_bus(&self) -> bool {
        self.system_bus
    }

    /// Watches what this declaration needs, from now on.
    pub(crate) fn need(&self, declaration: &Declaration) {
        self.power.need(declaration);
        self.needs.send_if_modified(|all| {
            let new = needs(declaration).into_iter().map(|need| all.add(need));
            new.fold(false, |any, new| any | new)
        });
    }

    /// What this declaration needed is not needed for it any more.
    pub(crate) fn release(&self, declaration: &Declaration) {
        self.power.release(declaration);
        self.needs.send_if_modified(|all| {
            let gone = needs(declaration).into_iter();
            gone.map(|need| all.remove(&need))
                .fold(false, |any, gone| any | gone)
        });
    }

    /// Whether somebody here may know what the network costs.
    pub(crate) fn may_know_metering(&self) -> bool {
        *self.metering.borrow() != Some(false)
    }

    /// Waits until it is known whether anybody does.
    pub(crate) async fn learn_metering(&self) {
        // Who could say it is gone with the app.
        let _ = self.metering.clone().wait_for(Option::is_some).await;
    }

    /// What is needed, for a source.
    pub(super) fn needs(&self) -> watch::Receiver<Needs> {
        self.needs.subscribe()
    }
}

/// What a declaration needs to know.
fn needs(declaration: &Declaration) -> BTreeSet<Need> {
    let condition = declaration.condition.iter();
    let facts = condition.flat_map(Condition::predicates);
    let facts = facts.map(|fact| Need::Fact(fact.base().0));
    let event = match &declaration.trigger {
        Trigger::System { event, .. } => match event {
            SystemEvent::UserPresent | SystemEvent::UserAway => {
                Some(Need::Fact(Predicate::UserPresent))
            }
            SystemEvent::SessionConnected => Some(Need::Fact(Predicate::SessionConnected)),
            SystemEvent::NetworkStateChange => Some(Need::NetworkState),
            _ => None,
        },
        _ => None,
    };
    facts.chain(event).collect()
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;
    use crate::monitor::bench::declared;

    #[test]
    fn what_the_last_one_needed_is_needed_no_more() {
        let demand = Demand::new(PowerWatch::of_nobody(), true, watch::channel(None).1);
        let mut needs = demand.needs();
        let mut tells = |expected: &[Predicate], network_state: bool| {
            let told = needs.has_changed().expect("a sender");
            let now = needs.borrow_and_update();
            assert_eq!(now.facts().cloned().collect::<Vec<_>>(), expected);
            assert_eq!(now.network_state(), network_state);
            told
        };
        let away = declared("system(user_away)", "user_not_present && device_idle");
        let present = declared("startup", "user_present || !user_present");
        let network = declared("system(network_state_change)", "");
        assert!(!tells(&[], false));
        demand.need(&away);
        let both = [Predicate::UserPresent, Predicate::DeviceIdle];
        assert!(tells(&both, false));
        demand.need(&present);
        assert!(!tells(&both, false), "nothing new");
        demand.need(&network);
        assert!(tells(&both, true));
        demand.release(&away);
        assert!(tells(&[Predicate::UserPresent], true));
        demand.release(&network);
        assert!(tells(&[Predicate::UserPresent], false));
        demand.release(&present);
        assert!(tells(&[], false));
        demand.release(&present);
        assert!(!tells(&[], false), "nobody was left");
    }
}
