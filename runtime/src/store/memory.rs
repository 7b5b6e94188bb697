//! The store's twin in memory: the same answers, and nothing survives the process.

use std::sync::{Mutex, MutexGuard, PoisonError};

use jiff::Timestamp;
use tokio::sync::watch;

use super::{
    ActivationRecord, Claim, Finish, Fire, HistoryQuery, Lease, NewActivation, NewRegistration,
    RegistrationRecord, RunRecord, Store, StoreFuture, StoreInfo, Suppress, SyncDiff, depth,
};
use crate::{ActivationId, Outcome, RegistrationId, Result, RunId, Suppression};

/// Records in memory, for tests and for apps that keep nothing.
#[derive(Debug)]
pub(crate) struct MemoryStore {
    records: Mutex<Records>,
    /// Never told: no other process sees this store.
    changed: watch::Sender<u64>,
}

#[derive(Debug, Default)]
struct Records {
    registrations: Vec<Registration>,
    activations: Vec<Activation>,
    runs: Vec<Run>,
}

#[derive(Debug)]
struct Registration {
    record: RegistrationRecord,
    /// Fired for the last time: ends with its outcome.
    ending: bool,
}

#[derive(Debug)]
struct Activation {
    record: ActivationRecord,
    started: Option<Timestamp>,
    /// Accepted under a declaration since replaced.
    inherited: bool,
}

#[derive(Debug)]
struct Run {
    record: RunRecord,
    undelivered: bool,
}

impl MemoryStore {
    /// An empty store.
    pub(crate) fn new() -> Self {
        Self {
            records: Mutex::default(),
            changed: watch::Sender::new(0),
        }
    }

    fn records(&self) -> MutexGuard<'_, Records> {
        self.records.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Records {
    fn sync(&mut self, declared: Vec<NewRegistration>, now: Timestamp) -> SyncDiff {
        let mut diff = SyncDiff::default();
        let mut gone: Vec<_> = self
            .registrations
            .iter()
            .filter(|kept| kept.record.ended.is_none())
            .map(|kept| (kept.record.name.clone(), kept.record.id))
            .filter(|(name, _)| !declared.iter().any(|new| new.name == *name))
            .collect();
        gone.sort();
        for new in declared {
            let found = self
                .registrations
                .iter()
                .position(|kept| kept.record.name == new.name);
            match found {
                None => {
                    diff.added.push(new.name.clone());
                    self.register(new, now);
                }
                Some(at) if self.registrations[at].record.fingerprint == new.fingerprint => {
                    self.registrations[at].record.declaration = new.declaration;
                    diff.unchanged.push(new.name);
                }
                Some(at) => {
                    diff.replaced.push(new.name.clone());
                    let old = self.registrations.remove(at).record.id;
                    let id = self.register(new, now);
                    for open in &mut self.activations {
                        if open.record.registration == old {
                            open.record.registration = id;
                            open.inherited = true;
                        }
                    }
                }
            }
        }
        for (name, id) in gone {
            let waiting: Vec<_> = self
                .activations
                .iter()
                .filter(|open| open.record.registration == id && open.record.run.is_none())
                .map(|open| open.record.id)
                .collect();
            for activation in waiting {
                if let Some(open) = self.take(activation, |_| true) {
                    self.end_suppressed(open, now, Suppression::Removed, false);
                }
            }
            self.registrations.retain(|kept| kept.record.id != id);
            diff.removed.push(name);
        }
        diff
    }

    fn register(&mut self, new: NewRegistration, now: Timestamp) -> RegistrationId {
        let id = RegistrationId::now();
        self.registrations.push(Registration {
            record: RegistrationRecord {
                id,
                name: new.name,
                declaration: new.declaration,
                fingerprint: new.fingerprint,
                due: new.due,
                generation: 0,
                created: now,
                last_fired: None,
                ended: None,
                last_suppression: None,
            },
            ending: false,
        });
        id
    }

    fn registration(&mut self, id: RegistrationId) -> Option<&mut Registration> {
        self.registrations
            .iter_mut()
            .find(|kept| kept.record.id == id)
    }

    fn end(&mut self, id: RegistrationId, at: Timestamp) {
        if let Some(kept) = self.registration(id)
            && kept.record.ended.is_none()
        {
            kept.record.ended = Some(at);
            kept.record.due = None;
        }
    }

    fn accept(&mut self, new: NewActivation, accepted: Timestamp) {
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
            },
            started: None,
            inherited: false,
        });
    }

    fn fire(&mut self, fire: Fire) -> bool {
        let Some(kept) = self.registration(fire.registration) else {
            return false;
        };
        if kept.record.generation != fire.generation || kept.record.ended.is_some() {
            return false;
        }
        kept.record.due = fire.next.filter(|_| !fire.last);
        kept.record.generation += 1;
        kept.ending = fire.last;
        if !fire.activations.is_empty() || fire.suppressed.is_some() {
            kept.record.last_fired = Some(fire.at);
        }
        if let Some(why) = fire.suppressed {
            kept.record.last_suppression = Some((fire.at, why));
        }
        if fire.last && fire.activations.is_empty() {
            self.end(fire.registration, fire.at);
        }
        for new in fire.activations {
            self.accept(new, fire.at);
        }
        true
    }

    fn claim(&mut self, claim: &Claim) -> Option<Lease> {
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

    fn finish(&mut self, finish: Finish) -> bool {
        let running =
            |record: &ActivationRecord| record.run.is_some() && record.fence == finish.fence;
        let Some(at) = self
            .activations
            .iter()
            .position(|open| open.record.id == finish.activation && running(&open.record))
        else {
            return false;
        };
        let open = &mut self.activations[at];
        let run = RunRecord {
            progress: finish.progress,
            retry_at: finish.retry_at,
            ..ended(open, finish.at, depth::keepable(&finish.outcome))
        };
        let undelivered = open.record.journal && finish.retry_at.is_none();
        if let Some(retry_at) = finish.retry_at {
            open.record.run = None;
            open.record.not_before = retry_at;
            open.started = None;
        } else {
            let open = self.activations.remove(at);
            if finish.ends_registration && !open.inherited {
                self.end(open.record.registration, finish.at);
            }
        }
        self.runs.push(Run {
            record: run,
            undelivered,
        });
        true
    }

    fn suppress(&mut self, suppress: Suppress) -> bool {
        let Some(open) = self.take(suppress.activation, |record| record.run.is_none()) else {
            return false;
        };
        self.end_suppressed(open, suppress.at, suppress.why, suppress.ends_registration);
        true
    }

    fn recover(&mut self, now: Timestamp) -> Vec<ActivationRecord> {
        let running: Vec<_> = self
            .activations
            .iter()
            .filter(|open| open.record.run.is_some())
            .map(|open| (open.record.id, open.record.registration))
            .collect();
        let mut recovered = Vec::new();
        for (activation, registration) in running {
            let (why, ending) = match self.registration(registration) {
                None => (Some(Suppression::Removed), false),
                Some(kept) if super::at_most_once(&kept.record.declaration) => {
                    (Some(Suppression::AtMostOnce), kept.ending)
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

    fn take(
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

    fn end_suppressed(
        &mut self,
        open: Activation,
        at: Timestamp,
        why: Suppression,
        ends_registration: bool,
    ) {
        let outcome = Outcome::Suppressed { why: why.clone() };
        self.runs.push(Run {
            record: ended(&open, at, outcome),
            undelivered: open.record.journal,
        });
        if let Some(kept) = self.registration(open.record.registration) {
            kept.record.last_suppression = Some((at, why));
        }
        if ends_registration && !open.inherited {
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

/// Every operation is done before its future is returned.
fn done<'a, T: Send + 'a>(result: Result<T>) -> StoreFuture<'a, T> {
    Box::pin(std::future::ready(result))
}

impl Store for MemoryStore {
    fn info(&self) -> StoreInfo {
        StoreInfo {
            engine: "memory".into(),
            version: env!("CARGO_PKG_VERSION").into(),
            durability: "nothing survives the process".into(),
            path: None,
        }
    }

    fn sync_registrations(
        &self,
        declared: Vec<NewRegistration>,
        now: Timestamp,
    ) -> StoreFuture<'_, SyncDiff> {
        done(super::refuse_duplicates(&declared).map(|()| self.records().sync(declared, now)))
    }

    fn enqueue(&self, activations: Vec<NewActivation>) -> StoreFuture<'_, Vec<bool>> {
        if let Err(error) = depth::check(&activations) {
            return done(Err(error));
        }
        let mut records = self.records();
        let accept = |new: NewActivation| {
            let (id, accepted) = (new.id, new.details.fired);
            records.accept(new, accepted);
            records.activations.iter().any(|open| open.record.id == id)
        };
        done(Ok(activations.into_iter().map(accept).collect()))
    }

    fn fire(&self, fires: Vec<Fire>) -> StoreFuture<'_, Vec<bool>> {
        let checked = fires
            .iter()
            .try_for_each(|fire| depth::check(&fire.activations));
        if let Err(error) = checked {
            return done(Err(error));
        }
        let mut records = self.records();
        done(Ok(fires
            .into_iter()
            .map(|fire| records.fire(fire))
            .collect()))
    }

    fn claim(&self, claims: Vec<Claim>) -> StoreFuture<'_, Vec<Option<Lease>>> {
        let mut records = self.records();
        done(Ok(claims
            .iter()
            .map(|claim| records.claim(claim))
            .collect()))
    }

    fn finish(&self, finishes: Vec<Finish>) -> StoreFuture<'_, Vec<bool>> {
        let mut records = self.records();
        done(Ok(finishes
            .into_iter()
            .map(|finish| records.finish(finish))
            .collect()))
    }

    fn suppress(&self, suppressed: Vec<Suppress>) -> StoreFuture<'_, Vec<bool>> {
        let mut records = self.records();
        done(Ok(suppressed
            .into_iter()
            .map(|one| records.suppress(one))
            .collect()))
    }

    fn recover(&self, now: Timestamp) -> StoreFuture<'_, Vec<ActivationRecord>> {
        done(Ok(self.records().recover(now)))
    }

    fn registrations(&self) -> StoreFuture<'_, Vec<RegistrationRecord>> {
        let records = self.records();
        done(Ok(records
            .registrations
            .iter()
            .map(|kept| kept.record.clone())
            .collect()))
    }

    fn activations(&self) -> StoreFuture<'_, Vec<ActivationRecord>> {
        let records = self.records();
        done(Ok(records
            .activations
            .iter()
            .map(|open| open.record.clone())
            .collect()))
    }

    fn history(&self, query: HistoryQuery) -> StoreFuture<'_, Vec<RunRecord>> {
        let limit = match query.limit {
            0 => usize::MAX,
            limit => limit as usize,
        };
        let wanted = |run: &&RunRecord| {
            query.task.as_ref().is_none_or(|task| *task == run.task)
                && query.activation.is_none_or(|id| id == run.activation)
        };
        let records = self.records();
        done(Ok(records
            .runs
            .iter()
            .rev()
            .map(|run| &run.record)
            .filter(wanted)
            .take(limit)
            .cloned()
            .collect()))
    }

    fn undelivered(&self) -> StoreFuture<'_, Vec<RunRecord>> {
        let records = self.records();
        done(Ok(records
            .runs
            .iter()
            .filter(|run| run.undelivered)
            .map(|run| run.record.clone())
            .collect()))
    }

    fn deliver(&self, runs: Vec<RunId>) -> StoreFuture<'_, ()> {
        for kept in &mut self.records().runs {
            if runs.contains(&kept.record.run) {
                kept.undelivered = false;
            }
        }
        done(Ok(()))
    }

    fn prune(&self, before: Timestamp) -> StoreFuture<'_, u64> {
        let runs = &mut self.records().runs;
        let kept = runs.len();
        runs.retain(|run| run.undelivered || run.record.ended >= before);
        done(Ok((kept - runs.len()) as u64))
    }

    fn changed(&self) -> watch::Receiver<u64> {
        self.changed.subscribe()
    }
}
