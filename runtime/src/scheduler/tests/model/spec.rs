//! The rules once more, written to be read: each step looks at everything, nothing is remembered
//! but what happened.

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

impl Reg {
    fn trigger(&self) -> &Trigger {
        &self.declaration.trigger
    }

    fn options(&self) -> &Options {
        &self.declaration.options
    }

    fn is_once(&self) -> bool {
        self.trigger().is_once()
    }

    fn pending(&self) -> Pending {
        let options = self.options();
        let queued = matches!(options.overlap, Some(Overlap::Queue(_) | Overlap::Replace));
        match (self.trigger(), self.declaration.missed()) {
            _ if options.pending.is_some() || queued => self.declaration.pending(),
            (Trigger::Application, _) => Pending::Queue(10_000),
            (trigger, Missed::All(n)) if trigger.is_timed() => Pending::Queue(n),
            _ => Pending::Latest,
        }
    }

    /// Whether a newer one takes its place.
    fn gives_way(&self, held: &Held) -> bool {
        self.pending() == Pending::Latest
            && (held.waiting.attempt == 0 || self.options().pending.is_some())
    }

    fn slots(&self) -> usize {
        match self.declaration.overlap() {
            Overlap::Allow(n) => n as usize,
            _ => 1,
        }
    }

    /// Whether the outcome of this one ends it.
    fn ends(&self, activation: &Waiting) -> bool {
        self.is_once() && self.spent && self.ended.is_none() && !activation.foreign
    }

    /// What waits, and what runs.
    fn open(&self) -> impl Iterator<Item = &Waiting> {
        let active = |body: &&Body| body.phase != Phase::Overrun;
        let active = self.bodies.iter().filter(active).map(|body| &body.waiting);
        let held = self.held.iter().map(|held| &held.waiting);
        active.chain(held).chain(&self.later)
    }

    /// When a due time fires.
    fn wake(&self, due: Timestamp) -> Timestamp {
        let Some(jitter) = self.options().jitter else {
            return due;
        };
        // It ends before the next due time. Civil times are far enough apart.
        let room = match times::period(self.trigger()) {
            Some(period) => period.as_nanos().min(jitter.as_nanos() as i128),
            None => jitter.as_nanos() as i128,
        };
        let draw = i128::from(mix(self.id, due.as_nanosecond() as u64)) % room;
        due + SignedDuration::from_nanos(draw as i64)
    }

    fn replan(&mut self, now: Timestamp, zone: &TimeZone) {
        let three_hours = now + SignedDuration::from_hours(3);
        self.fired = self.fired.filter(|at| *at <= three_hours);
        let Some(due) = self.due.filter(|due| *due > now) else {
            return;
        };
        if let Some(period) = times::period(self.trigger()) {
            self.due = Some(due.min(now + period));
        } else if times::is_civil(self.trigger()) {
            let recent = self.fired.filter(|at| *at > now);
            self.due = times::next(self.trigger(), due, recent.unwrap_or(now), zone);
        }
    }

    fn drop_waiting(&mut self, activation: ActivationId) {
        self.held.retain(|held| held.waiting.id != activation);
        self.later.retain(|waiting| waiting.id != activation);
    }

    /// Whether this fire of a one-shot was told not to count.
    fn is_put_off(&self, why: &Suppression) -> bool {
        let told = self.told.as_ref();
        self.is_once() && told.is_some_and(|(at, told)| told == why && Some(*at) >= self.due)
    }
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

    // What there is.

    fn truth(&self, predicate: &Predicate) -> Truth {
        let (base, opposite) = predicate.base();
        let reading = self.facts.get(&base).copied().unwrap_or(Reading::Unknown);
        match opposite {
            true => reading.truth().negate(),
            false => reading.truth(),
        }
    }

    fn condition(&self, reg: &Reg) -> Truth {
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

    fn key_is_taken(&self, reg: &Reg) -> bool {
        let key = &reg.options().exclusive;
        let mut bodies = self.all.values().flat_map(|reg| &reg.bodies);
        key.is_some() && bodies.any(|body| body.key == *key)
    }

    /// What keeps every activation of it from starting, in the words that an explanation of it
    /// begins with.
    fn blocked(&self, reg: &Reg) -> Option<&'static str> {
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
    fn is_let(&self, reg: &Reg) -> bool {
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

    fn can_start(&self, reg: &Reg) -> bool {
        !self.draining && !reg.removed && self.blocked(reg).is_none()
    }

    fn does_not_count(&self, reg: &Reg) -> Option<Suppression> {
        match (&reg.standing, &self.restrictions.denied) {
            (Standing::Quarantined { .. }, _) => Some(Suppression::Quarantined),
            (_, Some(_)) => Some(Suppression::Denied),
            (Standing::Disabled { .. }, _) => Some(Suppression::Disabled),
            _ => None,
        }
    }

    /// How many wait under its `unique` key beside those of its own that would give way.
    fn under_key(&self, reg: &Reg) -> usize {
        let key = reg.options().unique.as_ref();
        let same = |other: &&Reg| key.is_some() && other.options().unique.as_ref() == key;
        let stay = |other: &Reg| {
            let gives_way = |held: &&Held| other.id == reg.id && reg.gives_way(held);
            other.held.len() - other.held.iter().filter(gives_way).count()
        };
        self.all.values().filter(same).map(stay).sum()
    }

    /// Why an event of this moment makes no activation.
    fn refusal(&self, reg: &Reg) -> Option<Suppression> {
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

    fn hear(&mut self, now: Timestamp, input: &Input, said: &mut Vec<Said>) {
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

    fn register(&mut self, now: Timestamp, new: &Registered) {
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

    fn active(&mut self, activation: ActivationId) -> Option<(RegistrationId, &mut Body)> {
        let all = self.all.iter_mut();
        let mut all = all.flat_map(|(id, reg)| reg.bodies.iter_mut().map(|body| (*id, body)));
        all.find(|(_, body)| body.waiting.id == activation && body.phase != Phase::Overrun)
    }

    fn who_holds(&self, activation: ActivationId) -> Option<RegistrationId> {
        let holds = |reg: &&Reg| {
            let mut waiting = reg.held.iter().map(|held| &held.waiting).chain(&reg.later);
            waiting.any(|waiting| waiting.id == activation)
        };
        Some(self.all.values().find(holds)?.id)
    }

    fn accept(&mut self, waiting: Waiting, now: Timestamp, said: &mut Vec<Said>) {
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
    fn come_due(&mut self, now: Timestamp, said: &mut Vec<Said>) {
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

    fn arrive(&mut self, mut waiting: Waiting, now: Timestamp, said: &mut Vec<Said>) {
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

    fn hold(&mut self, waiting: Waiting, now: Timestamp) {
        self.arrivals += 1;
        self.hold_as(waiting, self.arrivals, now);
    }

    fn hold_as(&mut self, mut waiting: Waiting, arrival: u64, now: Timestamp) {
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

    fn end(
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

    fn suppress(
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

    /// Of everything that could start, the one with the highest priority; of those the oldest.
    fn next_to_start(&self, now: Timestamp) -> Option<(RegistrationId, usize)> {
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

    fn raise(&mut self, what: &Raised, now: Timestamp, said: &mut Vec<Said>) {
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

    fn fire(&mut self, id: RegistrationId, now: Timestamp, said: &mut Vec<Said>) {
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
    fn stop(&mut self, id: RegistrationId, now: Timestamp, said: &mut Vec<Said>) {
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
    fn trim(&mut self, id: RegistrationId, now: Timestamp, said: &mut Vec<Said>) {
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
    fn throttle(&mut self, id: RegistrationId, now: Timestamp, said: &mut Vec<Said>) {
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

/// The event that one-shots of these histories wait for.
pub(super) const ZONE_CHANGED: Raised = Raised::System(SystemEvent::TimeZoneChange);
