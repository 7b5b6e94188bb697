//! What is asked for a later time. Until that comes it is kept aside: no rule of `overlap`,
//! `pending` or `unique` looks at it, and nothing gives way to it.

use std::collections::BTreeMap;

use bgtask_model::Pending;
use jiff::Timestamp;

use super::{Action, HeldActivation, Scheduler, Waiting, entry::EACH_COUNTS};
use crate::{ActivationId, RegistrationId};

/// The activations of a registration whose time has not come, the next one first.
#[derive(Debug, Default)]
pub(super) struct Later(BTreeMap<(Timestamp, ActivationId), Kept>);

#[derive(Debug)]
struct Kept {
    waiting: Waiting,
    since: Timestamp,
}

impl Later {
    /// Whether this has a time of its own that has not come. What was started before waits for
    /// another attempt, and takes part in everything.
    pub(super) fn keeps(waiting: &Waiting, now: Timestamp) -> bool {
        waiting.attempt == 0 && waiting.not_before > now
    }

    pub(super) fn insert(&mut self, waiting: Waiting, now: Timestamp) {
        let since = self.remove(waiting.id).map_or(now, |kept| kept.since);
        self.0
            .insert((waiting.not_before, waiting.id), Kept { waiting, since });
    }

    pub(super) fn take(&mut self, activation: ActivationId) -> Option<Waiting> {
        Some(self.remove(activation)?.waiting)
    }

    fn remove(&mut self, activation: ActivationId) -> Option<Kept> {
        let key = self.0.keys().find(|(_, id)| *id == activation).copied()?;
        self.0.remove(&key)
    }

    /// The next one whose time has come.
    fn take_due(&mut self, now: Timestamp) -> Option<Waiting> {
        let first = self.0.first_entry()?;
        (first.key().0 <= now).then(|| first.remove().waiting)
    }

    /// All of them, to be kept for another registration.
    pub(super) fn waiting_mut(&mut self) -> impl Iterator<Item = &mut Waiting> {
        self.0.values_mut().map(|kept| &mut kept.waiting)
    }

    /// All of them, which are no longer kept.
    pub(super) fn drain(&mut self) -> impl Iterator<Item = ActivationId> {
        std::mem::take(&mut self.0).into_keys().map(|(_, id)| id)
    }

    /// The next time that comes.
    pub(super) fn first(&self) -> Option<Timestamp> {
        self.0.keys().next().map(|(at, _)| *at)
    }

    pub(super) fn len(&self) -> usize {
        self.0.len()
    }

    /// As they are shown.
    pub(super) fn held(
        &self,
        reason: impl Fn(Timestamp) -> String,
    ) -> impl Iterator<Item = HeldActivation> {
        self.0.iter().map(move |((at, id), kept)| HeldActivation {
            activation: *id,
            since: kept.since,
            reason: reason(*at),
            until: Some(*at),
        })
    }
}

impl Scheduler {
    /// Lets what has come due take its place among what waits, as if it were asked for now. The
    /// next start of the app does so with what comes due while nothing starts any more.
    pub(super) fn come_due(
        &mut self,
        id: RegistrationId,
        now: Timestamp,
        actions: &mut Vec<Action>,
    ) {
        while !self.draining
            && let Some(entry) = self.entries.get_mut(&id)
            && let Some(mut waiting) = entry.later.take_due(now)
        {
            // It had no place yet when the last launch ended.
            waiting.kept = false;
            self.arrive(waiting, now, actions);
        }
    }

    /// Whether so much waits of a registration that a further batch could be turned away: for
    /// later times, or now, where every event counts. What its declaration says of `pending` is not
    /// meant.
    pub(crate) fn is_crowded(&self, registration: RegistrationId, later: bool) -> bool {
        const ROOM: usize = EACH_COUNTS as usize / 2;
        self.entries.get(&registration).is_some_and(|entry| {
            if later {
                return entry.later.len() >= ROOM;
            }
            entry.pending() == Pending::Queue(EACH_COUNTS) && entry.waiting.len() >= ROOM
        })
    }

    /// Whether no more can be kept for later times.
    pub(crate) fn later_is_full(&self, registration: RegistrationId) -> bool {
        self.entries
            .get(&registration)
            .is_some_and(|entry| entry.later.len() >= EACH_COUNTS as usize)
    }
}
