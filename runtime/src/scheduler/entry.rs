//! What the scheduler keeps of one registration.

use std::{collections::VecDeque, sync::Arc};

use bgtask_model::{Declaration, Overlap, Pending, Trigger};
use jiff::{SignedDuration, Timestamp, tz::TimeZone};

use super::{
    Registered, Waiting,
    due::Plan,
    gate::{Gate, Lack},
    later::Later,
};
use crate::{ActivationId, CancelReason, Details, RegistrationId, Standing, Suppression};

/// As many activations as a registration keeps whose every event counts: the grammar's own limit
/// of a queue, so that a flood of requests stays bounded.
pub(super) const EACH_COUNTS: u32 = 10_000;

#[derive(Debug)]
pub(super) struct Entry {
    pub(super) id: RegistrationId,
    pub(super) declaration: Arc<Declaration>,
    pub(super) plan: Plan,
    pub(super) gate: Gate,
    /// The due time that the store has.
    pub(super) stored: Option<Timestamp>,
    /// The next due time, and when it fires: later by the jitter.
    pub(super) due: Option<Timestamp>,
    pub(super) wake: Option<Timestamp>,
    /// The newest due time that fired, or a moment between it and the next one.
    pub(super) last: Option<Timestamp>,
    pub(super) generation: u64,
    /// A fire is with the store.
    pub(super) firing: bool,
    /// A one-shot that fired: its next outcome ends it.
    pub(super) spent: bool,
    pub(super) ended: Option<Timestamp>,
    pub(super) standing: Standing,
    pub(super) refused: Option<String>,
    /// Unregistered; kept until its last body returns, because that holds the `exclusive` key.
    pub(super) removed: bool,
    pub(super) last_suppression: Option<(Timestamp, Suppression)>,
    /// What the newest event told while it is not accepted yet, of a trigger that tells what
    /// changed since the last one.
    pub(super) raised: Option<(ActivationId, Details)>,
    /// Such an event was suppressed.
    pub(super) untold: bool,
    /// In the order of starting.
    pub(super) waiting: VecDeque<Item>,
    /// What is asked for a later time.
    pub(super) later: Later,
    pub(super) running: Vec<Run>,
    /// What came to wait since the last look. A queue may be long: one look at each newcomer is
    /// enough, unless what holds all of them changed or a time came.
    pub(super) arrived: Vec<ActivationId>,
    /// Each one that waits has to be looked at.
    pub(super) review: bool,
    /// The earliest time that one of them waits for.
    pub(super) until: Option<Timestamp>,
    /// What keeps all that waits from starting, as told last.
    pub(super) blocker: Option<Arc<Blocker>>,
    /// Where it stands in the scheduler's timers.
    pub(super) timer: Option<Timestamp>,
}

/// A waiting activation.
#[derive(Debug)]
pub(super) struct Item {
    pub(super) waiting: Waiting,
    /// Order of arrival, for what was accepted in the same instant.
    pub(super) arrival: u64,
    /// How long it was to wait for its next attempt when it came, so that a clock set back cannot
    /// make it longer.
    pub(super) delay: SignedDuration,
    /// What it waits for, and since when.
    pub(super) hold: Option<(Timestamp, Arc<Blocker>)>,
    /// It was told that the energy budget holds it.
    pub(super) throttled: bool,
}

/// An activation that was told to start.
#[derive(Debug)]
pub(super) struct Run {
    pub(super) waiting: Waiting,
    pub(super) since: Timestamp,
    /// As it waited, should it wait again.
    pub(super) arrival: u64,
    pub(super) phase: Phase,
    pub(super) cancel: Option<CancelReason>,
    /// The `exclusive` key that it holds.
    pub(super) key: Option<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Phase {
    /// Told to start, not confirmed.
    Starting,
    Running,
    /// Its end is recorded, its body still executes.
    Overrun,
}

/// What keeps a waiting activation from starting.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Blocker {
    Refused(String),
    Quarantined {
        since: Timestamp,
        reason: String,
    },
    /// The status of access.
    Denied(String),
    Disabled {
        since: Timestamp,
    },
    Paused {
        since: Timestamp,
    },
    Until(Timestamp),
    Condition(Vec<Lack>),
    /// Another activation of the registration has the slot.
    Slot {
        overrun: bool,
    },
    /// A run of another task has the key.
    Exclusive {
        key: String,
        task: String,
    },
    EnergySaver,
    OverBudget,
}

impl Entry {
    /// A declaration whose due times cannot be computed is refused; the others go on.
    pub(super) fn new(registered: Registered) -> Self {
        let Registered {
            id,
            declaration,
            due,
            fired,
            generation,
            last_suppression,
            ended,
            standing,
            refused,
            replaces: _,
        } = registered;
        let trigger = &declaration.trigger;
        let (plan, unreadable) = match Plan::new(&declaration) {
            Ok(plan) => (plan, None),
            Err(error) => (Plan::Event, Some(error.to_string())),
        };
        Self {
            id,
            plan,
            gate: Gate::new(&declaration),
            stored: due,
            due,
            wake: None,
            last: fired.map(|at| due.map_or(at, |due| at.min(due - SignedDuration::from_nanos(1)))),
            generation,
            firing: false,
            spent: trigger.is_timed() && trigger.is_once() && due.is_none(),
            ended,
            standing,
            refused: refused.or(unreadable),
            removed: false,
            last_suppression,
            raised: None,
            untold: false,
            waiting: VecDeque::new(),
            later: Later::default(),
            running: Vec::new(),
            arrived: Vec::new(),
            review: true,
            until: None,
            blocker: None,
            timer: None,
            declaration,
        }
    }

    /// Whether its trigger may fire.
    pub(super) const fn fires(&self) -> bool {
        self.ended.is_none() && self.starts()
    }

    /// Whether what was accepted may start.
    pub(super) const fn starts(&self) -> bool {
        self.refused.is_none() && !self.removed
    }

    pub(super) fn overlap(&self) -> Overlap {
        self.declaration.overlap()
    }

    /// How many may run at once.
    pub(super) fn slots(&self) -> usize {
        match self.overlap() {
            Overlap::Allow(n) => n.max(1) as usize,
            _ => 1,
        }
    }

    /// How many are kept waiting. Where each event is a piece of work of its own (a request of the
    /// app, a notification, a packet), each is kept unless `pending` or a queue says otherwise; so
    /// are the due times that `missed = all(n)` asks for.
    pub(super) fn pending(&self) -> Pending {
        let options = &self.declaration.options;
        let stated = self.declaration.pending();
        if options.pending.is_some()
            || matches!(options.overlap, Some(Overlap::Queue(_) | Overlap::Replace))
        {
            return stated;
        }
        let trigger = &self.declaration.trigger;
        match (trigger, self.declaration.missed()) {
            (
                Trigger::Application
                | Trigger::MediaProcessing
                | Trigger::Push { .. }
                | Trigger::Socket { .. }
                | Trigger::ControlChannel { .. }
                | Trigger::DeviceUse
                | Trigger::DeviceServicing
                | Trigger::AppService { .. }
                | Trigger::ToastAction
                | Trigger::Voip,
                _,
            ) => Pending::Queue(EACH_COUNTS),
            (_, bgtask_model::Missed::All(n)) if trigger.is_timed() => Pending::Queue(n),
            _ => stated,
        }
    }

    /// How many more may wait; `latest` makes room itself.
    pub(super) fn room(&self) -> usize {
        match self.pending() {
            Pending::Latest => usize::MAX,
            Pending::First => 1_usize.saturating_sub(self.waiting.len()),
            Pending::Queue(n) => (n as usize).saturating_sub(self.waiting.len()),
        }
    }

    /// Whether it stays when a newer one comes to wait.
    pub(super) fn keeps(&self, item: &Item) -> bool {
        self.keeps_at(item.waiting.attempt)
    }

    /// The same of one that was started so often.
    fn keeps_at(&self, attempt: u32) -> bool {
        match self.pending() {
            Pending::Latest => attempt > 0 && self.declaration.options.pending.is_none(),
            Pending::First | Pending::Queue(_) => true,
        }
    }

    /// Whether a newer one may take the place of one that was started so often.
    fn gives_way_at(&self, attempt: u32) -> bool {
        self.overlap() == Overlap::Replace || !self.keeps_at(attempt)
    }

    /// Whether a newer one may take its place: now, or when it waits again.
    fn gives_way(&self, run: &Run) -> bool {
        match run.phase {
            Phase::Overrun => false,
            // Its claim may be given back.
            Phase::Starting => self.gives_way_at(run.waiting.attempt),
            // It may be tried again.
            Phase::Running => self.gives_way_at(run.waiting.attempt + 1),
        }
    }

    /// Whether a newer one may take the place of one that is known, or `comes` just before it.
    pub(super) fn may_displace(&self, comes: bool) -> bool {
        let waits = || self.waiting.iter().any(|item| !self.keeps(item));
        let runs = || self.running.iter().any(|run| self.gives_way(run));
        self.gives_way_at(0) && (comes || waits() || runs())
    }

    /// Whether the outcome of an activation ends the registration: it is a one-shot, and this is
    /// what it fired.
    pub(super) fn ends(&self, activation: &Waiting) -> bool {
        self.declaration.trigger.is_once()
            && self.spent
            && self.ended.is_none()
            && !activation.foreign
    }

    /// An activation that waits, or whose run has not ended.
    pub(super) fn known(&self, activation: ActivationId) -> Option<&Waiting> {
        let is_active = |run: &&Run| run.waiting.id == activation && run.phase != Phase::Overrun;
        let run = self.running.iter().find(is_active);
        run.map(|run| &run.waiting)
            .or_else(|| Some(&self.waiting.get(self.find(activation)?)?.waiting))
    }

    /// Whether it is a one-shot that ended. The last due time of one may pass without an
    /// activation.
    pub(super) fn has_ended(&self) -> bool {
        let trigger = &self.declaration.trigger;
        let is_over = trigger.is_timed() && trigger.is_once() && self.spent && !self.firing;
        let open = self.waiting.len() + self.later.len() + self.running.len();
        self.ended.is_some() || (is_over && open == 0)
    }

    /// Sets the due time and when it fires.
    pub(super) fn set_due(&mut self, due: Option<Timestamp>, system: &TimeZone) {
        self.due = due;
        let jitter = self.declaration.options.jitter;
        self.wake = due.map(|due| self.plan.spread(self.id, due, jitter, system));
    }

    /// Whether the store has a later due time of the period than it should have. It is told, or a
    /// start after a step back of the clock would begin the period anew each time.
    pub(super) fn is_nearer(&self) -> bool {
        matches!(self.plan, Plan::Period { .. }) && self.due < self.stored
    }

    /// Looks at a due time again after the clock or the zone changed. One that passed stays, to be
    /// handled as missed; a period never waits longer than its period; a civil time is computed
    /// anew, but what fired within the last three hours does not fire again (as in Debian's cron,
    /// which takes a longer step back for a correction of the clock).
    pub(super) fn replan(&mut self, due: Option<Timestamp>, now: Timestamp, system: &TimeZone) {
        const STEP: SignedDuration = SignedDuration::from_hours(3);
        // Forgotten, or a later look would take it for a short step.
        self.last = self.last.filter(|last| last.duration_since(now) <= STEP);
        let due = match (due, &self.plan) {
            (Some(due), _) if due <= now => Some(due),
            (Some(due), Plan::Period { .. }) => self
                .plan
                .first(now, system)
                .map_or(Some(due), |longest| Some(due.min(longest))),
            (Some(due), Plan::Cron { .. } | Plan::At { .. }) => {
                let from = match self.last {
                    Some(last) if last > now => last,
                    _ => now,
                };
                self.plan.after(from, from, system).or(Some(due))
            }
            (due, _) => due,
        };
        self.set_due(due, system);
    }

    /// The details of an event, with those of what it takes the place of.
    pub(super) fn follow(&self, mut details: Details) -> Details {
        let waiting = self.waiting.iter().rfind(|item| !self.keeps(item));
        let running = self.running.iter().rfind(|run| self.gives_way(run));
        // Each of these tells what those before it told.
        let raised = self
            .raised
            .as_ref()
            .filter(|_| self.pending() == Pending::Latest);
        let before = match (raised, waiting, running) {
            (Some((_, raised)), ..) => Some(raised),
            (None, Some(item), _) => Some(&item.waiting.details),
            (None, None, Some(run)) => Some(&run.waiting.details),
            (None, None, None) => None,
        };
        if self.untold {
            details.overflow();
        }
        if let Some(before) = before {
            details.follow(before);
        }
        details
    }

    /// Puts an activation in its place: in the order of acceptance, of due times within that.
    pub(super) fn insert(&mut self, item: Item) {
        let key = |item: &Item| {
            let scheduled = item.waiting.details.scheduled;
            (item.waiting.accepted, scheduled, item.arrival)
        };
        let place = self
            .waiting
            .partition_point(|other| key(other) < key(&item));
        self.arrived.push(item.waiting.id);
        self.waiting.insert(place, item);
    }

    /// A newcomer's place: near the end, as a rule.
    pub(super) fn find(&self, activation: ActivationId) -> Option<usize> {
        self.waiting
            .iter()
            .rposition(|item| item.waiting.id == activation)
    }

    pub(super) fn take_waiting(&mut self, activation: ActivationId) -> Option<Item> {
        let place = self
            .waiting
            .iter()
            .position(|item| item.waiting.id == activation)?;
        let item = self.waiting.remove(place)?;
        self.review |= self.until == Some(item.waiting.not_before);
        Some(item)
    }

    /// Takes out what waits, also for a later time.
    pub(super) fn take(&mut self, activation: ActivationId) -> Option<Waiting> {
        let later = self.later.take(activation);
        later.or_else(|| Some(self.take_waiting(activation)?.waiting))
    }

    /// The run of an activation whose end is not recorded.
    pub(super) fn active(&mut self, activation: ActivationId) -> Option<&mut Run> {
        self.running
            .iter_mut()
            .find(|run| run.waiting.id == activation && run.phase != Phase::Overrun)
    }
}
