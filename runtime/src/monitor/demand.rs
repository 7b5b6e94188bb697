//! What somebody needs to know: a source that nobody needs watches nothing.

use std::{collections::BTreeSet, sync::Arc};

use bgtask_model::{Condition, Declaration, Predicate, SystemEvent, Trigger};
use tokio::sync::watch;

use super::PowerWatch;

/// What is needed so far.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Needs {
    /// Those behind the facts that conditions ask for, and of which triggers tell.
    pub(super) facts: BTreeSet<Predicate>,
    /// The network's changes are told of.
    pub(super) network_state: bool,
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

    /// Whether there is a bus on which the system's services may tell something.
    pub(crate) fn has_system_bus(&self) -> bool {
        self.system_bus
    }

    /// Watches what this declaration needs, from now on.
    pub(crate) fn need(&self, declaration: &Declaration) {
        self.power.need(declaration);
        let more = needs(declaration);
        self.needs.send_if_modified(|needs| {
            let before = (needs.facts.len(), needs.network_state);
            needs.facts.extend(more.facts);
            needs.network_state |= more.network_state;
            before != (needs.facts.len(), needs.network_state)
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
fn needs(declaration: &Declaration) -> Needs {
    let condition = declaration.condition.iter();
    let facts = condition.flat_map(Condition::predicates);
    let mut needs = Needs {
        facts: facts.map(|fact| fact.base().0).collect(),
        network_state: false,
    };
    if let Trigger::System { event, .. } = &declaration.trigger {
        match event {
            SystemEvent::UserPresent | SystemEvent::UserAway => {
                needs.facts.insert(Predicate::UserPresent);
            }
            SystemEvent::SessionConnected => {
                needs.facts.insert(Predicate::SessionConnected);
            }
            SystemEvent::NetworkStateChange => needs.network_state = true,
            _ => {}
        }
    }
    needs
}
