//! Registrations in memory.

use jiff::Timestamp;

use super::{Records, Registration};
use crate::{
    ActivationId, RegistrationId, Result, Standing, Suppression,
    store::{
        Fire, Limit, NewRegistration, Note, OnDuplicate, Registering, RegistrationRecord, SyncDiff,
        registration::Stance,
        rule::{self, Step, Verdict},
    },
};

impl Records {
    pub(super) fn sync(
        &mut self,
        declared: Vec<NewRegistration>,
        now: Timestamp,
    ) -> Result<SyncDiff> {
        let kept: Vec<_> = self.all().cloned().collect();
        let (steps, diff) = rule::sync(&kept, declared)?;
        for step in steps {
            match step {
                Step::Add(new) => drop(self.insert(new, Stance::default(), now)),
                Step::Update(id, new) => self.update(id, new),
                Step::Replace(old, new) => drop(self.replace(old, new, now)),
                Step::Remove(id) => drop(self.unregister(id, now)),
            }
        }
        Ok(diff)
    }

    pub(super) fn register(
        &mut self,
        new: NewRegistration,
        on_duplicate: OnDuplicate,
        limit: Option<&Limit>,
        now: Timestamp,
    ) -> Result<Registering> {
        let same_name: Vec<_> = self
            .all()
            .filter(|record| record.name == new.name)
            .cloned()
            .collect();
        let verdict = rule::register(&same_name, &new, on_duplicate)?;
        let replaced = match &verdict {
            Verdict::Keep(kept) => return Ok(Registering::Kept(RegistrationRecord::clone(kept))),
            Verdict::Replace(id, due) => Some((*id, *due)),
            Verdict::Add { .. } => None,
        };
        if let Some(limit) = limit {
            let others = self.all().filter(|record| {
                record.kind == limit.kind
                    && record.ended.is_none()
                    && replaced.is_none_or(|(id, _)| record.id != id)
            });
            rule::check_limit(&new, limit, others.count() as u64)?;
        }
        let tombstones = match verdict {
            Verdict::Add { tombstones } => tombstones,
            Verdict::Replace(..) | Verdict::Keep(_) => Vec::new(),
        };
        for id in &tombstones {
            self.unregister(*id, now);
        }
        Ok(match replaced {
            None => Registering::Added {
                record: self.insert(new, Stance::default(), now),
                tombstones,
            },
            Some((old, due)) => {
                let new = NewRegistration { due, ..new };
                let record = self.replace(old, new, now);
                Registering::Replaced { record, old }
            }
        })
    }

    fn insert(
        &mut self,
        new: NewRegistration,
        stance: Stance,
        now: Timestamp,
    ) -> RegistrationRecord {
        let record = new.record(&stance, now);
        self.registrations.push(Registration {
            record: record.clone(),
            stance,
            ending: false,
        });
        record
    }

    fn update(&mut self, id: RegistrationId, new: NewRegistration) {
        if let Some(kept) = self.registration(id) {
            kept.record.entry = new.entry;
            kept.record.group = new.group;
            kept.record.kind = new.kind;
            kept.record.declaration = new.declaration;
        }
        self.lift(id);
    }

    fn replace(
        &mut self,
        old: RegistrationId,
        new: NewRegistration,
        now: Timestamp,
    ) -> RegistrationRecord {
        let chosen = self.remove(old).map(|kept| kept.stance.chosen);
        let stance = Stance {
            chosen: chosen.unwrap_or_default(),
            quarantine: None,
        };
        let record = self.insert(new, stance, now);
        for open in &mut self.activations {
            if open.record.registration == old {
                open.record.registration = record.id;
                open.record.foreign = true;
            }
        }
        record
    }

    pub(super) fn unregister(&mut self, id: RegistrationId, now: Timestamp) -> bool {
        let waiting: Vec<ActivationId> = self
            .activations
            .iter()
            .filter(|open| open.record.registration == id && open.record.run.is_none())
            .map(|open| open.record.id)
            .collect();
        for activation in waiting {
            if let Some(open) = self.take(activation, |_| true) {
                self.end_suppressed(open, now, Suppression::Removed, false);
            }
        }
        self.remove(id).is_some()
    }

    fn remove(&mut self, id: RegistrationId) -> Option<Registration> {
        let at = self
            .registrations
            .iter()
            .position(|kept| kept.record.id == id)?;
        Some(self.registrations.remove(at))
    }

    pub(super) fn stand(
        &mut self,
        id: RegistrationId,
        standing: Standing,
    ) -> Option<RegistrationRecord> {
        let live = |kept: &&mut Registration| kept.record.ended.is_none();
        let kept = self.registration(id).filter(live)?;
        kept.stance.take(standing);
        kept.record.standing = kept.stance.standing().clone();
        kept.record.chosen = kept.stance.chosen.clone();
        Some(kept.record.clone())
    }

    pub(super) fn lift(&mut self, id: RegistrationId) -> bool {
        let Some(kept) = self.registration(id) else {
            return false;
        };
        let lifted = kept.stance.quarantine.take().is_some();
        kept.record.standing = kept.stance.standing().clone();
        lifted
    }

    pub(super) fn throttled(&mut self, id: RegistrationId, at: Timestamp) {
        if let Some(kept) = self.registration(id) {
            kept.record.last_throttled = Some(at);
        }
    }

    pub(super) fn note(&mut self, note: Note) {
        if let Some(kept) = self.registration(note.registration) {
            kept.record.suppressed += 1;
            kept.record.last_suppression = Some((note.at, note.why));
        }
    }

    pub(super) fn all(&self) -> impl Iterator<Item = &RegistrationRecord> {
        self.registrations.iter().map(|kept| &kept.record)
    }

    pub(super) fn registration(&mut self, id: RegistrationId) -> Option<&mut Registration> {
        self.registrations
            .iter_mut()
            .find(|kept| kept.record.id == id)
    }

    pub(super) fn end(&mut self, id: RegistrationId, at: Timestamp) {
        if let Some(kept) = self.registration(id)
            && kept.record.ended.is_none()
        {
            kept.record.ended = Some(at);
            kept.record.due = None;
        }
    }

    pub(super) fn fire(&mut self, fire: Fire) -> bool {
        let Some(kept) = self.registration(fire.registration) else {
            return false;
        };
        if kept.record.generation != fire.generation || kept.record.ended.is_some() {
            return false;
        }
        kept.record.due = fire.next.filter(|_| !fire.last);
        kept.record.generation += 1;
        kept.ending = fire.last;
        if !fire.activations.is_empty() || fire.suppressed.is_some() {
            kept.record.last_fired = Some(fire.at);
        }
        if let Some(why) = fire.suppressed.clone() {
            self.note(Note {
                registration: fire.registration,
                at: fire.at,
                why,
            });
        }
        if fire.last && fire.kept().is_empty() {
            self.end(fire.registration, fire.at);
        }
        for new in fire.kept() {
            self.accept(new.clone(), fire.at);
        }
        true
    }
}
