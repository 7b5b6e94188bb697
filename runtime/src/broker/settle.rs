//! From decisions to effects: decide, write, act; until there is nothing left to do.

use std::sync::Arc;

use bgtask_model::OnOverrun;
use jiff::Timestamp;

use super::{
    Accepted, Broker, Phase, Requested, Running,
    batch::{Enqueue, Reply},
    blame,
};
use crate::{
    ActivationId, ActivationRecord, Error, EventKind, Outcome, Result, RunId, RunRecord,
    Suppression,
    host::{Assignment, Limits, Place},
    scheduler::{Action, Input},
    store::{Claim, Finish, NewActivation, Note, Suppress},
};

impl Broker {
    /// Decides and writes until nothing follows. When the store refuses, those who wait for an
    /// acceptance are told; all else that is to be written stays and is tried again a second later.
    pub(super) async fn settle(&mut self) {
        loop {
            self.decide();
            if self.batch.is_empty() {
                break;
            }
            if let Err(error) = self.write().await {
                if !self.stuck {
                    tracing::error!(%error, "the store cannot be written; trying again");
                }
                self.stuck = true;
                if self.phase != Phase::Open {
                    let now = self.now();
                    self.refusing.get_or_insert(now);
                }
                for enqueue in std::mem::take(&mut self.batch.enqueues) {
                    self.not_accepted(enqueue, &error);
                }
                return;
            }
            self.stuck = false;
            self.refusing = None;
        }
    }

    fn decide(&mut self) {
        while let Some(input) = self.inbox.pop_front() {
            let now = self.now();
            for action in self.scheduler.decide(now, input) {
                self.act(action);
            }
        }
    }

    pub(super) fn act(&mut self, action: Action) {
        let at = self.now();
        match action {
            Action::Fire(fire) => self.batch.fires.push(fire),
            Action::Enqueue(activations) => self.batch.enqueues.push(Enqueue {
                activations,
                reply: Reply::Nobody,
            }),
            Action::Start { activation, .. } => self.batch.claims.push(Claim {
                activation,
                run: RunId::now(),
                at,
            }),
            Action::Cancel { activation, reason } => {
                let run = self
                    .active
                    .get(&activation)
                    .and_then(|active| Some(active.running.as_ref()?.run));
                if let Some(run) = run {
                    self.cancel_run(run, reason);
                }
            }
            Action::Suppress {
                activation,
                why,
                ends_registration,
            } => self.batch.suppressions.push(Suppress {
                activation,
                at,
                why,
                ends_registration,
            }),
            Action::Hold { activation, reason } => {
                if let Some(active) = self.active.get_mut(&activation) {
                    active.held = true;
                    let task = active.record.task.clone();
                    self.emit(&task, EventKind::Held { activation, reason });
                }
            }
            Action::Note { registration, why } => self.batch.notes.push(Note {
                registration,
                at,
                why,
            }),
            Action::Throttled { registration } => self.batch.throttled.push(registration),
        }
    }

    /// Writes the batch. What could not be written is still in it afterwards.
    async fn write(&mut self) -> Result<()> {
        self.write_finishes().await?;
        self.write_suppressions().await?;
        self.write_notes().await?;
        for activation in std::mem::take(&mut self.batch.vacated) {
            self.inbox.push_back(Input::Vacated { activation });
        }
        self.write_fires().await?;
        self.write_enqueues().await?;
        // Before the claims: what waited for a registration that goes is not started.
        self.write_changes().await;
        self.write_claims().await?;
        if !self.batch.delivered.is_empty() {
            self.store.deliver(self.batch.delivered.clone()).await?;
            self.batch.delivered.clear();
        }
        Ok(())
    }

    async fn write_finishes(&mut self) -> Result<()> {
        if self.batch.finishes.is_empty() {
            return Ok(());
        }
        let recorded = self.store.finish(self.batch.finishes.clone()).await?;
        let finishes = std::mem::take(&mut self.batch.finishes);
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
        let store = Arc::clone(&self.store);
        tokio::spawn(async move {
            if let Err(error) = store.prune(keep).await {
                tracing::warn!(%error, "old history is still there");
            }
        });
    }

    /// A run's end is recorded: tells everybody.
    fn finished_run(&mut self, finish: Finish) {
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
        let record = RunRecord {
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
            retry_at: finish.retry_at,
        };
        if let Some(again) = finish.retry_at {
            active.record.attempt = running.attempt;
            active.record.not_before = again;
            active.held = false;
            active.hit = blame::end_of_process(&finish.outcome).is_some();
        } else {
            let ended = Some((running.run, finish.outcome.clone()));
            active.view.send_modify(|view| view.ended = ended);
            let unwatched = active.view.receiver_count() == 0;
            if active.record.journal && unwatched {
                self.undelivered.push_back(record);
            }
            self.active.remove(&id);
        }
        self.last_outcome
            .insert(task.clone(), (finish.at, finish.outcome.clone()));
        self.inbox.push_back(Input::Ended {
            activation: id,
            // Freed by the host's own word, which follows.
            slot_free: false,
            retry: finish.retry_at,
        });
        let kind = EventKind::Ended {
            activation: id,
            run: running.run,
            outcome: finish.outcome,
            retry_at: finish.retry_at,
        };
        self.emit(&task, kind);
    }

    async fn write_suppressions(&mut self) -> Result<()> {
        if self.batch.suppressions.is_empty() {
            return Ok(());
        }
        let recorded = self.store.suppress(self.batch.suppressions.clone()).await?;
        let suppressions = std::mem::take(&mut self.batch.suppressions);
        for (suppress, recorded) in suppressions.into_iter().zip(recorded) {
            let activation = suppress.activation;
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
        if active.record.journal && active.view.receiver_count() == 0 {
            self.undelivered.push_back(RunRecord {
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
        self.emit(&active.record.task, kind);
    }

    async fn write_notes(&mut self) -> Result<()> {
        if !self.batch.notes.is_empty() {
            self.store.note(self.batch.notes.clone()).await?;
            for note in std::mem::take(&mut self.batch.notes) {
                self.note(note.registration, note.why);
            }
        }
        if !self.batch.throttled.is_empty() {
            let throttled = self.batch.throttled.clone();
            self.store.throttled(throttled, self.now()).await?;
            for registration in std::mem::take(&mut self.batch.throttled) {
                if let Some(live) = self.live.get(&registration) {
                    self.emit(&live.name, EventKind::Throttled);
                }
            }
        }
        Ok(())
    }

    async fn write_fires(&mut self) -> Result<()> {
        if self.batch.fires.is_empty() {
            return Ok(());
        }
        let won = self.store.fire(self.batch.fires.clone()).await?;
        let mut lost = Vec::new();
        for (fire, won) in std::mem::take(&mut self.batch.fires).into_iter().zip(won) {
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
            let at = fire.at;
            for activation in fire.activations {
                self.accept(record_of(activation, at), false);
            }
        }
        // Last, so that a store that cannot be read takes nothing from those that won. One that
        // lost loses again.
        while let Some(fire) = lost.pop() {
            if let Err(error) = self.reread_timer(fire.registration).await {
                self.batch.fires.push(fire);
                self.batch.fires.append(&mut lost);
                return Err(error);
            }
        }
        Ok(())
    }

    async fn write_enqueues(&mut self) -> Result<()> {
        let enqueues = std::mem::take(&mut self.batch.enqueues);
        let together = enqueues.iter().collect::<Vec<_>>();
        if self.enqueue(&together).await.is_ok() {
            for enqueue in enqueues {
                self.accepted(enqueue);
            }
            return Ok(());
        }
        // One of them may be to blame: the others must not be refused for it.
        let mut kept = Ok(());
        for enqueue in enqueues {
            match self.enqueue(&[&enqueue]).await {
                Ok(()) => self.accepted(enqueue),
                Err(error) => {
                    self.not_accepted(enqueue, &error);
                    kept = Err(error);
                }
            }
        }
        // What nobody waits for is kept; the others know that theirs was not accepted.
        if self.batch.enqueues.is_empty() {
            Ok(())
        } else {
            kept
        }
    }

    async fn enqueue(&self, enqueues: &[&Enqueue]) -> Result<()> {
        let all: Vec<NewActivation> = enqueues
            .iter()
            .flat_map(|enqueue| enqueue.activations.iter().cloned())
            .collect();
        if all.is_empty() {
            return Ok(());
        }
        self.store.enqueue(all).await
    }

    fn accepted(&mut self, enqueue: Enqueue) {
        let at = self.now();
        let ids: Vec<ActivationId> = enqueue.activations.iter().map(|one| one.id).collect();
        let mut views = Vec::new();
        for activation in enqueue.activations {
            views.extend(self.accept(record_of(activation, at), false));
        }
        match enqueue.reply {
            Reply::Nobody => {}
            Reply::Request(reply) => {
                if let (Some(activation), Some(view)) = (ids.first().copied(), views.pop()) {
                    let accepted = Accepted { activation, view };
                    let _ = reply.send(Ok(Requested::Accepted(accepted)));
                }
            }
            Reply::Fire(reply) => {
                if let Some(id) = ids.first() {
                    let _ = reply.send(Ok(*id));
                }
            }
            Reply::Raise(reply) => drop(reply.send(Ok(ids))),
        }
    }

    fn not_accepted(&mut self, enqueue: Enqueue, error: &Error) {
        let same = || {
            Error::new(
                error.code(),
                format!("it was not accepted: {}", error.rule()),
            )
            .remedy(error.help().unwrap_or("try again").to_owned())
        };
        match enqueue.reply {
            Reply::Nobody => self.batch.enqueues.push(enqueue),
            Reply::Request(reply) => drop(reply.send(Err(same()))),
            Reply::Fire(reply) => drop(reply.send(Err(same()))),
            Reply::Raise(reply) => drop(reply.send(Err(same()))),
        }
    }

    async fn write_claims(&mut self) -> Result<()> {
        if self.batch.claims.is_empty() {
            return Ok(());
        }
        let leases = self.store.claim(self.batch.claims.clone()).await?;
        let claims = std::mem::take(&mut self.batch.claims);
        for (claim, lease) in claims.into_iter().zip(leases) {
            let activation = claim.activation;
            let (Some(lease), Some(active)) = (lease, self.active.get_mut(&activation)) else {
                self.active.remove(&activation);
                self.inbox.push_back(Input::Gone { activation });
                continue;
            };
            active.held = false;
            active.running = Some(Running {
                run: claim.run,
                fence: lease.fence,
                attempt: lease.attempt,
                started: claim.at,
                progress: None,
                asked: None,
                ended: false,
            });
            let declaration = std::sync::Arc::clone(&active.declaration);
            let last = self.last_outcome.get(&active.record.task);
            // Also after a run of the task that went well: this very activation may be to blame.
            let alone =
                active.hit || last.is_some_and(|(_, last)| blame::end_of_process(last).is_some());
            let assignment = Assignment {
                run: claim.run,
                task: active.record.task.clone(),
                entry: active.entry.clone(),
                group: active.group.clone(),
                attempt: lease.attempt,
                fence: lease.fence,
                details: active.record.details.clone(),
                limits: Limits::of(&declaration),
                max_result: self.max_payload,
                place: Place::of(&declaration, alone),
            };
            self.runs.insert(claim.run, activation);
            self.inbox.push_back(Input::Started { activation });
            self.host_of(&declaration).start(assignment);
            self.stop_late_start(claim.run);
        }
        Ok(())
    }
}

/// A new activation as the store keeps it.
fn record_of(activation: NewActivation, accepted: jiff::Timestamp) -> ActivationRecord {
    ActivationRecord {
        id: activation.id,
        registration: activation.registration,
        task: activation.task,
        details: activation.details,
        accepted,
        not_before: activation.not_before,
        attempt: 0,
        fence: 0,
        run: None,
        journal: activation.journal,
    }
}
