//! What keeps registrations from firing and starting beside their declarations: the user's word,
//! access, and energy.

use super::{
    Scheduler,
    entry::{Blocker, Entry},
};
use crate::{RegistrationId, Standing, Suppression};

/// What holds for all registrations of the app.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Restrictions {
    /// Access is denied: its status, in words.
    pub(crate) denied: Option<String>,
    /// The energy saver is on, and access is not `always allowed`.
    pub(crate) energy_saver: bool,
    /// On battery, with the energy budget spent.
    pub(crate) over_budget: bool,
}

impl Scheduler {
    pub(super) fn stand(&mut self, id: RegistrationId, standing: Standing) {
        if let Some(entry) = self.entries.get_mut(&id) {
            entry.standing = standing;
            self.dirty.insert(id);
        }
    }

    pub(super) fn restrict(&mut self, restrictions: Restrictions) {
        if self.restrictions != restrictions {
            self.restrictions = restrictions;
            self.dirty.extend(self.entries.keys());
        }
    }

    /// Why a fire of this moment does not count: it makes no activation, and spends no one-shot.
    pub(super) fn forbidden(&self, entry: &Entry) -> Option<Suppression> {
        match &entry.standing {
            Standing::Quarantined { .. } => Some(Suppression::Quarantined),
            _ if self.restrictions.denied.is_some() => Some(Suppression::Denied),
            Standing::Disabled { .. } => Some(Suppression::Disabled),
            Standing::Enabled | Standing::Paused { .. } => None,
        }
    }

    /// What the user, or who speaks for the user, holds it back for.
    pub(super) fn withheld(&self, entry: &Entry) -> Option<Blocker> {
        if let Standing::Quarantined { since, reason } = &entry.standing {
            let (since, reason) = (*since, reason.clone());
            return Some(Blocker::Quarantined { since, reason });
        }
        if let Some(status) = &self.restrictions.denied {
            return Some(Blocker::Denied(status.clone()));
        }
        match entry.standing {
            Standing::Disabled { since } => Some(Blocker::Disabled { since }),
            Standing::Paused { since } => Some(Blocker::Paused { since }),
            _ => None,
        }
    }

    /// What it waits for when its slot is free and its condition is true.
    pub(super) fn saving(&self, entry: &Entry) -> Option<Blocker> {
        if self.restrictions.energy_saver {
            Some(Blocker::EnergySaver)
        } else if self.restrictions.over_budget && !entry.declaration.options.standby {
            Some(Blocker::OverBudget)
        } else {
            None
        }
    }
}

impl Entry {
    /// Whether this due time of a one-shot was noted as one that does not count. It stays due, and
    /// is told once.
    pub(super) fn is_put_off(&self, why: &Suppression) -> bool {
        let told = |(at, told): &(_, Suppression)| told == why && Some(*at) >= self.due;
        self.declaration.trigger.is_once() && self.last_suppression.as_ref().is_some_and(told)
    }
}
