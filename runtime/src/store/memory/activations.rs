//! Activations and runs in memory.

use jiff::Timestamp;

use super::{Activation, Records, Run};
use crate::{
    ActivationId, Outcome, RunId, Suppression,
    store::{
        ActivationRecord, Claim, Finish, Lease, NewActivation, Note, Release, RunRecord, Suppress,
        at_most_once, depth, is_once,
    },
};

impl Records {
    pub(super) fn accept(&mut self, new: NewActivation, accepted: Timestamp) {
        let known = self.activations.iter().any(|open| open.record.id == new.id)
            || self.runs.iter().any(|run| run.record.activation == new.id);
        if known {
            return;
        }
        self.activations.push(Activation {
            record: ActivationRecord {
                id: new.id,
                registration: new.registration,
                task: new.task,
                details: new.details,
                accepted,
                not_before: new.not_before,
                attempt: 0,
                fence: 0,
                run: None,
                journal: new.journal,
                foreign: new.foreign,
            },
            started: None,
        });
    }

    pub(super) fn claim(&mut self, claim: &Claim) -> Option<Lease> {
        let open = self
            .activations
            .iter_mut()
            .find(|open| open.record.id == claim.activation)?;
        match open.record.run {
            None => {
                open.record.run = Some(claim.run);
                open.record.attempt += 1;
                open.record.fence += 1;
                open.started = Some(claim.at);
            }
            Some(run) if run == claim.run => {}
            Some(_) => return None,
        }
        Some(Lease {
            attempt: open.record.attempt,
            fence: open.record.fence,
        })
    }

    pub(super) fn release(&mut self, release: &Release) {
        let mut open = self.activations.iter_mut();
        let is = |open: &&mut Activation| {
            open.record.id == release.activation && open.record.run == Some(release.run)
        };
        if let Some(open) = open.find(is) {
            open.record.run = None;
            open.record.attempt -= 1;
            open.started = None;
        }
    }

    pub(super) fn finish(&mut self, finish: Finish) -> bool {
        let running =
            |record: &ActivationRecord| record.run.is_some() && record.fence == finish.fence;
        let Some(at) = self
            .activations
            .iter()
            .position(|open| open.record.id == finish.activation && running(&open.record))
        else {
            return false;
        };
        let mut outcome = depth::keepable(&finish.outcome).into_owned();
        if outcome.is_completed() {
            match self.refusal(&finish.data) {
                Some(refused) => {
                    outcome = Outcome::Failed {
                        error: refused.of_run(),
                    };
                }
                None => drop(self.change_data(finish.data)),
            }
        }
        if let Some(cpu) = finish.cpu {
            let task = self.activations[at].record.task.clone();
            self.use_energy(&task, finish.at, cpu, finish.on_battery);
        }
        let registration = self.activations[at].record.registration;
        // What would wait for a registration that is gone would wait for ever.
        let is_there = self.registration(registration).is_some();
        let retry_at = finish.retry_at.filter(|_| is_there);
        let open = &mut self.activations[at];
        let run = RunRecord {
            progress: finish.progress,
            retry_at,
            ..ended(open, finish.at, outcome)
        };
        let undelivered = open.record.journal && retry_at.is_none();
        if let Some(retry_at) = retry_at {
            open.record.run = None;
            open.record.not_before = retry_at;
            open.started = None;
        } else {
            let open = self.activations.remove(at);
            if finish.ends_registration && !open.record.foreign {
                self.end(open.record.registration, finish.at);
            }
        }
        self.record(Run {
            record: run,
            undelivered,
        });
        true
    }

    pub(super) fn suppress(&mut self, suppress: Suppress) -> bool {
        let Some(open) = self.take(suppress.activation, |record| record.run.is_none()) else {
            return false;
        };
        self.end_suppressed(open, suppress.at, suppress.why, suppress.ends_registration);
        true
    }

    pub(super) fn recover(&mut self, now: Timestamp) -> Vec<ActivationRecord> {
        let open: Vec<_> = self
            .activations
            .iter()
            .map(|open| &open.record)
            .map(|record| (record.id, record.registration, record.run.is_some()))
            .collect();
        let mut recovered = Vec::new();
        for (activation, registration, is_running) in open {
            let (why, ending) = match self.registration(registration) {
                None => (Some(Suppression::Removed), false),
                Some(_) if !is_running => continue,
                Some(kept) if at_most_once(&kept.record.declaration) => {
                    let ending = kept.ending || is_once(&kept.record.declaration);
                    (Some(Suppression::AtMostOnce), ending)
                }
                Some(_) => (None, false),
            };
            if let Some(why) = why {
                if let Some(open) = self.take(activation, |_| true) {
                    self.end_suppressed(open, now, why, ending);
                }
            } else if let Some(open) = self
                .activations
                .iter_mut()
                .find(|open| open.record.id == activation)
            {
                open.record.run = None;
                open.started = None;
                recovered.push(open.record.clone());
            }
        }
        recovered
    }

    fn record(&mut self, run: Run) {
        let (started, registration) = (run.record.started, run.record.registration);
        if let (Some(_), Some(kept)) = (started, self.registration(registration)) {
            kept.record.last_run = started;
        }
        self.runs.push(run);
    }

    pub(super) fn take(
        &mut self,
        id: ActivationId,
        fits: impl Fn(&ActivationRecord) -> bool,
    ) -> Option<Activation> {
        let at = self
            .activations
            .iter()
            .position(|open| open.record.id == id && fits(&open.record))?;
        Some(self.activations.remove(at))
    }

    pub(super) fn end_suppressed(
        &mut self,
        open: Activation,
        at: Timestamp,
        why: Suppression,
        ends_registration: bool,
    ) {
        let outcome = Outcome::Suppressed { why: why.clone() };
        self.record(Run {
            record: ended(&open, at, outcome),
            undelivered: open.record.journal,
        });
        self.note(Note {
            registration: open.record.registration,
            at,
            why,
        });
        if ends_registration && !open.record.foreign {
            self.end(open.record.registration, at);
        }
    }
}

fn ended(open: &Activation, at: Timestamp, outcome: Outcome) -> RunRecord {
    let record = &open.record;
    RunRecord {
        run: record.run.unwrap_or_else(|| RunId::of_unstarted(record.id)),
        activation: record.id,
        registration: record.registration,
        task: record.task.clone(),
        attempt: record.attempt,
        accepted: record.accepted,
        started: open.started,
        ended: at,
        outcome,
        progress: None,
        retry_at: None,
    }
}
