//! From decisions to effects: decide, write, act; until there is nothing left to do.

use std::collections::HashSet;

use bgtask_model::OnOverrun;
use jiff::Timestamp;

use super::{Broker, Phase, accept::record_of, answers::Answers, batch::Reply, blame};
use crate::{
    ActivationId, EventKind, Outcome, RegistrationId, Result, RunId, RunRecord, Suppression,
    scheduler::Input,
    store::{Finish, Fire, Note, Suppress},
};

impl Broker {
    /// Decides and writes until nothing follows. When the store refuses, those who wait for an
    /// acceptance are told; all else that is to be written stays and is tried again a second later.
    pub(super) async fn settle(&mut self) {
        self.settle_all().await;
        for waiting in self.settled.drain(..) {
            // Who asked may have gone.
            let _ = waiting.send(());
        }
    }

    async fn settle_all(&mut self) {
        loop {
            self.decide();
            if self.batch.is_empty() && !self.log.is_due() {
                // What the store refused last may have been refused for good.
                self.stuck = false;
                self.last_tries.written();
                break;
            }
            if let Err(error) = self.write().await {
                if !self.stuck {
                    tracing::error!(%error, "the store cannot be written; trying again");
                }
                self.stuck = true;
                if self.phase != Phase::Open {
                    self.last_tries.refused();
                }
                for enqueue in std::mem::take(&mut self.batch.enqueues) {
                    self.not_accepted(enqueue, &error);
                }
                return;
            }
            self.stuck = false;
            self.last_tries.written();
        }
    }

    /// Writes the batch. What could not be written is still in it afterwards.
    async fn write(&mut self) -> Result<()> {
        let mut batch = std::mem::take(&mut self.batch);
        if !batch.changes.is_empty() {
            // What waits for a registration that goes is not started: the claims come after.
            std::mem::swap(&mut self.batch.claims, &mut batch.claims);
        }
        let page = self.log.take();
        let answers = Answers::of(&*self.store, &batch, &page, self.now()).await;
        self.log.written(page, answers.logged);
        // What builds on these came too early.
        let late: HashSet<ActivationId> = match &answers.enqueues {
            Ok(_) => HashSet::new(),
            Err(_) => batch.new_activations().map(|one| one.id).collect(),
        };
        let results = [
            self.finished_runs(batch.finishes, answers.finishes),
            self.changed_data(batch.changed, answers.changed),
            self.released(batch.releases, answers.releases),
            self.fired(batch.fires, answers.fires).await,
            self.enqueued(batch.enqueues, answers.enqueues).await,
            self.suppressed_all(batch.suppressions, answers.suppressions, &late),
            self.noted(batch.notes, answers.notes),
            self.throttled(batch.throttled, answers.throttled),
            self.claimed(batch.claims, answers.claims, &late),
            answers.delivered.inspect_err(|_| {
                self.batch.delivered.extend(batch.delivered);
            }),
        ];
        let written: Result<()> = results.into_iter().collect();
        match &written {
            Ok(()) => self.write_changes(batch.changes).await,
            // What is kept for the next turn names the registrations as they are.
            Err(error) => batch.changes.into_iter().for_each(|one| one.refuse(error)),
        }
        written
    }

    fn finished_runs(&mut self, finishes: Vec<Finish>, recorded: Result<Vec<bool>>) -> Result<()> {
        let recorded = match recorded {
            Ok(recorded) => recorded,
            Err(error) => {
                self.batch.finishes.extend(finishes);
                return Err(error);
            }
        };
        if self.housekeeping.is_due(finishes.len()) {
            self.prune();
        }
        for (finish, recorded) in finishes.into_iter().zip(recorded) {
            if recorded {
                self.finished_run(finish);
            } else {
                // Fenced off: somebody else owns this activation now, and tells its end.
                self.active.remove(&finish.activation);
                self.inbox.push_back(Input::Gone {
                    activation: finish.activation,
                });
            }
        }
        self.hand_over();
        Ok(())
    }

    /// Removes old history, beside everything else.
    fn prune(&self) {
        let keep = self.housekeeping.retention(self.now());
        let store = std::sync::Arc::clone(&self.store);
        tokio::spawn(async move {
            if let Err(error) = store.prune(keep).await {
                tracing::warn!(%error, "old history is still there");
            }
        });
    }

    /// A run's end is recorded: tells everybody.
    pub(super) fn finished_run(&mut self, finish: Finish) {
        let id = finish.activation;
        let Some(active) = self.active.get_mut(&id) else {
            return;
        };
        let Some(running) = active.running.take() else {
            return;
        };
        let overrun = matches!(finish.outcome, Outcome::Cancelled { overrun: true, .. });
        if overrun && active.declaration.options.on_overrun == OnOverrun::Abort {
            tracing::error!(
                task = active.record.task,
                "its body did not end within its grace, and the task says `on_overrun = abort`"
            );
            std::process::abort();
        }
        let task = active.record.task.clone();
        if let Some(again) = finish.retry_at {
            active.record.attempt = running.attempt;
            active.record.not_before = again;
            // Its registration may have been replaced meanwhile.
            if let Some(live) = self.live.get(&active.record.registration) {
                active.runs_as(live);
            }
            active.held = false;
            active.hit = blame::end_of_process(&finish.outcome).is_some();
        } else {
            let ended = Some((running.run, finish.outcome.clone()));
            active.view.send_modify(|view| view.ended = ended);
            let completion = active.is_to_be_delivered().then(|| RunRecord {
                run: running.run,
                activation: id,
                registration: active.record.registration,
                task: task.clone(),
                attempt: running.attempt,
                accepted: active.record.accepted,
                started: Some(running.started),
                ended: finish.at,
                outcome: finish.outcome.clone(),
                progress: running.progress,
                retry_at: None,
            });
            if let Some(completion) = completion {
                self.keep_completion(completion);
            }
            self.active.remove(&id);
        }
        self.used(&task, &finish);
        self.last_outcome
            .insert(task.clone(), (finish.at, finish.outcome.clone()));
        self.inbox.push_back(Input::Ended {
            activation: id,
            // Freed by the host's own word, which follows.
            slot_free: false,
            retry: finish.retry_at,
        });
        if running.vacated {
            self.inbox.push_back(Input::Vacated { activation: id });
        }
        let kind = EventKind::Ended {
            activation: id,
            run: running.run,
            outcome: finish.outcome,
            retry_at: finish.retry_at,
        };
        self.tell(&task, kind);
    }

    fn suppressed_all(
        &mut self,
        suppressions: Vec<Suppress>,
        recorded: Result<Vec<bool>>,
        late: &HashSet<ActivationId>,
    ) -> Result<()> {
        let recorded = match recorded {
            Ok(recorded) => recorded,
            Err(error) => {
                let again = |one: &Suppress| self.is_to_be_tried(one.activation, late);
                let again: Vec<_> = suppressions.into_iter().filter(again).collect();
                self.batch.suppressions.extend(again);
                return Err(error);
            }
        };
        for (suppress, recorded) in suppressions.into_iter().zip(recorded) {
            let activation = suppress.activation;
            if !recorded && late.contains(&activation) {
                if self.active.contains_key(&activation) {
                    self.batch.suppressions.push(suppress);
                }
                continue;
            }
            self.inbox.push_back(Input::Gone { activation });
            if recorded {
                self.suppressed(activation, suppress.at, suppress.why);
            } else {
                self.active.remove(&activation);
            }
        }
        self.hand_over();
        Ok(())
    }

    /// It is recorded that a waiting activation will not start: tells everybody.
    pub(super) fn suppressed(&mut self, activation: ActivationId, at: Timestamp, why: Suppression) {
        let Some(active) = self.active.remove(&activation) else {
            return;
        };
        let outcome = Outcome::Suppressed { why: why.clone() };
        let run = RunId::of_unstarted(activation);
        let ended = Some((run, outcome.clone()));
        active.view.send_modify(|view| view.ended = ended);
        if active.is_to_be_delivered() {
            self.keep_completion(RunRecord {
                run,
                activation,
                registration: active.record.registration,
                task: active.record.task.clone(),
                attempt: active.record.attempt,
                accepted: active.record.accepted,
                started: None,
                ended: at,
                outcome,
                progress: None,
                retry_at: None,
            });
        }
        let kind = EventKind::Suppressed {
            activation: Some(activation),
            why,
        };
        self.tell(&active.record.task, kind);
    }

    fn noted(&mut self, notes: Vec<Note>, written: Result<()>) -> Result<()> {
        if let Err(error) = written {
            self.batch.notes.extend(notes);
            return Err(error);
        }
        for note in notes {
            self.note(note.registration, note.why);
        }
        Ok(())
    }

    fn throttled(&mut self, throttled: Vec<RegistrationId>, written: Result<()>) -> Result<()> {
        if let Err(error) = written {
            self.batch.throttled.extend(throttled);
            return Err(error);
        }
        for registration in throttled {
            if let Some(live) = self.live.get(&registration) {
                self.tell(&live.name, EventKind::Throttled);
            }
        }
        Ok(())
    }

    async fn fired(&mut self, fires: Vec<Fire>, won: Result<Vec<bool>>) -> Result<()> {
        let won = match won {
            Ok(won) => won,
            Err(error) => {
                self.batch.fires.extend(fires);
                return Err(error);
            }
        };
        let mut lost = Vec::new();
        for (fire, won) in fires.into_iter().zip(won) {
            if !won {
                lost.push(fire);
                continue;
            }
            self.inbox.push_back(Input::Fired {
                registration: fire.registration,
                generation: fire.generation + 1,
                due: fire.next,
            });
            if let Some(why) = fire.suppressed.clone() {
                self.note(fire.registration, why);
            }
            if fire.volatile {
                self.accept_volatile(fire.activations, Reply::Nobody);
                continue;
            }
            for activation in fire.activations {
                self.accept(record_of(activation, fire.at), false);
            }
        }
        // Last, so that a store that cannot be read takes nothing from those that won. What lost
        // loses again.
        if lost.is_empty() {
            return Ok(());
        }
        let reread = self.reread_timers(&lost).await;
        if reread.is_err() {
            self.batch.fires.extend(lost);
        }
        reread
    }

    /// Whether what builds on an activation is to be tried again: not if that was refused itself.
    pub(super) fn is_to_be_tried(
        &self,
        activation: ActivationId,
        late: &HashSet<ActivationId>,
    ) -> bool {
        !late.contains(&activation) || self.active.contains_key(&activation)
    }
}
