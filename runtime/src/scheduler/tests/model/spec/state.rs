//! What there is.

use super::*;

impl Spec {
    pub(super) fn truth(&self, predicate: &Predicate) -> Truth {
        let (base, opposite) = predicate.base();
        let reading = self.facts.get(&base).copied().unwrap_or(Reading::Unknown);
        match opposite {
            true => reading.truth().negate(),
            false => reading.truth(),
        }
    }

    pub(super) fn condition(&self, reg: &Reg) -> Truth {
        let own = match &reg.declaration.condition {
            None => Truth::True,
            Some(condition) => condition.evaluate(&mut |predicate| self.truth(predicate)),
        };
        match (reg.trigger(), self.truth(&Predicate::AcPower), own) {
            (Trigger::Maintenance { .. }, Truth::False, _) => Truth::False,
            (Trigger::Maintenance { .. }, Truth::Unknown, Truth::True) => Truth::Unknown,
            (_, _, own) => own,
        }
    }

    pub(super) fn key_is_taken(&self, reg: &Reg) -> bool {
        let key = &reg.options().exclusive;
        let mut bodies = self.all.values().flat_map(|reg| &reg.bodies);
        key.is_some() && bodies.any(|body| body.key == *key)
    }

    /// What keeps every activation of it from starting, in the words that an explanation of it
    /// begins with.
    pub(super) fn blocked(&self, reg: &Reg) -> Option<&'static str> {
        match (&reg.standing, &self.restrictions) {
            (Standing::Quarantined { .. }, _) => return Some("waits, because it is in quarantine"),
            (
                _,
                Restrictions {
                    denied: Some(_), ..
                },
            ) => return Some("waits, because access"),
            (Standing::Disabled { .. }, _) => return Some("waits, because it is disabled"),
            (Standing::Paused { .. }, _) => return Some("waits, because it is paused"),
            (Standing::Enabled, _) => {}
        }
        let overrun = |body: &Body| body.phase == Phase::Overrun;
        if self.condition(reg) != Truth::True {
            Some("waits for ")
        } else if reg.bodies.len() >= reg.slots() && reg.bodies.iter().all(overrun) {
            Some("waits for the body")
        } else if reg.bodies.len() >= reg.slots() {
            Some("waits for the run before")
        } else if self.restrictions.energy_saver {
            Some("waits, because the energy saver")
        } else if self.restrictions.over_budget && !reg.options().standby {
            Some("waits, because the energy budget")
        } else if self.key_is_taken(reg) {
            Some("waits for `")
        } else {
            None
        }
    }

    /// Whether only a slot or its key may be missing.
    pub(super) fn is_let(&self, reg: &Reg) -> bool {
        let Restrictions {
            denied,
            energy_saver,
            over_budget,
        } = &self.restrictions;
        matches!(reg.standing, Standing::Enabled)
            && denied.is_none()
            && self.condition(reg) == Truth::True
            && !energy_saver
            && (!over_budget || reg.options().standby)
    }

    pub(super) fn can_start(&self, reg: &Reg) -> bool {
        !self.draining && !reg.removed && self.blocked(reg).is_none()
    }

    pub(super) fn does_not_count(&self, reg: &Reg) -> Option<Suppression> {
        match (&reg.standing, &self.restrictions.denied) {
            (Standing::Quarantined { .. }, _) => Some(Suppression::Quarantined),
            (_, Some(_)) => Some(Suppression::Denied),
            (Standing::Disabled { .. }, _) => Some(Suppression::Disabled),
            _ => None,
        }
    }

    /// How many wait under its `unique` key beside those of its own that would give way.
    pub(super) fn under_key(&self, reg: &Reg) -> usize {
        let key = reg.options().unique.as_ref();
        let same = |other: &&Reg| key.is_some() && other.options().unique.as_ref() == key;
        let stay = |other: &Reg| {
            let gives_way = |held: &&Held| other.id == reg.id && reg.gives_way(held);
            other.held.len() - other.held.iter().filter(gives_way).count()
        };
        self.all.values().filter(same).map(stay).sum()
    }

    /// Why an event of this moment makes no activation.
    pub(super) fn refusal(&self, reg: &Reg) -> Option<Suppression> {
        if let Some(why) = self.does_not_count(reg) {
            return Some(why);
        }
        if reg.declaration.overlap() == Overlap::Skip && !reg.bodies.is_empty() {
            return Some(Suppression::Overlap);
        }
        let full = match reg.pending() {
            Pending::Latest => false,
            Pending::First => !reg.held.is_empty(),
            Pending::Queue(n) => reg.held.len() >= n as usize,
        };
        let full = full || self.under_key(reg) > 0;
        (full && !self.can_start(reg)).then_some(Suppression::PendingFull)
    }
}
