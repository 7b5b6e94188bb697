//! What follows from one registration alone.

use super::*;

impl Reg {
    pub(super) fn trigger(&self) -> &Trigger {
        &self.declaration.trigger
    }

    pub(super) fn options(&self) -> &Options {
        &self.declaration.options
    }

    pub(super) fn is_once(&self) -> bool {
        self.trigger().is_once()
    }

    pub(super) fn pending(&self) -> Pending {
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
    pub(super) fn gives_way(&self, held: &Held) -> bool {
        self.pending() == Pending::Latest
            && (held.waiting.attempt == 0 || self.options().pending.is_some())
    }

    pub(super) fn slots(&self) -> usize {
        match self.declaration.overlap() {
            Overlap::Allow(n) => n as usize,
            _ => 1,
        }
    }

    /// Whether the outcome of this one ends it.
    pub(super) fn ends(&self, activation: &Waiting) -> bool {
        self.is_once() && self.spent && self.ended.is_none() && !activation.foreign
    }

    /// What waits, and what runs.
    pub(super) fn open(&self) -> impl Iterator<Item = &Waiting> {
        let active = |body: &&Body| body.phase != Phase::Overrun;
        let active = self.bodies.iter().filter(active).map(|body| &body.waiting);
        let held = self.held.iter().map(|held| &held.waiting);
        active.chain(held).chain(&self.later)
    }

    /// When a due time fires.
    pub(super) fn wake(&self, due: Timestamp) -> Timestamp {
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

    pub(super) fn replan(&mut self, now: Timestamp, zone: &TimeZone) {
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

    pub(super) fn drop_waiting(&mut self, activation: ActivationId) {
        self.held.retain(|held| held.waiting.id != activation);
        self.later.retain(|waiting| waiting.id != activation);
    }

    /// Whether this fire of a one-shot was told not to count.
    pub(super) fn is_put_off(&self, why: &Suppression) -> bool {
        let told = self.told.as_ref();
        self.is_once() && told.is_some_and(|(at, told)| told == why && Some(*at) >= self.due)
    }
}
