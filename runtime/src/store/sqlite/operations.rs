//! Each operation of a store as work for one of its threads.

use jiff::Timestamp;
use serde_json::Value;
use tokio::sync::watch;

use super::{
    SqliteStore, activations, check,
    fault::{Fault, Sql},
    kept, log, registrations, runs,
};
use crate::{
    ActivationId, Event, RegistrationId, RunId, Standing,
    store::{
        ActivationRecord, Claim, DataChange, DataQuery, EnergyRow, Finding, Finish, Fire,
        HistoryQuery, Lease, Limit, LogQuery, NewActivation, NewRegistration, Note, OnDuplicate,
        Registering, RegistrationRecord, Release, Retention, RunRecord, Store, StoreFuture,
        StoreInfo, Suppress, SyncDiff, depth,
    },
};

impl Store for SqliteStore {
    fn info(&self) -> StoreInfo {
        StoreInfo {
            engine: "sqlite".into(),
            version: rusqlite::version().into(),
            durability: self.durability.promise().into(),
            path: Some(self.database.clone()),
        }
    }

    fn sync_registrations(
        &self,
        declared: Vec<NewRegistration>,
        now: Timestamp,
    ) -> StoreFuture<'_, (SyncDiff, Vec<RegistrationRecord>)> {
        self.write(move |connection| registrations::sync(connection, &declared, now))
    }

    fn register(
        &self,
        new: NewRegistration,
        on_duplicate: OnDuplicate,
        limit: Option<Limit>,
        now: Timestamp,
    ) -> StoreFuture<'_, Registering> {
        self.write(move |connection| {
            registrations::register(connection, &new, on_duplicate, limit.as_ref(), now)
        })
    }

    fn unregister(&self, ids: Vec<RegistrationId>, now: Timestamp) -> StoreFuture<'_, Vec<bool>> {
        self.write(move |connection| {
            each(&ids, |id| registrations::unregister(connection, *id, now))
        })
    }

    fn stand(
        &self,
        id: RegistrationId,
        standing: Standing,
    ) -> StoreFuture<'_, Option<RegistrationRecord>> {
        self.write(move |connection| registrations::stand(connection, id, &standing))
    }

    fn lift(&self, ids: Vec<RegistrationId>) -> StoreFuture<'_, Vec<bool>> {
        self.write(move |connection| each(&ids, |id| registrations::lift(connection, *id)))
    }

    fn throttled(&self, ids: Vec<RegistrationId>, at: Timestamp) -> StoreFuture<'_, ()> {
        self.write(move |connection| {
            ids.iter()
                .try_for_each(|id| registrations::throttled(connection, *id, at))
        })
    }

    fn note(&self, notes: Vec<Note>) -> StoreFuture<'_, ()> {
        self.write(move |connection| {
            notes.iter().try_for_each(|note| {
                registrations::note_suppression(connection, note.registration, note.at, &note.why)
            })
        })
    }

    fn enqueue(&self, activations: Vec<NewActivation>) -> StoreFuture<'_, Vec<bool>> {
        self.write(move |connection| {
            depth::check(&activations).map_err(Fault::Refused)?;
            each(&activations, |new| {
                activations::insert(connection, new, new.details.fired)
            })
        })
    }

    fn fire(&self, fires: Vec<Fire>) -> StoreFuture<'_, Vec<bool>> {
        self.write(move |connection| each(&fires, |fire| registrations::fire(connection, fire)))
    }

    fn claim(&self, claims: Vec<Claim>) -> StoreFuture<'_, Vec<Option<Lease>>> {
        self.write(move |connection| each(&claims, |claim| activations::claim(connection, claim)))
    }

    fn release(&self, releases: Vec<Release>) -> StoreFuture<'_, ()> {
        self.write(move |connection| {
            let mut releases = releases.iter();
            releases.try_for_each(|one| activations::release(connection, one))
        })
    }

    fn finish(&self, finishes: Vec<Finish>) -> StoreFuture<'_, Vec<bool>> {
        self.write(move |connection| {
            each(&finishes, |finish| activations::finish(connection, finish))
        })
    }

    fn suppress(&self, suppressed: Vec<Suppress>) -> StoreFuture<'_, Vec<bool>> {
        self.write(move |connection| {
            each(&suppressed, |one| activations::suppress(connection, one))
        })
    }

    fn recover(&self, now: Timestamp) -> StoreFuture<'_, Vec<ActivationRecord>> {
        self.write(move |connection| activations::recover(connection, now))
    }

    fn registrations(&self) -> StoreFuture<'_, Vec<RegistrationRecord>> {
        self.read(registrations::all)
    }

    fn activations(&self) -> StoreFuture<'_, Vec<ActivationRecord>> {
        self.read(activations::all)
    }

    fn activation(&self, id: ActivationId) -> StoreFuture<'_, Option<ActivationRecord>> {
        self.read(move |connection| activations::one(connection, id))
    }

    fn history(&self, query: HistoryQuery) -> StoreFuture<'_, Vec<RunRecord>> {
        self.read(move |connection| runs::history(connection, &query))
    }

    fn tasks_with_runs(&self) -> StoreFuture<'_, Vec<String>> {
        self.read(runs::tasks)
    }

    fn undelivered(&self) -> StoreFuture<'_, Vec<RunRecord>> {
        self.read(runs::undelivered)
    }

    fn deliver(&self, runs: Vec<RunId>) -> StoreFuture<'_, ()> {
        self.write(move |connection| runs::deliver(connection, &runs))
    }

    fn prune(&self, keep: Retention) -> StoreFuture<'_, u64> {
        Box::pin(async move {
            let mut removed = 0;
            loop {
                match self
                    .write(move |connection| runs::prune(connection, keep))
                    .await?
                {
                    0 => break,
                    more => removed += more,
                }
            }
            self.write(move |connection| runs::prune_rest(connection, keep))
                .await?;
            self.tidy().await;
            Ok(removed)
        })
    }

    fn meta(&self, key: &str) -> StoreFuture<'_, Option<String>> {
        let key = key.to_owned();
        self.read(move |connection| kept::meta(connection, &key))
    }

    fn set_meta(&self, key: &str, text: Option<String>) -> StoreFuture<'_, ()> {
        let key = key.to_owned();
        self.write(move |connection| kept::set_meta(connection, &key, text.as_deref()))
    }

    fn log(&self, events: Vec<Event>) -> StoreFuture<'_, ()> {
        self.write(move |connection| log::write(connection, &events))
    }

    fn read_log(&self, query: LogQuery) -> StoreFuture<'_, Vec<Event>> {
        self.read(move |connection| log::read(connection, &query))
    }

    fn data(&self, query: DataQuery) -> StoreFuture<'_, Vec<(String, Value)>> {
        self.read(move |connection| kept::data(connection, &query))
    }

    fn change_data(&self, changes: Vec<DataChange>) -> StoreFuture<'_, bool> {
        self.write(move |connection| kept::change_data(connection, &changes))
    }

    fn energy(&self, since: Timestamp) -> StoreFuture<'_, Vec<EnergyRow>> {
        self.read(move |connection| kept::energy(connection, since))
    }

    fn check(&self) -> StoreFuture<'_, Vec<Finding>> {
        self.read(check::check)
    }

    fn changed(&self) -> watch::Receiver<u64> {
        self.changed.subscribe()
    }
}

fn each<I, T>(items: &[I], one: impl Fn(&I) -> Sql<T>) -> Sql<Vec<T>> {
    items.iter().map(one).collect()
}
