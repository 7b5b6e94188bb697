//! Taking in what happened, before anything is decided.

use jiff::{Timestamp, tz::TimeZone};

use bgtask_model::Overlap;

use super::{
    Action, Registered, Scheduler, Shared, Waiting,
    entry::{Entry, Item, Phase, Run},
    later::Later,
};
use crate::{ActivationId, CancelReason, RegistrationId, Suppression};

/// What an entry has in common with others.
fn shared(entry: &Entry) -> Vec<Shared> {
    let options = &entry.declaration.options;
    let facts = entry.gate.bases().into_iter().map(Shared::Fact);
    let keys = options.exclusive.iter().cloned().map(Shared::Exclusive);
    let unique = options.unique.iter().cloned().map(Shared::Unique);
    facts.chain(keys).chain(unique).collect()
}

impl Scheduler {
    pub(super) fn register(&mut self, registered: Registered, now: Timestamp) {
        let (id, due, replaces) = (registered.id, registered.due, registered.replaces);
        let mut entry = Entry::new(registered);
        if let Some(old) = replaces {
            self.succeed(old, &mut entry);
        } else if let Some(mut before) = self.forget(id) {
            entry.waiting = std::mem::take(&mut before.waiting);
            entry.later = std::mem::take(&mut before.later);
            entry.running = std::mem::take(&mut before.running);
            entry.blocker = before.blocker.take();
            entry.last = before.last;
            entry.firing = before.firing;
            entry.raised = before.raised.take();
            entry.untold = before.untold;
            // A system event that fired is not known to the store as such.
            entry.spent |= before.spent && !entry.declaration.trigger.is_timed();
        }
        entry.replan(due, now, &self.zone);
        self.remember(entry);
        self.dirty.insert(id);
    }

    /// Takes over what another registration accepted: it goes on under the new one, and what runs
    /// keeps its slot and its key. Due times are the new one's own.
    fn succeed(&mut self, old: RegistrationId, new: &mut Entry) {
        let Some(mut before) = self.forget(old) else {
            return;
        };
        new.waiting = std::mem::take(&mut before.waiting);
        new.later = std::mem::take(&mut before.later);
        new.running = std::mem::take(&mut before.running);
        let waiting = new.waiting.iter_mut().map(|item| &mut item.waiting);
        let running = new.running.iter_mut().map(|run| &mut run.waiting);
        for waiting in waiting.chain(running).chain(new.later.waiting_mut()) {
            waiting.registration = new.id;
            waiting.foreign = true;
            self.owners.insert(waiting.id, new.id);
        }
        for holder in self.held.values_mut().filter(|holder| **holder == old) {
            *holder = new.id;
        }
    }

    fn remember(&mut self, entry: Entry) {
        for shared in shared(&entry) {
            self.shared.entry(shared).or_default().insert(entry.id);
        }
        self.entries.insert(entry.id, entry);
    }

    pub(super) fn unregister(&mut self, id: RegistrationId, actions: &mut Vec<Action>) {
        let Some(mut entry) = self.forget(id) else {
            return;
        };
        for activation in entry.later.drain() {
            self.owners.remove(&activation);
            actions.push(Action::Suppress {
                activation,
                why: Suppression::Removed,
                ends_registration: false,
            });
        }
        for item in entry.waiting.drain(..) {
            if !entry
                .running
                .iter()
                .any(|run| run.waiting.id == item.waiting.id)
            {
                self.owners.remove(&item.waiting.id);
            }
            actions.push(Action::Suppress {
                activation: item.waiting.id,
                why: Suppression::Removed,
                ends_registration: false,
            });
        }
        if !entry.running.is_empty() {
            // Its runs still lose their condition.
            entry.removed = true;
            self.remember(entry);
        }
    }

    /// Takes an entry out of every index but `owners` and `held`.
    fn forget(&mut self, id: RegistrationId) -> Option<Entry> {
        let mut entry = self.entries.remove(&id)?;
        if let Some(at) = entry.timer.take() {
            self.timers.remove(&(at, id));
        }
        for shared in shared(&entry) {
            if let Some(with) = self.shared.get_mut(&shared) {
                with.remove(&id);
                if with.is_empty() {
                    self.shared.remove(&shared);
                }
            }
        }
        Some(entry)
    }

    pub(super) fn replan(&mut self, now: Timestamp) {
        for (id, entry) in &mut self.entries {
            entry.replan(entry.due, now, &self.zone);
            entry.review = true;
            for item in &mut entry.waiting {
                if let Ok(longest) = now.checked_add(item.delay) {
                    item.waiting.not_before = item.waiting.not_before.min(longest);
                }
            }
            self.dirty.insert(*id);
        }
    }

    pub(super) fn rezone(&mut self, zone: TimeZone, now: Timestamp) {
        self.zone = zone;
        for (id, entry) in &mut self.entries {
            if entry.plan.follows_system_zone() {
                entry.replan(entry.due, now, &self.zone);
                self.dirty.insert(*id);
            }
        }
    }

    pub(super) fn fired(
        &mut self,
        id: RegistrationId,
        generation: u64,
        due: Option<Timestamp>,
        now: Timestamp,
    ) {
        let Some(entry) = self.entries.get_mut(&id) else {
            return;
        };
        entry.firing = false;
        entry.generation = generation;
        entry.stored = due;
        // Who fired it does not matter.
        let trigger = &entry.declaration.trigger;
        entry.spent |= due.is_none() && trigger.is_timed() && trigger.is_once();
        entry.replan(due, now, &self.zone);
        self.dirty.insert(id);
    }

    pub(super) fn accept(&mut self, waiting: Waiting, now: Timestamp, actions: &mut Vec<Action>) {
        let (activation, id) = (waiting.id, waiting.registration);
        let known = self.entries.get_mut(&id).filter(|entry| !entry.removed);
        let Some(entry) = known else {
            if !self.owners.contains_key(&activation) {
                actions.push(Action::Suppress {
                    activation,
                    why: Suppression::Removed,
                    ends_registration: false,
                });
            }
            return;
        };
        self.dirty.insert(id);
        entry.raised.take_if(|(raised, _)| *raised == activation);
        if entry.active(activation).is_some() {
            return;
        }
        let told = self.owners.contains_key(&activation);
        if let Some(place) = told.then(|| entry.find(activation)).flatten() {
            // Told twice. The second word is the store's own.
            let item = &mut entry.waiting[place];
            item.waiting.not_before = waiting.not_before;
            item.waiting.attempt = waiting.attempt;
            entry.review = true;
            return;
        }
        // After a restart an event's own activation is all that tells that its one-shot fired.
        let trigger = &entry.declaration.trigger;
        entry.spent |= trigger.is_once() && !trigger.is_timed() && !waiting.foreign;
        if Later::keeps(&waiting, now) {
            entry.later.insert(waiting, now);
            self.owners.insert(activation, id);
        } else {
            if told {
                entry.later.take(activation);
            }
            self.arrive(waiting, now, actions);
        }
    }

    /// Takes in what may start from now on. What was asked for a time is accepted at that time, as
    /// far as the rules go.
    pub(super) fn arrive(
        &mut self,
        mut waiting: Waiting,
        now: Timestamp,
        actions: &mut Vec<Action>,
    ) {
        let (activation, id) = (waiting.id, waiting.registration);
        let Some(entry) = self.entries.get_mut(&id) else {
            return;
        };
        if waiting.attempt == 0 {
            waiting.accepted = waiting.accepted.max(waiting.not_before);
        }
        // What the app asks for is accepted before the scheduler hears of it.
        let requested = !entry.declaration.trigger.is_timed()
            && entry.declaration.options.overlap == Some(Overlap::Skip);
        let overlaps = requested
            && waiting.attempt == 0
            && entry
                .running
                .iter()
                .any(|run| run.since <= waiting.accepted);
        self.owners.insert(activation, id);
        self.enter(id, waiting, now);
        if overlaps {
            self.suppress(id, activation, Suppression::Overlap, now, actions);
        }
    }

    fn enter(&mut self, id: RegistrationId, waiting: Waiting, now: Timestamp) {
        self.count += 1;
        self.enter_as(id, waiting, self.count, now);
    }

    fn enter_as(&mut self, id: RegistrationId, mut waiting: Waiting, arrival: u64, now: Timestamp) {
        let from = match waiting.kept {
            // Accepted in the future: the clock was set back while nobody looked.
            true => waiting.accepted.max(now),
            false => now,
        };
        let delay = waiting.not_before.duration_since(from);
        if let Ok(longest) = now.checked_add(delay) {
            waiting.not_before = waiting.not_before.min(longest);
        }
        if let Some(entry) = self.entries.get_mut(&id) {
            entry.insert(Item {
                delay,
                arrival,
                hold: None,
                throttled: false,
                waiting,
            });
        }
    }

    fn owner(&mut self, activation: ActivationId) -> Option<&mut Entry> {
        let id = *self.owners.get(&activation)?;
        self.dirty.insert(id);
        self.entries.get_mut(&id)
    }

    pub(super) fn started(&mut self, activation: ActivationId, actions: &mut Vec<Action>) {
        let run = self
            .owner(activation)
            .and_then(|entry| entry.active(activation));
        if let Some(run) = run {
            run.phase = Phase::Running;
            if let Some(reason) = run.cancel {
                actions.push(Action::Cancel { activation, reason });
            }
        }
    }

    /// What was told to start is held again: it has its place, and its attempt does not count.
    pub(super) fn unclaimed(
        &mut self,
        activation: ActivationId,
        now: Timestamp,
        actions: &mut Vec<Action>,
    ) {
        let Some(entry) = self.owner(activation) else {
            return;
        };
        let (id, removed) = (entry.id, entry.removed);
        let Some(run) = entry.active(activation) else {
            return;
        };
        let (cancel, arrival) = (run.cancel, run.arrival);
        let waiting = Waiting {
            kept: true,
            ..run.waiting.clone()
        };
        self.vacate(activation, |phase| phase != Phase::Overrun);
        if removed {
            actions.push(Action::Suppress {
                activation,
                why: Suppression::Removed,
                ends_registration: false,
            });
            return;
        }
        self.owners.insert(activation, id);
        self.enter_as(id, waiting, arrival, now);
        if let Some(reason) = cancel {
            let why = Suppression::Cancelled { reason };
            self.suppress(id, activation, why, now, actions);
        }
    }

    pub(super) fn gone(&mut self, activation: ActivationId) {
        let Some(entry) = self.owner(activation) else {
            return;
        };
        if entry.active(activation).is_some() {
            self.vacate(activation, |phase| phase != Phase::Overrun);
        } else if entry.take(activation).is_some() {
            self.disown(activation);
        }
    }

    pub(super) fn over(&mut self, id: RegistrationId, at: Timestamp) {
        if let Some(entry) = self.entries.get_mut(&id) {
            entry.ended.get_or_insert(at);
            self.dirty.insert(id);
        }
    }

    /// Forgets whose activation it is, unless a body of it still executes.
    fn disown(&mut self, activation: ActivationId) {
        let entry = self.owners.get(&activation);
        let runs = entry
            .and_then(|id| self.entries.get(id))
            .map(|entry| &entry.running);
        if !runs.is_some_and(|runs| runs.iter().any(|run| run.waiting.id == activation)) {
            self.owners.remove(&activation);
        }
    }

    pub(super) fn ended(
        &mut self,
        activation: ActivationId,
        slot_free: bool,
        retry: Option<Timestamp>,
        now: Timestamp,
        actions: &mut Vec<Action>,
    ) {
        let Some(entry) = self.owner(activation) else {
            return;
        };
        let known = entry.known(activation);
        let ends = retry.is_none() && known.is_some_and(|one| entry.ends(one));
        let Some(run) = entry.active(activation) else {
            return;
        };
        let again = retry.map(|at| Waiting {
            not_before: at,
            attempt: run.waiting.attempt + 1,
            kept: false,
            ..run.waiting.clone()
        });
        if !slot_free {
            run.phase = Phase::Overrun;
        }
        if ends {
            entry.ended = Some(now);
        }
        let (id, removed) = (entry.id, entry.removed);
        if slot_free {
            self.vacate(activation, |phase| phase != Phase::Overrun);
        }
        match again {
            Some(_) if removed => actions.push(Action::Suppress {
                activation,
                why: Suppression::Removed,
                ends_registration: false,
            }),
            Some(again) => {
                self.owners.insert(activation, id);
                self.enter(id, again, now);
            }
            None => {}
        }
    }

    /// Frees the slot, and the key, of a run in such a phase.
    pub(super) fn vacate(&mut self, activation: ActivationId, phase: impl Fn(Phase) -> bool) {
        let Some(entry) = self.owner(activation) else {
            return;
        };
        let is = |run: &Run| run.waiting.id == activation && phase(run.phase);
        let Some(place) = entry.running.iter().position(is) else {
            return;
        };
        let run = entry.running.remove(place);
        let id = entry.id;
        // Only a body that outlived its end may wait again already.
        let again = run.phase == Phase::Overrun && entry.find(activation).is_some();
        if entry.removed && entry.running.is_empty() {
            self.forget(id);
        }
        if !again {
            self.disown(activation);
        }
        if let Some(key) = run.key {
            self.held.remove(&key);
            self.touch_shared(&Shared::Exclusive(key));
        }
    }

    pub(super) fn cancel(
        &mut self,
        activation: ActivationId,
        reason: CancelReason,
        now: Timestamp,
        actions: &mut Vec<Action>,
    ) {
        let Some(entry) = self.owner(activation) else {
            return;
        };
        if let Some(run) = entry.active(activation) {
            // The first reason counts, and is passed on once the run is there to hear it.
            if run.cancel.is_none() {
                run.cancel = Some(reason);
                if run.phase == Phase::Running {
                    actions.push(Action::Cancel { activation, reason });
                }
            }
            return;
        }
        let id = entry.id;
        self.suppress(
            id,
            activation,
            Suppression::Cancelled { reason },
            now,
            actions,
        );
    }

    /// Takes a waiting activation out and says why.
    pub(super) fn suppress(
        &mut self,
        id: RegistrationId,
        activation: ActivationId,
        why: Suppression,
        now: Timestamp,
        actions: &mut Vec<Action>,
    ) {
        let Some(entry) = self.entries.get_mut(&id) else {
            return;
        };
        let Some(waiting) = entry.take(activation) else {
            return;
        };
        let ends_registration = entry.ends(&waiting);
        if ends_registration {
            entry.ended = Some(now);
        }
        entry.last_suppression = Some((now, why.clone()));
        self.disown(activation);
        actions.push(Action::Suppress {
            activation,
            why,
            ends_registration,
        });
    }
}
