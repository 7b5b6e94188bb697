//! From decisions to effects: decide, write, act; until there is nothing left to do.

use std::{collections::HashSet, sync::Arc};

use bgtask_model::OnOverrun;
use futures_util::future::join_all;
use jiff::Timestamp;

use super::{
    Broker, Phase, Running,
    batch::{Enqueue, Reply},
    blame,
};
use crate::{
    ActivationId, ActivationRecord, Code, Error, EventKind, Outcome, RegistrationId, Result, RunId,
    RunRecord, Suppression,
    host::{Assignment, Limits, Place},
    scheduler::{Action, Input},
    store::{Claim, Finish, Fire, Lease, NewActivation, Note, Release, StoreFuture, Suppress},
    task::Stage,
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
                self.refusing = None;
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

    /// Takes activations that are to be accepted. What they lead to is in the same commit, as a
    /// rule their start. A row of an outbox waits for it, because it may be known.
    pub(super) fn enqueue(&mut self, activations: Vec<NewActivation>, reply: Reply) {
        let is_volatile = |one: &NewActivation| self.makes_volatile(one.registration);
        let (volatile, activations): (Vec<_>, Vec<_>) =
            activations.into_iter().partition(is_volatile);
        let volatile = match reply {
            // Of what an event of the app leads to, all is accepted or nothing.
            Reply::Raise(_) if !activations.is_empty() => volatile,
            _ if activations.is_empty() && !volatile.is_empty() => {
                return self.accept_volatile(volatile, reply);
            }
            _ => {
                self.accept_volatile(volatile, Reply::Nobody);
                Vec::new()
            }
        };
        let mut view = None;
        if !matches!(reply, Reply::Relay(_)) {
            let at = self.now();
            for activation in &activations {
                view = self.expect(record_of(activation.clone(), at), false);
            }
        }
        self.batch.enqueues.push(Enqueue {
            activations,
            volatile,
            reply,
            view,
        });
    }

    /// Writes the batch: hands all of it to the store at once, so that it shares a commit, in the
    /// order in which it builds on each other. What could not be written is still in it afterwards.
    async fn write(&mut self) -> Result<()> {
        let store = Arc::clone(&self.store);
        let mut batch = std::mem::take(&mut self.batch);
        if !batch.changes.is_empty() {
            // What waits for a registration that goes is not started: the claims come after.
            std::mem::swap(&mut self.batch.claims, &mut batch.claims);
        }
        let new = batch.enqueues.iter();
        let new: Vec<NewActivation> = new.flat_map(|one| one.activations.clone()).collect();
        let finishes = written(&batch.finishes, |finishes| store.finish(finishes));
        let releases = written(&batch.releases, |all| store.release(all));
        let fires = written(&batch.fires, |fires| store.fire(fires));
        let enqueues = written(&new, |new| store.enqueue(new));
        let suppressions = written(&batch.suppressions, |all| store.suppress(all));
        let notes = written(&batch.notes, |notes| store.note(notes));
        let at = self.now();
        let throttled = written(&batch.throttled, |all| store.throttled(all, at));
        let claims = written(&batch.claims, |claims| store.claim(claims));
        let changed = batch
            .changed
            .iter()
            .map(|one| store.change_data(one.data.clone()));
        let changed = join_all(changed.collect::<Vec<_>>());
        let delivered = written(&batch.delivered, |runs| store.deliver(runs));
        // With the rest, and nothing waits for it or fails with it.
        let page = self.log.take();
        let logged = written(&page.events, |events| store.log(events));
        let access = async {
            match page.access() {
                Some((key, text)) => store.set_meta(key, Some(text)).await,
                None => Ok(()),
            }
        };
        let (
            finishes,
            changed,
            releases,
            fires,
            enqueues,
            suppressions,
            notes,
            throttled,
            claims,
            delivered,
            logged,
            access,
        ) = tokio::join!(
            finishes,
            changed,
            releases,
            fires,
            enqueues,
            suppressions,
            notes,
            throttled,
            claims,
            delivered,
            logged,
            access
        );
        self.log.written(page, logged.and(access));
        // What builds on these came too early.
        let late: HashSet<ActivationId> = match &enqueues {
            Ok(_) => HashSet::new(),
            Err(_) => new.iter().map(|one| one.id).collect(),
        };
        let results = [
            self.finished_runs(batch.finishes, finishes),
            self.changed_data(batch.changed, changed),
            self.released(batch.releases, releases),
            self.fired(batch.fires, fires).await,
            self.enqueued(batch.enqueues, enqueues).await,
            self.suppressed_all(batch.suppressions, suppressions, &late),
            self.noted(batch.notes, notes),
            self.throttled(batch.throttled, throttled),
            self.claimed(batch.claims, claims, &late),
            delivered.map(drop).inspect_err(|_| {
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
        let store = Arc::clone(&self.store);
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
            if active.is_to_be_delivered() {
                self.undelivered.push_back(RunRecord {
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

    async fn enqueued(
        &mut self,
        enqueues: Vec<Enqueue>,
        accepted: Result<Vec<bool>>,
    ) -> Result<()> {
        let together = match accepted {
            Ok(open) => {
                let mut open = open.into_iter();
                for enqueue in enqueues {
                    let open = open.by_ref().take(enqueue.activations.len()).collect();
                    self.accepted(enqueue, open);
                }
                return Ok(());
            }
            Err(error) => error,
        };
        // One of them may be to blame: the others must not be refused for it.
        let mut refused = match is_of_what_is_written(&together) && enqueues.len() > 1 {
            true => None,
            false => Some(together.again()),
        };
        let mut kept = Err(together);
        for enqueue in enqueues {
            let written = match &refused {
                // The store takes nothing: it is not asked, and waited for, for each.
                Some(error) => Err(error.again()),
                None => self.store.enqueue(enqueue.activations.clone()).await,
            };
            match written {
                Ok(open) => self.accepted(enqueue, open),
                Err(error) => {
                    self.not_accepted(enqueue, &error);
                    if !is_of_what_is_written(&error) {
                        refused.get_or_insert_with(|| error.again());
                    }
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

    /// They are in the store; `open` is `false` for each that it knew before, and that has ended.
    fn accepted(&mut self, enqueue: Enqueue, open: Vec<bool>) {
        let at = self.now();
        let mut ids = Vec::new();
        for (activation, open) in enqueue.activations.into_iter().zip(open) {
            let id = activation.id;
            ids.push(id);
            match (open, self.active.contains_key(&id)) {
                (true, true) => self.persisted(id),
                (true, false) => self.accept(record_of(activation, at), false),
                (false, true) => self.not_persisted(id),
                (false, false) => {}
            }
        }
        ids.extend(enqueue.volatile.iter().map(|activation| activation.id));
        self.accept_volatile(enqueue.volatile, Reply::Nobody);
        enqueue.reply.accepted(ids, enqueue.view);
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
            Reply::Nobody => return self.batch.enqueues.push(enqueue),
            Reply::Relay(row) => return self.turn_away(row, error),
            _ => {}
        }
        for activation in &enqueue.activations {
            self.not_persisted(activation.id);
        }
        match enqueue.reply {
            Reply::Nobody | Reply::Relay(_) => {}
            Reply::Request(reply) => drop(reply.send(Err(same()))),
            Reply::Fire(reply) => drop(reply.send(Err(same()))),
            Reply::Raise(reply) => drop(reply.send(Err(same()))),
        }
    }

    /// Whether what builds on an activation is to be tried again: not if that was refused itself.
    fn is_to_be_tried(&self, activation: ActivationId, late: &HashSet<ActivationId>) -> bool {
        !late.contains(&activation) || self.active.contains_key(&activation)
    }

    fn claimed(
        &mut self,
        claims: Vec<Claim>,
        leases: Result<Vec<Option<Lease>>>,
        late: &HashSet<ActivationId>,
    ) -> Result<()> {
        let leases = match leases {
            Ok(leases) => leases,
            Err(error) => {
                let again = |one: &Claim| self.is_to_be_tried(one.activation, late);
                let again: Vec<_> = claims.into_iter().filter(again).collect();
                self.batch.claims.extend(again);
                return Err(error);
            }
        };
        for (claim, lease) in claims.into_iter().zip(leases) {
            let activation = claim.activation;
            if lease.is_none() && late.contains(&activation) {
                if self.active.contains_key(&activation) {
                    self.batch.claims.push(claim);
                }
                continue;
            }
            let (Some(lease), true) = (lease, self.active.contains_key(&activation)) else {
                self.active.remove(&activation);
                self.inbox.push_back(Input::Gone { activation });
                continue;
            };
            if self.scheduler.is_held_back(activation) {
                let run = claim.run;
                self.batch.releases.push(Release { activation, run });
                continue;
            }
            self.begin(&claim, &lease);
        }
        Ok(())
    }

    /// What was claimed and not started waits again.
    fn released(&mut self, releases: Vec<Release>, written: Result<()>) -> Result<()> {
        if let Err(error) = written {
            self.batch.releases.extend(releases);
            return Err(error);
        }
        for Release { activation, .. } in releases {
            if let Some(active) = self.active.get_mut(&activation) {
                active.held = false;
                active.logged = None;
            }
            self.inbox.push_back(Input::Unclaimed { activation });
        }
        Ok(())
    }

    /// Hands a claimed activation to its host.
    pub(super) fn begin(&mut self, claim: &Claim, lease: &Lease) {
        let Claim {
            activation,
            run,
            at,
        } = *claim;
        let Some(active) = self.active.get_mut(&activation) else {
            return;
        };
        // What was held so shortly that nobody was told is not released.
        let was_held = std::mem::take(&mut active.held) && active.untold.take().is_none();
        active.logged = None;
        active.running = Some(Running {
            run,
            fence: lease.fence,
            attempt: lease.attempt,
            started: at,
            progress: None,
            changes: Stage::default(),
            asked: None,
            ended: false,
            vacated: false,
        });
        let declaration = Arc::clone(&active.declaration);
        let last = self.last_outcome.get(&active.record.task);
        // Also after a run of the task that went well: this very activation may be to blame.
        let alone =
            active.hit || last.is_some_and(|(_, last)| blame::end_of_process(last).is_some());
        let assignment = Assignment {
            run,
            task: active.record.task.clone(),
            entry: active.entry.clone(),
            group: active.group.clone(),
            attempt: lease.attempt,
            fence: lease.fence,
            details: active.record.details.clone(),
            limits: Limits::of(&declaration),
            max_result: self.max_payload,
            metered: self.energy.is_metered(),
            place: Place::of(&declaration, alone),
        };
        self.runs.insert(run, activation);
        self.inbox.push_back(Input::Started { activation });
        if was_held && let Some(active) = self.active.get(&activation) {
            self.tell(&active.record.task, EventKind::Released { activation });
        }
        self.host_of(&declaration).start(assignment);
        self.stop_late_start(run);
    }
}

/// Whether the store refused what it was given, and would take something else.
fn is_of_what_is_written(error: &Error) -> bool {
    matches!(error.code(), Code::BadArguments | Code::StoreFull)
}

/// What the store made of `items`, for which it is not asked when there are none.
fn written<'a, T: Clone, R: Default + Send + 'a>(
    items: &[T],
    write: impl FnOnce(Vec<T>) -> StoreFuture<'a, R>,
) -> StoreFuture<'a, R> {
    match items {
        [] => Box::pin(std::future::ready(Ok(R::default()))),
        items => write(items.to_vec()),
    }
}

/// What is told of a fire that makes no activation.
fn unstarted(why: Suppression) -> EventKind {
    let activation = None;
    EventKind::Suppressed { activation, why }
}

/// A new activation as the store keeps it.
pub(super) fn record_of(activation: NewActivation, accepted: jiff::Timestamp) -> ActivationRecord {
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
        foreign: activation.foreign,
    }
}
