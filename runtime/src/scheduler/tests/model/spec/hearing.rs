//! Taking in what happened.

use super::*;

impl Spec {
    pub(super) fn hear(&mut self, now: Timestamp, input: &Input, said: &mut Vec<Said>) {
        match input {
            Input::Register(new) => self.register(now, new),
            Input::Unregister(id) => {
                let Some(reg) = self.all.get_mut(id).filter(|reg| !reg.removed) else {
                    return;
                };
                reg.removed = true;
                let held = reg.held.drain(..).map(|held| held.waiting);
                let gone = held.chain(reg.later.drain(..));
                said.extend(
                    gone.map(|waiting| Said::Suppress(waiting.id, Suppression::Removed, false)),
                );
            }
            Input::Time => {}
            Input::Clock => {
                for reg in self.all.values_mut() {
                    reg.replan(now, &self.zone);
                    for held in &mut reg.held {
                        let at = &mut held.waiting.not_before;
                        *at = (*at).min(now + held.delay);
                    }
                }
            }
            Input::Zone(zone) => {
                self.zone = zone.clone();
                let follow = self.all.values_mut();
                for reg in follow.filter(|reg| times::follows_system(reg.trigger())) {
                    reg.replan(now, zone);
                }
            }
            Input::Fact(base, fact) => {
                self.facts.insert(base.clone(), fact.reading);
            }
            Input::Raised { what, .. } => self.raise(what, now, said),
            Input::Accepted(waiting) => self.accept(waiting.clone(), now, said),
            Input::Fired {
                registration, due, ..
            } => {
                let Some(reg) = self.all.get_mut(registration) else {
                    return;
                };
                reg.firing = false;
                reg.spent |= due.is_none() && reg.is_once() && reg.trigger().is_timed();
                reg.due = *due;
                reg.stored = *due;
                reg.replan(now, &self.zone);
            }
            Input::Started { activation } => {
                if let Some((_, body)) = self.active(*activation) {
                    body.phase = Phase::Running;
                    said.extend(body.cancel.map(|reason| Said::Cancel(*activation, reason)));
                }
            }
            Input::Unclaimed { activation } => {
                let Some((id, body)) = self.active(*activation) else {
                    return;
                };
                let mut waiting = body.waiting.clone();
                let (cancel, arrival) = (body.cancel, body.arrival);
                let reg = self.all.get_mut(&id).unwrap();
                reg.bodies
                    .retain(|body| body.waiting.id != *activation || body.phase == Phase::Overrun);
                if reg.removed {
                    said.push(Said::Suppress(*activation, Suppression::Removed, false));
                    return;
                }
                // No newcomer: it has its place.
                waiting.kept = true;
                self.hold_as(waiting, arrival, now);
                if let Some(reason) = cancel {
                    let why = Suppression::Cancelled { reason };
                    self.suppress(id, *activation, why, now, said);
                }
            }
            Input::Gone { activation } => {
                for reg in self.all.values_mut() {
                    reg.drop_waiting(*activation);
                    let gone = |body: &Body| {
                        body.waiting.id == *activation && body.phase != Phase::Overrun
                    };
                    reg.bodies.retain(|body| !gone(body));
                }
            }
            Input::Over { registration, at } => {
                if let Some(reg) = self.all.get_mut(registration) {
                    reg.ended.get_or_insert(*at);
                }
            }
            Input::Ended {
                activation,
                slot_free,
                retry,
            } => self.end(*activation, *slot_free, *retry, now, said),
            Input::Vacated { activation } => {
                for reg in self.all.values_mut() {
                    let gone = |body: &Body| {
                        body.waiting.id == *activation && body.phase == Phase::Overrun
                    };
                    let place = reg.bodies.iter().position(gone);
                    place.map(|place| reg.bodies.remove(place));
                }
            }
            Input::CancelRequested { activation, reason } => {
                if let Some((_, body)) = self.active(*activation) {
                    if body.cancel.is_none() {
                        body.cancel = Some(*reason);
                        if body.phase == Phase::Running {
                            said.push(Said::Cancel(*activation, *reason));
                        }
                    }
                } else if let Some(id) = self.who_holds(*activation) {
                    let why = Suppression::Cancelled { reason: *reason };
                    self.suppress(id, *activation, why, now, said);
                }
            }
            Input::Standing {
                registration,
                standing,
            } => {
                if let Some(reg) = self.all.get_mut(registration) {
                    reg.standing = standing.clone();
                }
            }
            Input::Restrict(restrictions) => self.restrictions = restrictions.clone(),
            Input::Drain => self.draining = true,
        }
    }

    pub(super) fn register(&mut self, now: Timestamp, new: &Registered) {
        let before = |at: Timestamp| {
            new.due
                .map_or(at, |due| at.min(due - SignedDuration::from_nanos(1)))
        };
        let trigger = &new.declaration.trigger;
        let mut reg = Reg {
            id: new.id,
            stored: new.due,
            due: new.due,
            fired: new.fired.map(before),
            firing: false,
            spent: trigger.is_timed() && trigger.is_once() && new.due.is_none(),
            ended: new.ended,
            removed: false,
            standing: new.standing.clone(),
            told: new.last_suppression.clone(),
            held: Vec::new(),
            later: Vec::new(),
            bodies: Vec::new(),
            declaration: Arc::clone(&new.declaration),
        };
        reg.replan(now, &self.zone);
        // What the one before it accepted goes on under it.
        if let Some(old) = new.replaces.and_then(|old| self.all.remove(&old)) {
            (reg.held, reg.later, reg.bodies) = (old.held, old.later, old.bodies);
            let held = reg.held.iter_mut().map(|held| &mut held.waiting);
            let bodies = reg.bodies.iter_mut().map(|body| &mut body.waiting);
            for waiting in held.chain(bodies).chain(&mut reg.later) {
                waiting.registration = new.id;
                waiting.foreign = true;
            }
        }
        self.all.insert(new.id, reg);
    }

    pub(super) fn active(
        &mut self,
        activation: ActivationId,
    ) -> Option<(RegistrationId, &mut Body)> {
        let all = self.all.iter_mut();
        let mut all = all.flat_map(|(id, reg)| reg.bodies.iter_mut().map(|body| (*id, body)));
        all.find(|(_, body)| body.waiting.id == activation && body.phase != Phase::Overrun)
    }

    pub(super) fn who_holds(&self, activation: ActivationId) -> Option<RegistrationId> {
        let holds = |reg: &&Reg| {
            let mut waiting = reg.held.iter().map(|held| &held.waiting).chain(&reg.later);
            waiting.any(|waiting| waiting.id == activation)
        };
        Some(self.all.values().find(holds)?.id)
    }

    pub(super) fn accept(&mut self, waiting: Waiting, now: Timestamp, said: &mut Vec<Said>) {
        let Some(reg) = self
            .all
            .get_mut(&waiting.registration)
            .filter(|reg| !reg.removed)
        else {
            said.push(Said::Suppress(waiting.id, Suppression::Removed, false));
            return;
        };
        let same = |other: &Waiting| other.id == waiting.id;
        let mut active = reg.bodies.iter().filter(|one| one.phase != Phase::Overrun);
        if active.any(|body| same(&body.waiting)) {
            return;
        }
        // Told twice: the second word counts.
        if let Some(held) = reg.held.iter_mut().find(|held| same(&held.waiting)) {
            held.waiting.not_before = waiting.not_before;
            held.waiting.attempt = waiting.attempt;
            return;
        }
        reg.later.retain(|later| !same(later));
        reg.spent |= reg.is_once() && !reg.trigger().is_timed() && !waiting.foreign;
        match waiting.attempt == 0 && waiting.not_before > now {
            true => reg.later.push(waiting),
            false => self.arrive(waiting, now, said),
        }
    }

    /// What comes due counts as accepted at its time, in the order of the times.
    pub(super) fn come_due(&mut self, now: Timestamp, said: &mut Vec<Said>) {
        if self.draining {
            return;
        }
        let ids: Vec<_> = self.all.keys().copied().collect();
        for id in ids {
            let later = &mut self.all.get_mut(&id).unwrap().later;
            let mut due: Vec<_> = later.iter().filter(|one| one.not_before <= now).collect();
            due.sort_by_key(|waiting| (waiting.not_before, waiting.id));
            let due: Vec<ActivationId> = due.iter().map(|waiting| waiting.id).collect();
            for activation in due {
                let later = &mut self.all.get_mut(&id).unwrap().later;
                let place = later.iter().position(|waiting| waiting.id == activation);
                let mut waiting = later.remove(place.unwrap());
                waiting.kept = false;
                self.arrive(waiting, now, said);
            }
        }
    }

    pub(super) fn arrive(&mut self, mut waiting: Waiting, now: Timestamp, said: &mut Vec<Said>) {
        let (id, activation) = (waiting.registration, waiting.id);
        let reg = &self.all[&id];
        if waiting.attempt == 0 {
            waiting.accepted = waiting.accepted.max(waiting.not_before);
        }
        let runs = reg.bodies.iter().any(|body| body.since <= waiting.accepted);
        let skips = reg.options().overlap == Some(Overlap::Skip) && !reg.trigger().is_timed();
        let skipped = skips && runs && waiting.attempt == 0;
        self.hold(waiting, now);
        if skipped {
            self.suppress(id, activation, Suppression::Overlap, now, said);
        }
    }

    pub(super) fn hold(&mut self, waiting: Waiting, now: Timestamp) {
        self.arrivals += 1;
        self.hold_as(waiting, self.arrivals, now);
    }

    pub(super) fn hold_as(&mut self, mut waiting: Waiting, arrival: u64, now: Timestamp) {
        let from = match waiting.kept {
            true => now.max(waiting.accepted),
            false => now,
        };
        let delay = waiting.not_before.duration_since(from);
        waiting.not_before = waiting.not_before.min(now + delay);
        let reg = self.all.get_mut(&waiting.registration).unwrap();
        reg.held.push(Held {
            waiting,
            delay,
            arrival,
            fresh: true,
            throttled: false,
        });
        reg.held.sort_by_key(|held| {
            (
                held.waiting.accepted,
                held.waiting.details.scheduled,
                held.arrival,
            )
        });
    }

    pub(super) fn end(
        &mut self,
        activation: ActivationId,
        slot_free: bool,
        retry: Option<Timestamp>,
        now: Timestamp,
        said: &mut Vec<Said>,
    ) {
        let Some((id, body)) = self.active(activation) else {
            return;
        };
        let again = Waiting {
            not_before: retry.unwrap_or(now),
            attempt: body.waiting.attempt + 1,
            kept: false,
            ..body.waiting.clone()
        };
        let reg = self.all.get_mut(&id).unwrap();
        if retry.is_none() && reg.ends(&again) {
            reg.ended = Some(now);
        }
        let is = |body: &Body| body.waiting.id == activation && body.phase != Phase::Overrun;
        match slot_free {
            true => reg.bodies.retain(|body| !is(body)),
            false => {
                let body = reg.bodies.iter_mut().find(|body| is(body));
                body.unwrap().phase = Phase::Overrun;
            }
        }
        match retry {
            None => {}
            Some(_) if reg.removed => {
                said.push(Said::Suppress(activation, Suppression::Removed, false));
            }
            Some(_) => self.hold(again, now),
        }
    }

    pub(super) fn suppress(
        &mut self,
        id: RegistrationId,
        activation: ActivationId,
        why: Suppression,
        now: Timestamp,
        said: &mut Vec<Said>,
    ) {
        let reg = self.all.get_mut(&id).unwrap();
        let ends = reg.open().any(|one| one.id == activation && reg.ends(one));
        if ends {
            reg.ended = Some(now);
        }
        reg.drop_waiting(activation);
        reg.told = Some((now, why.clone()));
        said.push(Said::Suppress(activation, why, ends));
    }
}
