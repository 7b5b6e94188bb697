//! When and what to start: a pure function of what it is told.
//!
//! The scheduler is told the time, the facts and what happened, and answers with what to do. It
//! reads no clock, does no I/O and holds no task's code, so tables and simulations can drive it.
//!
//! What it guarantees:
//!
//! - an accepted activation is waiting, running, or told to be suppressed; none is dropped;
//! - none starts before its time, while its condition is not true, without a free slot, while
//!   another run has its `exclusive` key, or while the user, access or energy holds it back;
//! - a due time fires once, is caught up with, or is noted as missed;
//! - identities of activations follow from the due time, so a repeated [`Fire`] makes no second.

mod decide;
mod due;
mod entry;
mod gate;
mod later;
mod record;
#[cfg(test)]
mod tests;
mod why;
mod withhold;

use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    sync::Arc,
};

use bgtask_model::{Declaration, Predicate, SystemEvent, Trigger};
use jiff::{Timestamp, tz::TimeZone};

use crate::{
    ActivationId, CancelReason, Code, Details, Error, Fact, RegistrationId, Result, Standing,
    Suppression,
    store::{Fire, NewActivation},
};
use due::Plan;
use entry::{Entry, Phase};
pub use why::{Explanation, FactState, HeldActivation, Holds, LastOutcome, RunningActivation};
pub(crate) use withhold::Restrictions;

/// What the scheduler is told.
#[derive(Debug)]
pub(crate) enum Input {
    /// At start, one for each live registration; again when a declaration changed under its id.
    Register(Box<Registered>),
    /// Its waiting activations are told to be suppressed; a running one keeps its slot.
    Unregister(RegistrationId),
    /// Look at the clock again.
    Time,
    /// The wall clock was set or the machine woke: due times are looked at again.
    Clock,
    /// The system's zone changed: civil times without a zone of their own are computed again.
    Zone(TimeZone),
    /// The value of a base predicate. What no one told is unknown and holds, so at start facts
    /// come first.
    Fact(Predicate, Fact),
    /// An event that may start registrations.
    Raised { what: Raised, details: Details },
    /// An activation is persisted: after an enqueue or a fire, or at start from the store, after
    /// its registration: one that nobody registered is suppressed as removed.
    Accepted(Waiting),
    /// The answer to [`Action::Fire`]: what the store now holds, whoever moved it.
    Fired {
        registration: RegistrationId,
        generation: u64,
        due: Option<Timestamp>,
    },
    /// The claim that followed [`Action::Start`] succeeded.
    Started { activation: ActivationId },
    /// The claim that followed [`Action::Start`] was given back, because it
    /// [is held back](Scheduler::is_held_back): it waits again, in its place.
    Unclaimed { activation: ActivationId },
    /// It is waiting no longer: the claim failed, or it was removed from the store.
    Gone { activation: ActivationId },
    /// The end of a one-shot was recorded without a word of the scheduler.
    Over {
        registration: RegistrationId,
        at: Timestamp,
    },
    /// Its end is recorded. With `retry` it waits again. Without `slot_free` its body still
    /// executes, and `Vacated` follows.
    Ended {
        activation: ActivationId,
        slot_free: bool,
        retry: Option<Timestamp>,
    },
    /// The body of an ended activation returned at last.
    Vacated { activation: ActivationId },
    /// By the app or the command.
    CancelRequested {
        activation: ActivationId,
        reason: CancelReason,
    },
    /// Whether a registration may fire and start was changed.
    Standing {
        registration: RegistrationId,
        standing: Standing,
    },
    /// What holds for all registrations of the app was changed. Without a word nothing does.
    Restrict(Restrictions),
    /// Start nothing new from now on.
    Drain,
}

/// An event that may start registrations.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Raised {
    /// `system(…)`
    System(SystemEvent),
    /// `custom("…")`
    Custom(String),
    /// `startup`
    Startup,
    /// What a source of its own tells registrations with just this trigger: `files("/a")`.
    Trigger(Trigger),
    /// What is for one registration only: its socket fired.
    Registration(RegistrationId),
}

/// A registration as the store and the registry know it.
#[derive(Clone, Debug)]
pub(crate) struct Registered {
    pub(crate) id: RegistrationId,
    pub(crate) declaration: Arc<Declaration>,
    pub(crate) due: Option<Timestamp>,
    /// When it last fired.
    pub(crate) fired: Option<Timestamp>,
    pub(crate) generation: u64,
    pub(crate) last_suppression: Option<(Timestamp, Suppression)>,
    pub(crate) ended: Option<Timestamp>,
    pub(crate) standing: Standing,
    /// The registration whose place it takes.
    pub(crate) replaces: Option<RegistrationId>,
    /// Why it never fires and starts nothing: not supported here.
    pub(crate) refused: Option<String>,
}

/// A persisted activation that waits.
#[derive(Clone, Debug)]
pub(crate) struct Waiting {
    pub(crate) id: ActivationId,
    pub(crate) registration: RegistrationId,
    pub(crate) accepted: Timestamp,
    pub(crate) not_before: Timestamp,
    /// How often it was started.
    pub(crate) attempt: u32,
    /// It waited or ran when the last launch ended, so it has its place already, unless its time is
    /// still to come.
    pub(crate) kept: bool,
    pub(crate) details: Details,
    /// Its registration's own trigger did not fire: it neither spends nor ends a one-shot.
    pub(crate) foreign: bool,
}

/// What is to be done.
#[derive(Clone, Debug)]
pub(crate) enum Action {
    /// Move a due time on. Its activations come back as `Accepted`, the answer as `Fired`; until
    /// then the registration does not fire again. Without activations and without a suppression
    /// nothing fired: a step of the clock moved the due time.
    Fire(Fire),
    /// Accept activations of an event; they come back as `Accepted`.
    Enqueue(Vec<NewActivation>),
    /// Claim and run it; `Started`, `Unclaimed` or `Gone` follows.
    Start {
        activation: ActivationId,
        #[cfg_attr(not(test), expect(dead_code, reason = "the broker knows it already"))]
        registration: RegistrationId,
    },
    /// Ask a running one to stop.
    Cancel {
        activation: ActivationId,
        reason: CancelReason,
    },
    /// Record that a waiting one will not start.
    Suppress {
        activation: ActivationId,
        why: Suppression,
        ends_registration: bool,
    },
    /// For the event log: what it waits for changed.
    Hold {
        activation: ActivationId,
        reason: String,
    },
    /// For the event log: an event that made no activation.
    Note {
        registration: RegistrationId,
        why: Suppression,
    },
    /// An activation that could start is held for the energy budget: told once for each.
    Throttled { registration: RegistrationId },
}

/// Something that several registrations may have in common.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Shared {
    Fact(Predicate),
    Exclusive(String),
    Unique(String),
}

/// Decides; see the module.
#[derive(Debug)]
pub(crate) struct Scheduler {
    zone: TimeZone,
    draining: bool,
    restrictions: Restrictions,
    facts: gate::Facts,
    entries: HashMap<RegistrationId, Entry>,
    /// Whose waiting activation it is, or whose running one.
    owners: HashMap<ActivationId, RegistrationId>,
    shared: BTreeMap<Shared, BTreeSet<RegistrationId>>,
    /// Which registration's run has an `exclusive` key.
    held: HashMap<String, RegistrationId>,
    timers: BTreeSet<(Timestamp, RegistrationId)>,
    /// What has to be looked at before the answer.
    dirty: BTreeSet<RegistrationId>,
    /// Counts arrivals, and tells apart identities made in the same instant.
    count: u64,
}

impl Scheduler {
    /// An empty one; `zone` is the system's.
    pub(crate) fn new(zone: TimeZone) -> Self {
        Self {
            zone,
            draining: false,
            restrictions: Restrictions::default(),
            facts: gate::Facts::default(),
            entries: HashMap::new(),
            owners: HashMap::new(),
            shared: BTreeMap::new(),
            held: HashMap::new(),
            timers: BTreeSet::new(),
            dirty: BTreeSet::new(),
            count: 0,
        }
    }

    /// The first due time of what is registered `now`; `None` for what an event starts.
    ///
    /// # Errors
    ///
    /// [`Code::InvalidDeclaration`]: its cron expression or zone cannot be read, or it never
    /// comes due.
    pub(crate) fn first_due(
        declaration: &Declaration,
        now: Timestamp,
        zone: &TimeZone,
    ) -> Result<Option<Timestamp>> {
        let plan = Plan::new(declaration)?;
        let first = plan.first(now, zone);
        if first.is_none() && !matches!(plan, Plan::Event) {
            return Err(Error::new(
                Code::InvalidDeclaration,
                format!("`{}` never comes due", declaration.trigger),
            )
            .task(&declaration.name));
        }
        Ok(first)
    }

    /// As [`first_due`](Self::first_due), in the system's zone as it is now.
    pub(crate) fn due_from(
        &self,
        declaration: &Declaration,
        now: Timestamp,
    ) -> Result<Option<Timestamp>> {
        Self::first_due(declaration, now, &self.zone)
    }

    /// When to call [`decide`](Self::decide) with [`Input::Time`] at the latest.
    pub(crate) fn next_wake(&self) -> Option<Timestamp> {
        self.timers.first().map(|(at, _)| *at)
    }

    /// Whether the outcome of an activation ends its registration, a one-shot: to be asked before
    /// a finish without retry is written.
    pub(crate) fn ends_registration(&self, activation: ActivationId) -> bool {
        let entry = self.owners.get(&activation);
        let entry = entry.and_then(|id| self.entries.get(id));
        entry.is_some_and(|entry| entry.known(activation).is_some_and(|one| entry.ends(one)))
    }

    /// Whether an activation that was told to start would be held now: what it needs was lost, and
    /// its body has not begun.
    pub(crate) fn is_held_back(&self, activation: ActivationId) -> bool {
        let entry = self.owners.get(&activation);
        let entry = entry.and_then(|id| self.entries.get(id));
        entry.is_some_and(|entry| !entry.removed && !self.is_let(entry))
    }

    /// Whether a newer activation of it may take the place of another: of one that waits, of one
    /// that runs, at once or when it is tried again, or of one that `comes` just before it.
    pub(crate) fn may_displace(&self, registration: RegistrationId, comes: bool) -> bool {
        let entry = self.entries.get(&registration);
        entry.is_some_and(|entry| entry.may_displace(comes))
    }

    /// The details of what fires by hand: it tells, as an event would, what told that which it
    /// takes the place of.
    pub(crate) fn follow(&self, registration: RegistrationId, details: Details) -> Details {
        match self.entries.get(&registration) {
            Some(entry) => entry.follow(details),
            None => details,
        }
    }

    /// What the store was last told to expect for the next fire.
    pub(crate) fn generation(&self, registration: RegistrationId) -> Option<u64> {
        Some(self.entries.get(&registration)?.generation)
    }

    /// Whether it is a one-shot that has ended.
    pub(crate) fn has_ended(&self, registration: RegistrationId) -> bool {
        let entry = self.entries.get(&registration);
        entry.is_some_and(Entry::has_ended)
    }

    /// Takes in what happened, and says what to do.
    pub(crate) fn decide(&mut self, now: Timestamp, input: Input) -> Vec<Action> {
        let mut actions = Vec::new();
        match input {
            Input::Register(registered) => self.register(*registered, now),
            Input::Unregister(id) => self.unregister(id, &mut actions),
            Input::Time => {}
            Input::Clock => self.replan(now),
            Input::Zone(zone) => self.rezone(zone, now),
            Input::Fact(base, fact) => {
                self.facts.set(base.clone(), fact);
                self.touch_shared(&Shared::Fact(base));
            }
            Input::Raised { what, details } => self.raise(&what, &details, now, &mut actions),
            Input::Accepted(waiting) => self.accept(waiting, now, &mut actions),
            Input::Fired {
                registration,
                generation,
                due,
            } => self.fired(registration, generation, due, now),
            Input::Started { activation } => self.started(activation, &mut actions),
            Input::Unclaimed { activation } => self.unclaimed(activation, now, &mut actions),
            Input::Gone { activation } => self.gone(activation),
            Input::Over { registration, at } => self.over(registration, at),
            Input::Ended {
                activation,
                slot_free,
                retry,
            } => self.ended(activation, slot_free, retry, now, &mut actions),
            Input::Vacated { activation } => {
                self.vacate(activation, |phase| phase == Phase::Overrun)
            }
            Input::CancelRequested { activation, reason } => {
                self.cancel(activation, reason, now, &mut actions);
            }
            Input::Standing {
                registration,
                standing,
            } => self.stand(registration, standing),
            Input::Restrict(restrictions) => self.restrict(restrictions),
            Input::Drain => {
                self.draining = true;
                self.timers.clear();
                for entry in self.entries.values_mut() {
                    entry.timer = None;
                }
            }
        }
        self.settle(now, &mut actions);
        actions
    }

    fn touch_shared(&mut self, shared: &Shared) {
        if let Some(with) = self.shared.get(shared) {
            self.dirty.extend(with);
        }
    }
}
