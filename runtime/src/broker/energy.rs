//! The machine's power: what its changes fire, and when it holds everything.

use bgtask_model::SystemEvent;

use super::Broker;
use crate::{
    Details,
    energy::Power,
    monitor::PowerWatch,
    scheduler::{Input, Raised, Restrictions},
};

/// What the broker knows of the power.
pub(super) struct Energy {
    pub(super) watch: PowerWatch,
    power: Power,
}

impl Energy {
    pub(super) fn new(watch: PowerWatch) -> Self {
        Self {
            watch,
            power: Power::UNKNOWN,
        }
    }
}

impl Broker {
    /// The power is another: held is held before anything fires.
    pub(super) fn power_changed(&mut self, power: Power, events: Vec<SystemEvent>) {
        self.energy.power = power;
        self.restrict();
        for event in events {
            let details = Details {
                fired: self.now(),
                ..Details::default()
            };
            let what = Raised::System(event);
            self.inbox.push_back(Input::Raised { what, details });
        }
    }

    /// Tells the scheduler what holds for the whole app now.
    pub(super) fn restrict(&mut self) {
        self.inbox.push_back(Input::Restrict(Restrictions {
            denied: None,
            energy_saver: self.energy.power.is_saving(),
            over_budget: false,
        }));
    }
}
