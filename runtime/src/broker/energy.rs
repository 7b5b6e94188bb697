//! The machine's power: what its changes fire, and whether energy is saved.

use bgtask_model::SystemEvent;

use super::Broker;
use crate::{
    Details,
    energy::Power,
    monitor::PowerWatch,
    scheduler::{Input, Raised},
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

    pub(super) fn is_saving(&self) -> bool {
        self.power.is_saving()
    }
}

impl Broker {
    /// The power is another: what has to be held is held before anything fires.
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
}
