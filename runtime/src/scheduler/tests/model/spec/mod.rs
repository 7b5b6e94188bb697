//! The rules once more, written to be read: each step looks at everything, nothing is remembered
//! but what happened.

mod acting;
mod hearing;
mod reg;
mod state;

use std::collections::BTreeMap;

use bgtask_model::{Missed, Overlap, Pending, SystemEvent, Trigger, Truth};

use super::{super::*, times};
use crate::scheduler::{Restrictions, due::mix};

/// What is told, without the identities that only the scheduler can make.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Said {
    Start(ActivationId),
    Fire {
        registration: RegistrationId,
        times: Vec<Timestamp>,
        next: Option<Timestamp>,
        suppressed: Option<Suppression>,
        last: bool,
    },
    Enqueue(Vec<RegistrationId>),
    Suppress(ActivationId, Suppression, bool),
    Cancel(ActivationId, CancelReason),
    Note(RegistrationId, Suppression),
    Throttled(RegistrationId),
}

impl Said {
    /// Holds are judged by what `explain` says.
    pub(super) fn of(action: &Action) -> Option<Self> {
        Some(match action {
            Action::Start { activation, .. } => Self::Start(*activation),
            Action::Fire(fire) => Self::Fire {
                registration: fire.registration,
                times: fire
                    .activations
                    .iter()
                    .map(|new| new.details.scheduled.unwrap())
                    .collect(),
                next: fire.next,
                suppressed: fire.suppressed.clone(),
                last: fire.last,
            },
            Action::Enqueue(all) => Self::Enqueue(all.iter().map(|new| new.registration).collect()),
            Action::Suppress {
                activation,
                why,
                ends_registration,
            } => Self::Suppress(*activation, why.clone(), *ends_registration),
            Action::Cancel { activation, reason } => Self::Cancel(*activation, *reason),
            Action::Note { registration, why } => Self::Note(*registration, why.clone()),
            Action::Throttled { registration } => Self::Throttled(*registration),
            Action::Hold { .. } => return None,
        })
    }
}

#[derive(Clone, Debug)]
pub(super) struct Held {
    pub(super) waiting: Waiting,
    delay: SignedDuration,
    arrival: u64,
    /// It came in this step.
    fresh: bool,
    throttled: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    Starting,
    Running,
    Overrun,
}

#[derive(Clone, Debug)]
struct Body {
    waiting: Waiting,
    since: Timestamp,
    arrival: u64,
    phase: Phase,
    cancel: Option<CancelReason>,
    /// The `exclusive` key that it took when it started.
    key: Option<String>,
}

#[derive(Clone, Debug)]
struct Reg {
    id: RegistrationId,
    declaration: Arc<Declaration>,
    /// As the store has it.
    stored: Option<Timestamp>,
    due: Option<Timestamp>,
    /// The newest due time that fired.
    fired: Option<Timestamp>,
    firing: bool,
    spent: bool,
    ended: Option<Timestamp>,
    removed: bool,
    standing: Standing,
    told: Option<(Timestamp, Suppression)>,
    held: Vec<Held>,
    /// Asked for a time that has not come: these wait beside all rules.
    later: Vec<Waiting>,
    bodies: Vec<Body>,
}

pub(super) struct Spec {
    zone: TimeZone,
    draining: bool,
    restrictions: Restrictions,
    facts: BTreeMap<Predicate, Reading>,
    all: BTreeMap<RegistrationId, Reg>,
    arrivals: u64,
}

impl Spec {
    pub(super) fn new(zone: TimeZone) -> Self {
        Self {
            zone,
            draining: false,
            restrictions: Restrictions::default(),
            facts: BTreeMap::new(),
            all: BTreeMap::new(),
            arrivals: 0,
        }
    }

    // What is asked.

    pub(super) fn next_wake(&self, now: Timestamp) -> Option<Timestamp> {
        let live = self
            .all
            .values()
            .filter(|reg| !reg.removed && !self.draining);
        let wakes = live.flat_map(|reg| {
            let held = reg.held.iter().map(|held| &held.waiting);
            let times = held.chain(&reg.later).map(|waiting| waiting.not_before);
            let put_off = self
                .does_not_count(reg)
                .is_some_and(|why| reg.is_put_off(&why));
            let due = reg
                .due
                .filter(|_| !reg.firing && !put_off && reg.ended.is_none())
                .map(|due| reg.wake(due));
            times.filter(|at| *at > now).chain(due).collect::<Vec<_>>()
        });
        wakes.min()
    }

    pub(super) fn ends(&self, activation: ActivationId) -> bool {
        self.all.values().any(|reg| {
            let mut open = reg.open();
            open.any(|one| one.id == activation && reg.ends(one))
        })
    }

    /// Whether one that was told to start has lost what it needs.
    pub(super) fn is_held_back(&self, activation: ActivationId) -> bool {
        let of = |reg: &&Reg| reg.open().any(|one| one.id == activation);
        let reg = self.all.values().find(of);
        reg.is_some_and(|reg| !reg.removed && !self.is_let(reg))
    }

    pub(super) fn ended(&self, id: RegistrationId) -> Option<Timestamp> {
        self.all.get(&id)?.ended
    }

    /// What each waiting one waits for, the next to start first.
    pub(super) fn holds(
        &self,
        id: RegistrationId,
        now: Timestamp,
    ) -> Vec<(ActivationId, &'static str)> {
        let Some(reg) = self.all.get(&id).filter(|reg| !reg.removed) else {
            return Vec::new();
        };
        let why = |held: &Held| match held.waiting.not_before > now {
            _ if self.draining => "waits for the next start",
            true => "waits until",
            false => self.blocked(reg).unwrap_or("nothing"),
        };
        let held = reg.held.iter().map(|held| (held.waiting.id, why(held)));
        let mut later: Vec<_> = reg.later.iter().collect();
        later.sort_by_key(|waiting| (waiting.not_before, waiting.id));
        let later = later.iter().map(|waiting| match self.draining {
            true => (waiting.id, "waits for the next start"),
            false => (waiting.id, "waits until"),
        });
        held.chain(later).collect()
    }

    // What happens.

    /// Takes in what happened, and says what follows: starts in their order, all else in any.
    pub(super) fn decide(&mut self, now: Timestamp, input: &Input) -> Vec<Said> {
        let mut said = Vec::new();
        self.hear(now, input, &mut said);
        self.come_due(now, &mut said);
        while let Some((id, place)) = self.next_to_start(now) {
            let reg = self.all.get_mut(&id).unwrap();
            let Held {
                waiting, arrival, ..
            } = reg.held.remove(place);
            said.push(Said::Start(waiting.id));
            reg.bodies.push(Body {
                waiting,
                arrival,
                since: now,
                phase: Phase::Starting,
                cancel: None,
                key: reg.options().exclusive.clone(),
            });
        }
        let ids: Vec<_> = self.all.keys().copied().collect();
        for id in &ids {
            self.fire(*id, now, &mut said);
            self.stop(*id, now, &mut said);
            self.trim(*id, now, &mut said);
            self.throttle(*id, now, &mut said);
        }
        for reg in self.all.values_mut() {
            reg.held.iter_mut().for_each(|held| held.fresh = false);
        }
        self.all
            .retain(|_, reg| !reg.removed || !reg.bodies.is_empty());
        said
    }
}

/// The event that one-shots of these histories wait for.
pub(super) const ZONE_CHANGED: Raised = Raised::System(SystemEvent::TimeZoneChange);
