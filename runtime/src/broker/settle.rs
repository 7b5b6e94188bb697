//! From decisions to effects: decide, write, act; until there is nothing left to do.

use std::collections::{HashSet, VecDeque};

use bgtask_model::OnOverrun;
use jiff::Timestamp;

use super::{
    Broker, Command, Inputs, Phase, TOGETHER,
    accept::record_of,
    batch::Reply,
    blame,
    flight::{Answers, Flight},
};
use crate::{
    ActivationId, Error, EventKind, Outcome, RegistrationId, Result, RunId, RunRecord, Suppression,
    scheduler::{Action, Input},
    store::{Claim, Finish, Fire, Note, Suppress},
};

/// So many batches are with the store at once: it writes one, and has the next one already.
const FLIGHTS: usize = 2;

/// So many batches in a row are of what came while others were written; then all else is looked at.
const IN_A_ROW: u32 = 16;

impl Broker {
    /// Decides and writes until nothing follows. When the store refuses, those who wait for an
    /// acceptance are told; all else that is to be written stays and is tried again a second later.
    pub(super) async fn settle(&mut self) {
        self.settle_beside(&mut None).await;
    }

    /// As [`settle`](Self::settle). Of these inputs it takes meanwhile what needs no answer of the
    /// store: requests, and what hosts tell.
    pub(super) async fn settle_beside(&mut self, inputs: &mut Option<&mut Inputs>) {
        self.settle_all(inputs).await;
        for waiting in self.settled.drain(..) {
            // Who asked may have gone.
            let _ = waiting.send(());
        }
    }

    async fn settle_all(&mut self, inputs: &mut Option<&mut Inputs>) {
        let mut flights = VecDeque::new();
        let mut in_a_row = 0;
        let mut refused = None;
        loop {
            self.decide();
            if flights.is_empty() && refused.is_none() {
                flights.extend(self.hand_in());
            }
            let is_room = flights.len() < FLIGHTS && self.batch.is_plain();
            let Some(flight) = flights.front_mut() else {
                break;
            };
            let goes_on = refused.is_none()
                && in_a_row < IN_A_ROW
                && self.phase == Phase::Open
                && flight.batch.is_plain()
                && !self.is_due();
            let inputs = inputs.as_deref_mut().filter(|_| goes_on);
            if let Some(next) = (goes_on && is_room).then(|| self.hand_in()).flatten() {
                in_a_row += 1;
                flights.push_back(next);
                continue;
            }
            let Some(answers) = self.answered(flight, inputs).await else {
                continue;
            };
            let is_early = refused.is_some();
            if let Some(flight) = flights.pop_front()
                && let Err(error) = self.written(flight, answers, is_early).await
            {
                refused.get_or_insert(error);
            }
        }
        self.told(refused);
    }

    /// The store has taken all of it, or not.
    fn told(&mut self, refused: Option<Error>) {
        let Some(error) = refused else {
            // What the store refused last may have been refused for good.
            self.stuck = false;
            return self.last_tries.written();
        };
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
    }

    /// What the store made of a batch; or `None`, when something else came first.
    async fn answered(
        &mut self,
        flight: &mut Flight,
        inputs: Option<&mut Inputs>,
    ) -> Option<Answers> {
        let Some(inputs) = inputs else {
            return Some((&mut flight.answers).await);
        };
        let takes_commands = inputs.left.is_empty();
        tokio::select! {
            biased;
            answers = &mut flight.answers => return Some(answers),
            Some(event) = inputs.host.recv() => self.host_event(event),
            Some(command) = inputs.commands.recv(), if takes_commands => {
                self.request_or_leave(command, inputs);
            }
        }
        // What else is there already shares a batch.
        for _ in 0..TOGETHER {
            let event = inputs.host.try_recv().map(|event| self.host_event(event));
            let command = match inputs.left.is_empty() {
                true => inputs.commands.try_recv().ok(),
                false => None,
            };
            if command.is_none() && event.is_err() {
                break;
            }
            if let Some(command) = command {
                self.request_or_leave(command, inputs);
            }
        }
        None
    }

    fn request_or_leave(&mut self, command: Command, inputs: &mut Inputs) {
        match command {
            request @ Command::Request { .. } => self.command(request),
            other => inputs.left.push(other),
        }
    }

    /// Whether something is due that the scheduler or the energy waits for.
    fn is_due(&self) -> bool {
        self.next_look().is_some_and(|at| at <= self.now())
    }

    pub(super) fn decide(&mut self) {
        loop {
            if let Some(input) = self.inbox.pop_front() {
                let now = self.now();
                for action in self.scheduler.decide(now, input) {
                    self.act(action);
                }
            } else if let Some(unwritten) = self.unwritten.pop_front() {
                self.tell_unwritten(unwritten);
            } else {
                break;
            }
        }
    }

    pub(super) fn act(&mut self, action: Action) {
        let at = self.now();
        match action {
            Action::Fire(fire) => {
                if let Some(why) = fire.suppressed.clone() {
                    self.log_of(fire.registration, unstarted(why));
                }
                self.batch.fires.push(fire);
            }
            Action::Enqueue(activations) => self.enqueue(activations, Reply::Nobody),
            Action::Start { activation, .. } if self.is_volatile(activation) => {
                self.start_volatile(activation, at);
            }
            Action::Start { activation, .. } => {
                self.batch.claims.push(Claim {
                    activation,
                    run: RunId::now(),
                    at,
                });
                if let Some(active) = self.active.get(&activation).filter(|active| active.held) {
                    let task = active.record.task.clone();
                    self.log(&task, at, EventKind::Released { activation });
                }
            }
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
                activation, why, ..
            } if self.is_volatile(activation) => {
                self.inbox.push_back(Input::Gone { activation });
                // Perhaps in the turn in which it fired.
                self.persisted(activation);
                self.suppressed(activation, at, why);
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
                let Some(active) = self.active.get_mut(&activation) else {
                    return;
                };
                active.held = true;
                let is_news = !active.volatile && active.logged.as_ref() != Some(&reason);
                active.logged = Some(reason.clone());
                let is_kept = active.kept;
                if !is_kept {
                    active.untold = Some(reason.clone());
                }
                let task = active.record.task.clone();
                let kind = EventKind::Held { activation, reason };
                if is_news {
                    self.log(&task, at, kind.clone());
                }
                if is_kept {
                    self.tell(&task, kind);
                }
            }
            Action::Note { registration, why } if self.makes_volatile(registration) => {
                self.note(registration, why);
            }
            Action::Note { registration, why } => {
                self.log_of(registration, unstarted(why.clone()));
                self.batch.notes.push(Note {
                    registration,
                    at,
                    why,
                });
            }
            Action::Throttled { registration } => {
                self.log_of(registration, EventKind::Throttled);
                self.batch.throttled.push(registration);
            }
        }
    }

    /// Hands the batch to the store. `None`: there is nothing to write.
    pub(super) fn hand_in(&mut self) -> Option<Flight> {
        if self.batch.is_empty() && !self.log.is_due() {
            return None;
        }
        let mut batch = std::mem::take(&mut self.batch);
        if !batch.changes.is_empty() {
            // What waits for a registration that goes is not started: the claims come after.
            std::mem::swap(&mut self.batch.claims, &mut batch.claims);
        }
        let page = self.log.take();
        Some(Flight::begin(&self.store, batch, page, self.now()))
    }

    /// The store has answered: what it did is told. What could not be written is in the batch again.
    /// `is_early`: one before it could not be written, and this may build on that.
    pub(super) async fn written(
        &mut self,
        flight: Flight,
        answers: Answers,
        is_early: bool,
    ) -> Result<()> {
        let Flight { batch, page, .. } = flight;
        self.log.written(page, answers.logged);
        // What builds on these came too early.
        let mut late = HashSet::new();
        if answers.enqueues.is_err() {
            late.extend(batch.new_activations().map(|one| one.id));
        }
        if is_early {
            late.extend(batch.claims.iter().map(|claim| claim.activation));
        }
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

/// What is told of a fire that makes no activation.
fn unstarted(why: Suppression) -> EventKind {
    let activation = None;
    EventKind::Suppressed { activation, why }
}
