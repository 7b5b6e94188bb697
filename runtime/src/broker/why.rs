//! Why a task runs, waits or has not run: what the scheduler says, and what it does not know.

use super::{Broker, blame, check::requestable, registrations::Live};
use crate::{Explanation, LastOutcome, Origin, Result};

impl Broker {
    pub(super) fn why(&self, task: &str) -> Result<Explanation> {
        let id = self.resolve(task)?;
        let explained = self.scheduler.explain(id, self.now());
        let mut explanation = explained.ok_or_else(|| self.unregistered(task))?;
        let live = &self.live[&id];
        self.tell_origin(live, &mut explanation);
        if let Some(failure) = self.sources.failure(&live.declaration.trigger) {
            let now = self.now();
            self.scheduler
                .explain_unwatched(&mut explanation, failure, now);
        }
        let last = self.last_outcome.get(&live.name).cloned();
        explanation.alone = last
            .as_ref()
            .and_then(|(_, last)| blame::kept_alone(&live.declaration, last));
        if requestable(&live.declaration) {
            let civil = |time| self.scheduler.civil(time);
            explanation.outbox = self.outboxes.told(&live.name, civil);
        }
        explanation.last_outcome = last.map(|(at, outcome)| LastOutcome { at, outcome });
        Ok(explanation)
    }

    /// Who made it, and of what: the scheduler does not know.
    fn tell_origin(&self, live: &Live, explanation: &mut Explanation) {
        explanation.origin = live.origin.word().to_owned();
        explanation.entry = Some(live.entry.clone()).filter(|entry| *entry != live.name);
        explanation.group.clone_from(&live.group);
        if live.origin == Origin::Declared {
            explanation.overridden = self.overridden.told.get(&live.name).cloned();
        }
        if live.unreadable {
            explanation.trigger = "?".to_owned();
        }
    }
}
