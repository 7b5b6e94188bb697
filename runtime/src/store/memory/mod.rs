//! The store's twin in memory: the same answers, and nothing survives the process.

mod activations;
mod kept;
mod registrations;

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use jiff::Timestamp;
use serde_json::Value;
use tokio::sync::watch;

use super::{
    ActivationRecord, Claim, DataChange, DataQuery, EnergyRow, Finding, Finish, Fire, HistoryQuery,
    Lease, Limit, LogQuery, NewActivation, NewRegistration, Note, OnDuplicate, Registering,
    RegistrationRecord, Release, Retention, RunRecord, Store, StoreFuture, StoreInfo, Suppress,
    SyncDiff, depth, examination, log, registration::Stance,
};
use crate::{ActivationId, Event, RegistrationId, Result, RunId, Standing};

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
    events: Vec<Event>,
    /// Values as their JSON text, as the other store keeps them.
    data: BTreeMap<String, String>,
    meta: BTreeMap<String, String>,
    /// By the beginning of the hour, and task.
    energy: BTreeMap<(Timestamp, String), Used>,
}

/// CPU time, and the part of it that was on battery.
#[derive(Debug, Default)]
struct Used {
    cpu: Duration,
    on_battery: Duration,
}

#[derive(Debug)]
struct Registration {
    record: RegistrationRecord,
    /// What the record's standing follows from.
    stance: Stance,
    /// Fired for the last time: ends with its outcome.
    ending: bool,
}

#[derive(Debug)]
struct Activation {
    record: ActivationRecord,
    started: Option<Timestamp>,
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
    ) -> StoreFuture<'_, (SyncDiff, Vec<RegistrationRecord>)> {
        let mut records = self.records();
        let synced = records.sync(declared, now);
        done(synced.map(|diff| (diff, records.all().cloned().collect())))
    }

    fn register(
        &self,
        new: NewRegistration,
        on_duplicate: OnDuplicate,
        limit: Option<Limit>,
        now: Timestamp,
    ) -> StoreFuture<'_, Registering> {
        let mut records = self.records();
        done(records.register(new, on_duplicate, limit.as_ref(), now))
    }

    fn unregister(&self, ids: Vec<RegistrationId>, now: Timestamp) -> StoreFuture<'_, Vec<bool>> {
        let mut records = self.records();
        done(Ok(ids
            .into_iter()
            .map(|id| records.unregister(id, now))
            .collect()))
    }

    fn stand(
        &self,
        id: RegistrationId,
        standing: Standing,
    ) -> StoreFuture<'_, Option<RegistrationRecord>> {
        done(Ok(self.records().stand(id, standing)))
    }

    fn lift(&self, ids: Vec<RegistrationId>) -> StoreFuture<'_, Vec<bool>> {
        let mut records = self.records();
        done(Ok(ids.into_iter().map(|id| records.lift(id)).collect()))
    }

    fn throttled(&self, ids: Vec<RegistrationId>, at: Timestamp) -> StoreFuture<'_, ()> {
        let mut records = self.records();
        for id in ids {
            records.throttled(id, at);
        }
        done(Ok(()))
    }

    fn note(&self, notes: Vec<Note>) -> StoreFuture<'_, ()> {
        let mut records = self.records();
        for note in notes {
            records.note(note);
        }
        done(Ok(()))
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
        let checked = fires.iter().try_for_each(|fire| depth::check(fire.kept()));
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

    fn release(&self, releases: Vec<Release>) -> StoreFuture<'_, ()> {
        let mut records = self.records();
        releases.iter().for_each(|one| records.release(one));
        done(Ok(()))
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
        done(Ok(records.all().cloned().collect()))
    }

    fn activations(&self) -> StoreFuture<'_, Vec<ActivationRecord>> {
        let records = self.records();
        done(Ok(records
            .activations
            .iter()
            .map(|open| open.record.clone())
            .collect()))
    }

    fn activation(&self, id: ActivationId) -> StoreFuture<'_, Option<ActivationRecord>> {
        let records = self.records();
        let mut open = records.activations.iter().map(|open| &open.record);
        done(Ok(open.find(|record| record.id == id).cloned()))
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

    fn tasks_with_runs(&self) -> StoreFuture<'_, Vec<String>> {
        let records = self.records();
        let names = records.runs.iter().map(|run| run.record.task.clone());
        done(Ok(names.collect::<BTreeSet<_>>().into_iter().collect()))
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

    fn prune(&self, keep: Retention) -> StoreFuture<'_, u64> {
        done(Ok(self.records().prune(keep)))
    }

    fn meta(&self, key: &str) -> StoreFuture<'_, Option<String>> {
        done(Ok(self.records().meta.get(key).cloned()))
    }

    fn set_meta(&self, key: &str, text: Option<String>) -> StoreFuture<'_, ()> {
        let meta = &mut self.records().meta;
        match text {
            Some(text) => drop(meta.insert(key.to_owned(), text)),
            None => drop(meta.remove(key)),
        }
        done(Ok(()))
    }

    fn log(&self, events: Vec<Event>) -> StoreFuture<'_, ()> {
        let events = events.into_iter().filter(log::is_kept);
        self.records().events.extend(events);
        done(Ok(()))
    }

    fn read_log(&self, query: LogQuery) -> StoreFuture<'_, Vec<Event>> {
        let sources = self.records().sources(&query);
        done(Ok(log::merge(&query, sources)))
    }

    fn data(&self, query: DataQuery) -> StoreFuture<'_, Vec<(String, Value)>> {
        done(Ok(self.records().data(&query)))
    }

    fn change_data(&self, changes: Vec<DataChange>) -> StoreFuture<'_, bool> {
        done(self.records().change_data(changes))
    }

    fn energy(&self, since: Timestamp) -> StoreFuture<'_, Vec<EnergyRow>> {
        done(Ok(self.records().energy(since)))
    }

    fn check(&self) -> StoreFuture<'_, Vec<Finding>> {
        done(Ok(examination::findings(&self.records().examined())))
    }

    fn changed(&self) -> watch::Receiver<u64> {
        self.changed.subscribe()
    }
}
