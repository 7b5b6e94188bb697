//! What follows: what starts, fires, gives way and is told.

use super::*;

impl Spec {
    /// Of everything that could start, the one with the highest priority; of those the oldest.
    pub(super) fn next_to_start(&self, now: Timestamp) -> Option<(RegistrationId, usize)> {
        let can = self.all.values().filter(|reg| self.can_start(reg));
        let ready = can.flat_map(|reg| {
            let held = reg.held.iter().enumerate();
            let due = held.filter(|(_, held)| held.waiting.not_before <= now);
            due.map(move |(place, held)| (reg, place, held))
        });
        let first = ready.min_by_key(|(reg, _, held)| {
            let Waiting {
                accepted, details, ..
            } = &held.waiting;
            let priority = std::cmp::Reverse(reg.options().priority);
            (priority, *accepted, details.scheduled, held.arrival)
        });
        first.map(|(reg, place, _)| (reg.id, place))
    }

    pub(super) fn raise(&mut self, what: &Raised, now: Timestamp, said: &mut Vec<Said>) {
        let mut accepted: Vec<RegistrationId> = Vec::new();
        let ids: Vec<_> = self.all.keys().copied().collect();
        for id in ids {
            let reg = &self.all[&id];
            let meant = match (what, reg.trigger()) {
                (Raised::Custom(raised), Trigger::Custom { name }) => raised == name,
                (Raised::System(raised), Trigger::System { event, .. }) => raised == event,
                _ => false,
            };
            let over = reg.removed || reg.ended.is_some() || (reg.is_once() && reg.spent);
            if !meant || over || self.draining {
                continue;
            }
            let unique = reg.options().unique.as_ref();
            let taken = accepted.iter().any(|other| {
                unique.is_some() && self.all[other].options().unique.as_ref() == unique
            });
            let refusal = self
                .refusal(reg)
                .or((taken && !self.can_start(reg)).then_some(Suppression::PendingFull));
            let reg = self.all.get_mut(&id).unwrap();
            match refusal {
                Some(why) => {
                    reg.told = Some((now, why.clone()));
                    said.push(Said::Note(id, why));
                }
                None => {
                    reg.spent |= reg.is_once();
                    accepted.push(id);
                }
            }
        }
        if !accepted.is_empty() {
            said.push(Said::Enqueue(accepted));
        }
    }

    pub(super) fn fire(&mut self, id: RegistrationId, now: Timestamp, said: &mut Vec<Said>) {
        let (reg, zone) = (&self.all[&id], &self.zone);
        if self.draining || reg.firing || reg.removed || reg.ended.is_some() {
            return;
        }
        let Some(due) = reg.due.filter(|due| reg.wake(*due) <= now) else {
            // Nothing fires, but a period that got shorter is kept.
            if times::period(reg.trigger()).is_some() && reg.due < reg.stored {
                said.push(Said::Fire {
                    registration: id,
                    times: Vec::new(),
                    next: reg.due,
                    suppressed: None,
                    last: false,
                });
                self.all.get_mut(&id).unwrap().firing = true;
            }
            return;
        };
        let (last, forbidden) = (reg.is_once(), self.does_not_count(reg));
        if let (true, Some(why)) = (last, &forbidden) {
            if !reg.is_put_off(why) {
                said.push(Said::Note(id, why.clone()));
                let reg = self.all.get_mut(&id).unwrap();
                reg.told = Some((now, why.clone()));
            }
            return;
        }
        let mut passed = times::within(reg.trigger(), due, due, now, zone);
        passed.retain(|at| reg.wake(*at) <= now);
        if passed.is_empty() {
            passed.push(due);
        }
        let newest = *passed.last().unwrap();
        let late = |at: Timestamp| now.duration_since(reg.wake(at)) > SignedDuration::from_mins(1);
        let punctual = newest == due && !late(due);
        let (mut times, mut why) = match reg.declaration.missed() {
            _ if last => (vec![due], None),
            _ if punctual => (vec![due], None),
            Missed::Skip if late(newest) => (vec![], Some(Suppression::Missed)),
            Missed::Once | Missed::Skip => (vec![newest], None),
            Missed::All(n) => (
                passed.split_off(passed.len().saturating_sub(n as usize)),
                None,
            ),
        };
        if !last && (forbidden.is_some() || why.is_none()) {
            why = self.refusal(reg);
        }
        if why.is_some() {
            times.clear();
        }
        let next = times::next(reg.trigger(), newest, newest, zone);
        said.push(Said::Fire {
            registration: id,
            times,
            next: next.filter(|_| !last),
            suppressed: why.clone(),
            last,
        });
        let reg = self.all.get_mut(&id).unwrap();
        reg.firing = true;
        reg.fired = Some(newest);
        if let Some(why) = why {
            reg.told = Some((now, why));
        }
    }

    /// Asks runs to stop: whose condition is lost, or which something newer replaces.
    pub(super) fn stop(&mut self, id: RegistrationId, now: Timestamp, said: &mut Vec<Said>) {
        let reg = &self.all[&id];
        let maintenance = matches!(reg.trigger(), Trigger::Maintenance { .. });
        let lost = if maintenance && self.truth(&Predicate::AcPower) == Truth::False {
            Some(CancelReason::Abort)
        } else if reg.options().cancel_on_condition_loss && self.condition(reg) == Truth::False {
            Some(CancelReason::ConditionLoss)
        } else {
            None
        };
        let replaces = reg.declaration.overlap() == Overlap::Replace
            && self.is_let(reg)
            && !reg.removed
            && !self.draining;
        let newer = |body: &Body| {
            reg.held.iter().any(|held| {
                replaces
                    && held.waiting.attempt == 0
                    && held.waiting.not_before <= now
                    && held.waiting.accepted >= body.waiting.accepted
            })
        };
        let replaced: Vec<bool> = reg.bodies.iter().map(newer).collect();
        let bodies = &mut self.all.get_mut(&id).unwrap().bodies;
        for (body, replaced) in bodies.iter_mut().zip(replaced) {
            let reason = lost.or(replaced.then_some(CancelReason::Abort));
            let (Some(reason), None) = (reason, body.cancel) else {
                continue;
            };
            match body.phase {
                Phase::Overrun => {}
                Phase::Starting if lost.is_some() => {}
                Phase::Starting => body.cancel = Some(reason),
                Phase::Running => {
                    body.cancel = Some(reason);
                    said.push(Said::Cancel(body.waiting.id, reason));
                }
            }
        }
    }

    /// Holds what waits to `pending` and `unique`.
    pub(super) fn trim(&mut self, id: RegistrationId, now: Timestamp, said: &mut Vec<Said>) {
        let reg = &self.all[&id];
        let mut old: Vec<_> = reg.held.iter().filter(|held| reg.gives_way(held)).collect();
        let by = old.pop().map(|newest| newest.waiting.id);
        let old: Vec<_> = old.iter().map(|held| held.waiting.id).collect();
        for activation in old {
            self.suppress(id, activation, Suppression::Superseded { by }, now, said);
        }
        loop {
            let reg = &self.all[&id];
            let most = match reg.pending() {
                Pending::Latest => usize::MAX,
                Pending::First => 1,
                Pending::Queue(n) => n as usize,
            };
            let unique = reg.options().unique.as_ref();
            let same = |other: &&Reg| unique.is_some() && other.options().unique.as_ref() == unique;
            let under: usize = self
                .all
                .values()
                .filter(same)
                .map(|reg| reg.held.len())
                .sum();
            if reg.held.len() <= most && under <= 1 {
                return;
            }
            let new = |held: &&Held| held.fresh && held.waiting.attempt == 0 && !held.waiting.kept;
            let Some(newest) = reg.held.iter().filter(new).max_by_key(|held| held.arrival) else {
                return;
            };
            let newest = newest.waiting.id;
            self.suppress(id, newest, Suppression::PendingFull, now, said);
        }
    }

    /// Tells what the energy budget alone holds.
    pub(super) fn throttle(&mut self, id: RegistrationId, now: Timestamp, said: &mut Vec<Said>) {
        let reg = &self.all[&id];
        if self.blocked(reg) != Some("waits, because the energy budget")
            || reg.removed
            || self.draining
        {
            return;
        }
        for held in &mut self.all.get_mut(&id).unwrap().held {
            if held.waiting.not_before <= now && !held.throttled {
                held.throttled = true;
                said.push(Said::Throttled(id));
            }
        }
    }
}
