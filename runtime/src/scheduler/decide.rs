//! Deciding: what starts, what fires, what gives way, and what is told of the rest.

use std::{
    cmp::Reverse,
    collections::{BTreeSet, HashMap},
    sync::Arc,
};

use bgtask_model::{Delivery, Missed, Overlap, Pending, Trigger};
use jiff::{SignedDuration, Timestamp};

use super::{
    Action, Raised, Scheduler, Shared,
    due::mix,
    entry::{Blocker, Entry, Phase, Run},
};
use crate::{
    ActivationId, CancelReason, Details, RegistrationId, Suppression,
    store::{Fire, NewActivation},
};

/// A due time that fires later than this was missed. A loaded machine wakes a broker late by
/// seconds; one that was asleep, off or not running is late by more than a minute or has passed
/// the next due time too, which counts as missed as well.
pub(super) const TOLERANCE: SignedDuration = SignedDuration::from_secs(60);

impl Scheduler {
    /// Looks at everything that changed, and at what came due.
    pub(super) fn settle(&mut self, now: Timestamp, actions: &mut Vec<Action>) {
        while let Some(&(at, id)) = self.timers.first().filter(|(at, _)| *at <= now) {
            self.timers.remove(&(at, id));
            if let Some(entry) = self.entries.get_mut(&id) {
                entry.timer = None;
                entry.review = true;
            }
            self.dirty.insert(id);
        }
        let dirty = std::mem::take(&mut self.dirty);
        for id in &dirty {
            self.come_due(*id, now, actions);
        }
        self.start(&dirty, now, actions);
        for id in &dirty {
            self.fire(*id, now, actions);
            self.stop(*id, now, actions);
            self.trim(*id, now, actions);
            self.hold(*id, now, actions);
            self.set_timer(*id);
        }
    }

    /// Starts what may start: higher priority first, then in the order of acceptance.
    fn start(
        &mut self,
        dirty: &BTreeSet<RegistrationId>,
        now: Timestamp,
        actions: &mut Vec<Action>,
    ) {
        let mut ready = Vec::new();
        for entry in dirty.iter().filter_map(|id| self.entries.get(id)) {
            if !self.may_start(entry) {
                continue;
            }
            let free = entry.slots() - entry.running.len();
            let due = |item: &&super::entry::Item| item.waiting.not_before <= now;
            for item in entry.waiting.iter().filter(due).take(free) {
                let (waiting, priority) = (&item.waiting, entry.declaration.options.priority);
                ready.push((
                    Reverse(priority),
                    waiting.accepted,
                    waiting.details.scheduled,
                    item.arrival,
                    entry.id,
                    waiting.id,
                ));
            }
        }
        ready.sort_unstable();
        for (.., registration, activation) in ready {
            let Some(entry) = self.entries.get_mut(&registration) else {
                continue;
            };
            let key = entry.declaration.options.exclusive.clone();
            if key.as_ref().is_some_and(|key| self.held.contains_key(key)) {
                continue;
            }
            let Some(item) = entry.take_waiting(activation) else {
                continue;
            };
            if let Some(key) = &key {
                self.held.insert(key.clone(), registration);
            }
            entry.running.push(Run {
                waiting: item.waiting,
                arrival: item.arrival,
                since: now,
                phase: Phase::Starting,
                cancel: None,
                key,
            });
            actions.push(Action::Start {
                activation,
                registration,
            });
        }
    }

    /// Whether an activation of it could start this moment.
    fn may_start(&self, entry: &Entry) -> bool {
        !self.draining
            && entry.running.len() < entry.slots()
            && self.is_let(entry)
            && self.holder(entry).is_none()
    }

    /// Whether nothing but a slot and its key can keep it from starting.
    pub(super) fn is_let(&self, entry: &Entry) -> bool {
        entry.starts()
            && self.withheld(entry).is_none()
            && entry.gate.is_open(&self.facts)
            && self.saving(entry).is_none()
    }

    /// Who has its `exclusive` key.
    fn holder(&self, entry: &Entry) -> Option<(&str, RegistrationId)> {
        let (key, holder) = self
            .held
            .get_key_value(entry.declaration.options.exclusive.as_ref()?)?;
        Some((key, *holder))
    }

    /// What is wrong with making one more activation for an event of this moment.
    fn refusal(&self, entry: &Entry) -> Option<Suppression> {
        if let Some(why) = self.forbidden(entry) {
            return Some(why);
        }
        if entry.overlap() == Overlap::Skip && !entry.running.is_empty() {
            return Some(Suppression::Overlap);
        }
        let unique = entry.declaration.options.unique.is_some();
        let own = || {
            entry
                .waiting
                .iter()
                .filter(|item| entry.keeps(item))
                .count()
        };
        let full = entry.room() == 0 || (unique && self.same_unique(entry) + own() > 0);
        (full && !self.may_start(entry)).then_some(Suppression::PendingFull)
    }

    /// Whether one more is turned away because so many wait, and not because its declaration wants
    /// few.
    fn is_queue_full(&self, id: RegistrationId) -> bool {
        self.entries.get(&id).is_some_and(|entry| {
            let queues = matches!(entry.pending(), Pending::Queue(_)) && entry.room() == 0;
            queues && self.refusal(entry) == Some(Suppression::PendingFull)
        })
    }

    /// How many activations of others wait under its `unique` key.
    fn same_unique(&self, entry: &Entry) -> usize {
        let key = entry.declaration.options.unique.clone();
        let with = key.and_then(|key| self.shared.get(&Shared::Unique(key)));
        let others = with.into_iter().flatten().filter(|id| **id != entry.id);
        let others = others.filter_map(|id| self.entries.get(id));
        others.map(|entry| entry.waiting.len()).sum()
    }

    /// Fires a due time that came.
    fn fire(&mut self, id: RegistrationId, now: Timestamp, actions: &mut Vec<Action>) {
        let Some(entry) = self.entries.get(&id) else {
            return;
        };
        let (Some(due), Some(wake)) = (entry.due, entry.wake) else {
            return;
        };
        if self.draining || entry.firing || !entry.fires() {
            return;
        }
        if wake > now {
            self.move_up(id, now, actions);
            return;
        }
        let declaration = &entry.declaration;
        let last = declaration.trigger.is_once();
        let forbidden = self.forbidden(entry);
        if let (true, Some(why)) = (last, &forbidden) {
            self.put_off(id, why.clone(), now, actions);
            return;
        }
        let missed = declaration.missed();
        let count = match missed {
            Missed::All(n) => n.max(1) as usize,
            Missed::Once | Missed::Skip => 1,
        };
        let jitter = declaration.options.jitter;
        let wakes = |due| entry.plan.spread(id, due, jitter, &self.zone);
        // One more, because the newest may be one whose jitter is not over.
        let mut passed = entry.plan.passed(due, now, count + 1, &self.zone);
        if passed.len() > 1 && passed.last().is_some_and(|newest| wakes(*newest) > now) {
            passed.pop();
        }
        let newest = *passed.last().unwrap_or(&due);
        let late = |due: Timestamp| now.duration_since(wakes(due)) > TOLERANCE;
        let mut suppressed = None;
        let mut times = match missed {
            // A one-shot runs once, however late.
            _ if last => vec![due],
            _ if newest == due && !late(due) => vec![due],
            Missed::Once => vec![newest],
            Missed::Skip if late(newest) => {
                suppressed = Some(Suppression::Missed);
                Vec::new()
            }
            Missed::Skip => vec![newest],
            Missed::All(_) => passed.split_off(passed.len().saturating_sub(count)),
        };
        if !last && (suppressed.is_none() || forbidden.is_some()) {
            suppressed = self.refusal(entry);
            if suppressed.is_some() {
                times.clear();
            }
        }
        let next = (!last)
            .then(|| entry.plan.after(newest, newest, &self.zone))
            .flatten();
        let activations = times.into_iter().enumerate().map(|(index, scheduled)| {
            let details = Details {
                fired: now,
                scheduled: Some(scheduled),
                ..Details::default()
            };
            let new = activation_id(id, now, entry.generation, index as u64);
            activation(entry, new, details)
        });
        actions.push(Action::Fire(Fire {
            registration: id,
            generation: entry.generation,
            at: now,
            next,
            activations: activations.collect(),
            suppressed: suppressed.clone(),
            last,
            volatile: declaration.options.delivery == Delivery::Volatile,
        }));
        if let Some(entry) = self.entries.get_mut(&id) {
            entry.firing = true;
            entry.last = Some(newest);
            if let Some(why) = suppressed {
                entry.last_suppression = Some((now, why));
            }
        }
    }

    /// Has a due time kept that came nearer because the clock was set back.
    fn move_up(&mut self, id: RegistrationId, now: Timestamp, actions: &mut Vec<Action>) {
        let entry = self.entries.get_mut(&id);
        if let Some(entry) = entry.filter(|entry| entry.is_nearer()) {
            entry.firing = true;
            actions.push(Action::Fire(Fire {
                registration: id,
                generation: entry.generation,
                at: now,
                next: entry.due,
                activations: Vec::new(),
                suppressed: None,
                last: false,
                volatile: false,
            }));
        }
    }

    /// Notes that a one-shot came due while it may not fire. It stays due.
    fn put_off(
        &mut self,
        id: RegistrationId,
        why: Suppression,
        now: Timestamp,
        actions: &mut Vec<Action>,
    ) {
        let entry = self.entries.get_mut(&id);
        if let Some(entry) = entry.filter(|entry| !entry.is_put_off(&why)) {
            entry.last_suppression = Some((now, why.clone()));
            let registration = id;
            actions.push(Action::Note { registration, why });
        }
    }

    /// An event: activations for the registrations that it starts.
    pub(super) fn raise(
        &mut self,
        what: &Raised,
        details: &Details,
        now: Timestamp,
        actions: &mut Vec<Action>,
    ) {
        if self.draining {
            return;
        }
        let mut hit: Vec<RegistrationId> = self
            .entries
            .values()
            .filter(|entry| entry.fires() && starts_by(what, entry))
            .filter(|entry| !(entry.declaration.trigger.is_once() && entry.spent))
            .map(|entry| entry.id)
            .collect();
        hit.sort_unstable();
        // A notification is for all of them or for none: its sender pushes it again.
        let is_pushed = matches!(what, Raised::Trigger(Trigger::Push { .. }));
        if is_pushed && hit.iter().any(|id| self.is_queue_full(*id)) {
            hit.retain(|id| self.is_queue_full(*id));
        }
        let mut accepted: Vec<NewActivation> = Vec::new();
        let mut unique: HashMap<String, RegistrationId> = HashMap::new();
        for id in hit {
            let Some(entry) = self.entries.get(&id) else {
                continue;
            };
            let mut refusal = self.refusal(entry);
            // One event may start several registrations of a key; only one of them waits.
            if let (None, Some(key)) = (&refusal, entry.declaration.options.unique.clone())
                && unique.insert(key, id).is_some()
                && !self.may_start(entry)
            {
                refusal = Some(Suppression::PendingFull);
            }
            self.count += 1;
            let new = activation_id(id, now, self.count, 0);
            let details = entry.follow(Details {
                fired: now,
                ..details.clone()
            });
            let is_cumulative = details.is_cumulative();
            let raised = is_cumulative.then(|| (new, details.clone()));
            if refusal.is_none() {
                accepted.push(activation(entry, new, details));
            }
            if let Some(entry) = self.entries.get_mut(&id) {
                match refusal {
                    None => {
                        entry.spent = entry.declaration.trigger.is_once();
                        entry.raised = raised;
                        entry.untold = false;
                    }
                    Some(why) => {
                        entry.untold = is_cumulative;
                        entry.last_suppression = Some((now, why.clone()));
                        actions.push(Action::Note {
                            registration: id,
                            why,
                        });
                    }
                }
            }
        }
        if !accepted.is_empty() {
            actions.push(Action::Enqueue(accepted));
        }
    }

    /// Asks runs to stop whose condition is lost, or that a newer activation replaces.
    fn stop(&mut self, id: RegistrationId, now: Timestamp, actions: &mut Vec<Action>) {
        let Some(entry) = self.entries.get(&id) else {
            return;
        };
        let lost = entry.gate.lost(&self.facts);
        // The newest that only lacks the slot: while a condition holds it back, nothing is won by
        // stopping the run before it. A retry is no newer than what runs.
        let newer = (entry.overlap() == Overlap::Replace && !self.draining && self.is_let(entry))
            .then(|| {
                let due = |item: &&super::entry::Item| {
                    item.waiting.attempt == 0 && item.waiting.not_before <= now
                };
                entry.waiting.iter().rfind(due)
            })
            .flatten()
            .map(|item| item.waiting.accepted);
        let Some(entry) = self.entries.get_mut(&id) else {
            return;
        };
        for run in &mut entry.running {
            let replaced = newer.is_some_and(|newer| run.waiting.accepted <= newer);
            let reason = lost.or(replaced.then_some(CancelReason::Abort));
            if let (Some(reason), None) = (reason, run.cancel) {
                match run.phase {
                    Phase::Overrun => continue,
                    // The run is not there yet; `Started` passes it on, or looks again.
                    Phase::Starting if lost.is_some() => continue,
                    Phase::Starting => {}
                    Phase::Running => actions.push(Action::Cancel {
                        activation: run.waiting.id,
                        reason,
                    }),
                }
                run.cancel = Some(reason);
            }
        }
    }

    /// Holds what waits to `pending` and `unique`.
    ///
    /// An activation that was started before counts as waiting, but it was promised its attempts,
    /// as one from the last launch was its place: `first` and `queue` never turn it away, and
    /// `latest` puts a newer one in its place only where the declaration says `pending = latest`
    /// itself.
    fn trim(&mut self, id: RegistrationId, now: Timestamp, actions: &mut Vec<Action>) {
        let Some(entry) = self.entries.get(&id) else {
            return;
        };
        let mut away: Vec<(ActivationId, Suppression)> = Vec::new();
        let newcomers = |away: &[(ActivationId, Suppression)], count: usize| {
            let arrived = entry.arrived.iter().rev().filter(|id| {
                let item = entry.find(**id).and_then(|place| entry.waiting.get(place));
                item.is_some_and(|item| item.waiting.attempt == 0 && !item.waiting.kept)
                    && !away.iter().any(|(other, _)| other == *id)
            });
            let arrived = arrived.take(count);
            let full = arrived.map(|id| (*id, Suppression::PendingFull));
            full.collect::<Vec<_>>()
        };
        let limit = match entry.pending() {
            Pending::Latest => {
                let may = entry.waiting.iter().rev().filter(|item| !entry.keeps(item));
                let mut may = may.map(|item| item.waiting.id);
                let by = may.next();
                away.extend(may.map(|old| (old, Suppression::Superseded { by })));
                usize::MAX
            }
            Pending::First => 1,
            Pending::Queue(n) => n as usize,
        };
        let over = entry.waiting.len().saturating_sub(limit);
        away.extend(newcomers(&away, over));
        if entry.declaration.options.unique.is_some() {
            let all = self.same_unique(entry) + entry.waiting.len();
            let left = all.saturating_sub(away.len());
            away.extend(newcomers(&away, left.saturating_sub(1)));
        }
        for (activation, why) in away {
            self.suppress(id, activation, why, now, actions);
        }
    }

    /// Tells what each waiting one waits for, where that changed.
    fn hold(&mut self, id: RegistrationId, now: Timestamp, actions: &mut Vec<Action>) {
        let Some(common) = self.entries.get(&id).map(|entry| self.blocker(entry)) else {
            return;
        };
        let Some(entry) = self.entries.get_mut(&id) else {
            return;
        };
        if entry.blocker.as_deref() != common.as_ref() {
            entry.blocker = common.map(Arc::new);
            entry.review = true;
        }
        let places: Vec<usize> = match entry.review {
            true => (0..entry.waiting.len()).collect(),
            false => entry
                .arrived
                .iter()
                .filter_map(|id| entry.find(*id))
                .collect(),
        };
        if entry.review {
            entry.until = None;
        }
        for place in places {
            let item = &mut entry.waiting[place];
            let at = item.waiting.not_before;
            let told = item.hold.as_ref().map(|(_, told)| told);
            if at > now {
                entry.until = Some(entry.until.map_or(at, |until| until.min(at)));
                if told.is_none_or(|told| **told != Blocker::Until(at)) {
                    // For the log it was told when it was set.
                    item.hold = Some((now, Arc::new(Blocker::Until(at))));
                }
            } else if told.map(Arc::as_ptr) != entry.blocker.as_ref().map(Arc::as_ptr) {
                item.hold = entry.blocker.clone().map(|blocker| (now, blocker));
                let throttled = entry.blocker.as_deref() == Some(&Blocker::OverBudget);
                if throttled && !item.throttled && !self.draining {
                    item.throttled = true;
                    actions.push(Action::Throttled { registration: id });
                }
                if let (Some(blocker), false) = (&entry.blocker, self.draining) {
                    actions.push(Action::Hold {
                        activation: item.waiting.id,
                        reason: blocker.text(now, &self.zone),
                    });
                }
            }
        }
        entry.arrived.clear();
        entry.review = false;
    }

    /// What keeps every activation of a registration from starting, its own time aside.
    pub(super) fn blocker(&self, entry: &Entry) -> Option<Blocker> {
        if let Some(why) = &entry.refused {
            return Some(Blocker::Refused(why.clone()));
        }
        if let Some(blocker) = self.withheld(entry) {
            return Some(blocker);
        }
        if !entry.gate.is_open(&self.facts) {
            return Some(Blocker::Condition(entry.gate.lacks(&self.facts)));
        }
        if entry.running.len() >= entry.slots() {
            return Some(Blocker::Slot {
                overrun: entry.running.iter().all(|run| run.phase == Phase::Overrun),
            });
        }
        if let Some(blocker) = self.saving(entry) {
            return Some(blocker);
        }
        let (key, holder) = self.holder(entry)?;
        let holder = self.entries.get(&holder);
        Some(Blocker::Exclusive {
            key: key.to_owned(),
            task: holder.map_or_else(String::new, |holder| holder.declaration.name.clone()),
        })
    }

    fn set_timer(&mut self, id: RegistrationId) {
        let Some(entry) = self.entries.get(&id) else {
            return;
        };
        let forbidden = self.forbidden(entry);
        let put_off = forbidden.is_some_and(|why| entry.is_put_off(&why));
        let Some(entry) = self.entries.get_mut(&id) else {
            return;
        };
        if let Some(at) = entry.timer.take() {
            self.timers.remove(&(at, id));
        }
        // Times come for what was refused, too: what waits is looked at again.
        if self.draining || entry.removed {
            return;
        }
        let wake = entry
            .wake
            .filter(|_| !entry.firing && !put_off && entry.fires());
        let later = entry.later.first();
        let at = entry.until.into_iter().chain(later).chain(wake).min();
        if let Some(at) = at {
            self.timers.insert((at, id));
        }
        entry.timer = at;
    }
}

/// Whether an event of this kind starts registrations of that trigger.
fn starts_by(what: &Raised, entry: &Entry) -> bool {
    match (what, &entry.declaration.trigger) {
        (Raised::System(raised), Trigger::System { event, .. }) => raised == event,
        (Raised::Custom(raised), Trigger::Custom { name }) => raised == name,
        (Raised::Startup, Trigger::Startup) => true,
        (Raised::Trigger(raised), trigger) => raised == trigger,
        (Raised::Registration(raised), _) => *raised == entry.id,
        _ => false,
    }
}

fn activation(entry: &Entry, id: ActivationId, details: Details) -> NewActivation {
    NewActivation {
        id,
        registration: entry.id,
        task: entry.declaration.name.clone(),
        details,
        not_before: NewActivation::AT_ONCE,
        // Completions are kept for who asked, and nobody asked for what a trigger started.
        journal: false,
        foreign: false,
    }
}

/// An identity in the form of a UUID of version 7 that follows from what fired, so that a fire
/// which is written twice makes one activation. `index` sorts those of one fire.
fn activation_id(id: RegistrationId, now: Timestamp, number: u64, index: u64) -> ActivationId {
    let millis = u128::try_from(now.as_millisecond().max(0)).unwrap_or(0) & ((1 << 48) - 1);
    let index = index & 0x3FFF;
    let draw = mix(id, mix(id, number) ^ now.as_nanosecond() as u64 ^ index) >> 4;
    let high = (millis << 16) | (7 << 12) | u128::from(index >> 2);
    let low = (1_u64 << 63) | ((index & 3) << 60) | draw;
    ActivationId::from_bytes(((high << 64) | u128::from(low)).to_be_bytes())
}
