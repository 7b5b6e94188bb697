//! What must survive the process: registrations, activations, runs.
//!
//! The store keeps records and knows no cron, no zone and no condition. Every operation is
//! idempotent or fenced, so a caller that does not know whether it took effect may repeat it.

use std::{future::Future, pin::Pin, time::Duration};

use bgtask_model::Trigger;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::{
    ActivationId, Details, Event, Outcome, Progress, RegistrationId, Result, RunId, Standing,
};

#[cfg(test)]
mod contract;
mod data;
mod depth;
mod durability;
mod energy;
mod examination;
mod finding;
mod log;
mod memory;
mod registration;
mod rule;
mod sqlite;

pub(crate) use data::{DataChange, DataQuery};
pub(crate) use depth::check_depth;
pub use durability::Durability;
pub(crate) use energy::EnergyRow;
pub use finding::{Finding, Severity};
pub use log::LogQuery;
pub(crate) use log::is_kept;
pub(crate) use memory::MemoryStore;
pub(crate) use registration::{Limit, NewRegistration, Note, Registering};
pub use registration::{OnDuplicate, Origin, RegistrationRecord, SyncDiff};
pub(crate) use sqlite::SqliteStore;

/// The future of a store operation.
pub(crate) type StoreFuture<'a, T> = Pin<Box<dyn Future<Output = Result<T>> + Send + 'a>>;

/// Where the records are kept.
pub(crate) trait Store: Send + Sync + std::fmt::Debug + 'static {
    /// Engine, version and durability, for the log.
    fn info(&self) -> StoreInfo;

    /// Makes the registrations of origin `declared` equal to `declared`, in one transaction:
    /// unchanged ones (same name, same fingerprint) keep id, due time and generation; changed ones
    /// are replaced under a new id, and what was accepted for them goes on under it, but does not
    /// end it; gone ones are removed, and their waiting activations are recorded as suppressed. An
    /// ended one-shot stays as a tombstone until its fingerprint changes, even while it is not
    /// declared. Those that the app made stay as they are; one that is declared and has the name of
    /// such a one is refused, or takes its place if it has ended. One that is declared with an empty
    /// fingerprint leaves what is kept as it is. What is declared is no longer quarantined, and stays paused or
    /// disabled. All registrations are told as they are afterwards.
    ///
    /// # Errors
    ///
    /// `DuplicateName`, when two have the same name; nothing is changed then.
    fn sync_registrations(
        &self,
        declared: Vec<NewRegistration>,
        now: Timestamp,
    ) -> StoreFuture<'_, (SyncDiff, Vec<RegistrationRecord>)>;

    /// Makes one registration, in one transaction; those of an attribute and those of the app do not
    /// take each other's name. What takes the place of another one also takes over what waits for
    /// it, and that it is paused or disabled. Of the kind in `limit` there will be at most so many.
    /// Tombstones of its name are removed.
    ///
    /// # Errors
    ///
    /// `DuplicateName`; `TriggerLimitExceeded`; `Ambiguous`, when several have the name of the one
    /// that is to be replaced.
    fn register(
        &self,
        new: NewRegistration,
        on_duplicate: OnDuplicate,
        limit: Option<Limit>,
        now: Timestamp,
    ) -> StoreFuture<'_, Registering>;

    /// Removes registrations. What waits for them is recorded as suppressed; what runs may finish.
    /// `false`: there was none of that id.
    fn unregister(&self, ids: Vec<RegistrationId>, now: Timestamp) -> StoreFuture<'_, Vec<bool>>;

    /// Keeps what a registration may do. What holds already keeps its time. Quarantine hides what
    /// the user chooses until it is lifted. What it is then; `None`: there is none of that id, or it
    /// has ended.
    fn stand(
        &self,
        id: RegistrationId,
        standing: Standing,
    ) -> StoreFuture<'_, Option<RegistrationRecord>>;

    /// Ends the quarantine of registrations: what the user chose holds again. `false`: it was not
    /// quarantined.
    fn lift(&self, ids: Vec<RegistrationId>) -> StoreFuture<'_, Vec<bool>>;

    /// Keeps when fires were last held because the energy budget was used up.
    fn throttled(&self, ids: Vec<RegistrationId>, at: Timestamp) -> StoreFuture<'_, ()>;

    /// Keeps why fires made no activation, and counts them. What [`fire`](Self::fire) and
    /// [`suppress`](Self::suppress) are told is kept by those.
    fn note(&self, notes: Vec<Note>) -> StoreFuture<'_, ()>;

    /// Accepts activations, all or none; they count as accepted when their trigger fired. One
    /// whose id is known already is left as it is: waiting, running, or ended and still in the
    /// history. `false`: that one has ended.
    ///
    /// # Errors
    ///
    /// `BadArguments`, when arguments are nested so deep that they could not be read back.
    fn enqueue(&self, activations: Vec<NewActivation>) -> StoreFuture<'_, Vec<bool>>;

    /// Moves the due time of registrations on and accepts the activations that follow from it,
    /// atomically for each. `false`: the generation was not the expected one, or the registration
    /// has ended, and nothing happened. A last fire that keeps no activation ends the registration.
    fn fire(&self, fires: Vec<Fire>) -> StoreFuture<'_, Vec<bool>>;

    /// Marks activations as running, each with a new fence. `None`: it is not waiting. The same run
    /// asking again gets the lease it has.
    fn claim(&self, claims: Vec<Claim>) -> StoreFuture<'_, Vec<Option<Lease>>>;

    /// Puts activations back to waiting that were claimed and not started: the attempt does not
    /// count, the fence stays. Nothing happens to one that this run does not have.
    fn release(&self, releases: Vec<Release>) -> StoreFuture<'_, ()>;

    /// Records how runs ended; the end of a one-shot registration, the data that the run staged and
    /// the CPU time that it used are in the same transaction. Data is kept with `Completed` only;
    /// what completed with data that cannot be kept has failed. What ran for a registration that is
    /// gone is not tried again. `false`: fenced off, nothing happened.
    fn finish(&self, finishes: Vec<Finish>) -> StoreFuture<'_, Vec<bool>>;

    /// Records waiting activations as suppressed. `false`: it was not waiting.
    fn suppress(&self, suppressed: Vec<Suppress>) -> StoreFuture<'_, Vec<bool>>;

    /// Puts every running activation back to waiting (or, with `at_most_once`, ends it), because
    /// the broker that ran them is gone; those put back, oldest first. Attempt and fence stay, and
    /// no history is written: the attempt tells that there was a start before. One whose
    /// registration was removed meanwhile is ended, also if it waited. To be called by the one broker, before it
    /// starts any.
    fn recover(&self, now: Timestamp) -> StoreFuture<'_, Vec<ActivationRecord>>;

    /// All registrations, tombstones included.
    fn registrations(&self) -> StoreFuture<'_, Vec<RegistrationRecord>>;

    /// All waiting and running activations, oldest first.
    fn activations(&self) -> StoreFuture<'_, Vec<ActivationRecord>>;

    /// The waiting or running activation of this id.
    fn activation(&self, id: ActivationId) -> StoreFuture<'_, Option<ActivationRecord>>;

    /// Ended runs, newest first.
    fn history(&self, query: HistoryQuery) -> StoreFuture<'_, Vec<RunRecord>>;

    /// The names of the tasks that have ended runs.
    fn tasks_with_runs(&self) -> StoreFuture<'_, Vec<String>>;

    /// Completions not yet delivered to the app, oldest first.
    fn undelivered(&self) -> StoreFuture<'_, Vec<RunRecord>>;

    /// Marks completions as delivered.
    fn deliver(&self, runs: Vec<RunId>) -> StoreFuture<'_, ()>;

    /// Removes history that is too old or too much, delivered or not, and tombstones of what the app
    /// made; the number of runs and events removed. Gives space back to the system
    /// when much of it is free.
    fn prune(&self, keep: Retention) -> StoreFuture<'_, u64>;

    /// A text that the runtime keeps about the app.
    fn meta(&self, key: &str) -> StoreFuture<'_, Option<String>>;

    /// Keeps such a text, or forgets it.
    fn set_meta(&self, key: &str, text: Option<String>) -> StoreFuture<'_, ()>;

    /// Keeps what happened. Events that follow from activations and runs are left out.
    fn log(&self, events: Vec<Event>) -> StoreFuture<'_, ()>;

    /// What happened, newest first: what was logged, and what follows from activations and runs.
    fn read_log(&self, query: LogQuery) -> StoreFuture<'_, Vec<Event>>;

    /// The app's data, by key.
    fn data(&self, query: DataQuery) -> StoreFuture<'_, Vec<(String, serde_json::Value)>>;

    /// Changes the app's data, all or nothing. `false`: a comparison did not hold, and nothing
    /// happened.
    ///
    /// # Errors
    ///
    /// `BadArguments`, when a value is nested so deep that it could not be read back.
    fn change_data(&self, changes: Vec<DataChange>) -> StoreFuture<'_, bool>;

    /// The CPU time of runs that ended in the hour of `since` or later, by hour and task.
    fn energy(&self, since: Timestamp) -> StoreFuture<'_, Vec<EnergyRow>>;

    /// Examines everything that is kept, and changes nothing.
    fn check(&self) -> StoreFuture<'_, Vec<Finding>>;

    /// Told when another process changed the store. A hint: it may come late, twice, or not at
    /// all, and is never needed for correctness.
    fn changed(&self) -> tokio::sync::watch::Receiver<u64>;
}

/// What a store is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct StoreInfo {
    /// `sqlite`, `memory`.
    pub engine: String,
    /// The engine's version.
    pub version: String,
    /// What an acknowledged write survives.
    pub durability: String,
    /// Where it is.
    pub path: Option<std::path::PathBuf>,
}

/// An activation to be accepted.
#[derive(Clone, Debug)]
pub(crate) struct NewActivation {
    pub(crate) id: ActivationId,
    pub(crate) registration: RegistrationId,
    pub(crate) task: String,
    pub(crate) details: Details,
    /// Not to be started before this.
    pub(crate) not_before: Timestamp,
    /// Its completion is kept for the app until delivered.
    pub(crate) journal: bool,
    /// It was fired by hand: its registration's own trigger did not fire.
    pub(crate) foreign: bool,
}

impl NewActivation {
    /// `not_before` of what may start at once: long ago, so that a clock that is set back a little
    /// does not hold it.
    pub(crate) const AT_ONCE: Timestamp = Timestamp::UNIX_EPOCH;
}

/// An accepted activation that has not ended.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ActivationRecord {
    /// Identity.
    pub id: ActivationId,
    /// Whose trigger fired.
    pub registration: RegistrationId,
    /// Name of the task.
    pub task: String,
    /// What the trigger said.
    pub details: Details,
    /// When it was accepted.
    pub accepted: Timestamp,
    /// Not to be started before this; 1970 when it may start at once.
    pub not_before: Timestamp,
    /// How often it was started.
    pub attempt: u32,
    /// Grows with each start.
    pub fence: u64,
    /// The run, while it is running.
    pub run: Option<RunId>,
    /// Its completion is kept for the app until delivered.
    pub journal: bool,
    /// The registration's own trigger did not fire: it was fired by hand, or accepted for another
    /// registration, whose place this one took. It ends no one-shot.
    #[serde(default)]
    pub foreign: bool,
}

/// A due time that fires.
#[derive(Clone, Debug)]
pub(crate) struct Fire {
    pub(crate) registration: RegistrationId,
    /// The generation that was read.
    pub(crate) generation: u64,
    pub(crate) at: Timestamp,
    pub(crate) next: Option<Timestamp>,
    pub(crate) activations: Vec<NewActivation>,
    pub(crate) suppressed: Option<crate::Suppression>,
    /// The registration is a one-shot: no due time follows, and it ends with its outcome.
    pub(crate) last: bool,
    /// The activations are not kept (`delivery = volatile`), and a one-shot ends at once.
    pub(crate) volatile: bool,
}

impl Fire {
    /// The activations that are kept.
    fn kept(&self) -> &[NewActivation] {
        match self.volatile {
            true => &[],
            false => &self.activations,
        }
    }
}

/// An activation to be started.
#[derive(Clone, Debug)]
pub(crate) struct Claim {
    pub(crate) activation: ActivationId,
    pub(crate) run: RunId,
    pub(crate) at: Timestamp,
}

/// The right to run an activation once.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Lease {
    pub(crate) attempt: u32,
    pub(crate) fence: u64,
}

/// A claimed activation that was not started.
#[derive(Clone, Debug)]
pub(crate) struct Release {
    pub(crate) activation: ActivationId,
    pub(crate) run: RunId,
}

/// How a run ended.
#[derive(Clone, Debug)]
pub(crate) struct Finish {
    pub(crate) activation: ActivationId,
    pub(crate) fence: u64,
    pub(crate) at: Timestamp,
    pub(crate) outcome: Outcome,
    pub(crate) progress: Option<Progress>,
    /// Try again then: the activation goes back to waiting, and the run is recorded.
    pub(crate) retry_at: Option<Timestamp>,
    /// The registration is a one-shot and ends here.
    pub(crate) ends_registration: bool,
    /// What the run changes of the app's data, if it completed.
    pub(crate) data: Vec<DataChange>,
    /// The CPU time it used, if that is known.
    pub(crate) cpu: Option<Duration>,
    /// That was on battery.
    pub(crate) on_battery: bool,
}

/// A waiting activation that will not start.
#[derive(Clone, Debug)]
pub(crate) struct Suppress {
    pub(crate) activation: ActivationId,
    pub(crate) at: Timestamp,
    pub(crate) why: crate::Suppression,
    /// The registration is a one-shot and ends here.
    pub(crate) ends_registration: bool,
}

/// An ended run, as history keeps it. An activation that never started has no `started`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RunRecord {
    /// Identity.
    pub run: RunId,
    /// The activation it executed.
    pub activation: ActivationId,
    /// Whose trigger fired.
    pub registration: RegistrationId,
    /// Name of the task.
    pub task: String,
    /// 1 for the first try.
    pub attempt: u32,
    /// When it was accepted.
    pub accepted: Timestamp,
    /// When the run started.
    pub started: Option<Timestamp>,
    /// When it ended.
    pub ended: Timestamp,
    /// How it ended.
    pub outcome: Outcome,
    /// The last progress.
    pub progress: Option<Progress>,
    /// It will be tried again then.
    pub retry_at: Option<Timestamp>,
}

/// Which part of the history.
#[derive(Clone, Debug, Default)]
pub(crate) struct HistoryQuery {
    /// Only this task.
    pub(crate) task: Option<String>,
    /// Only this activation.
    pub(crate) activation: Option<ActivationId>,
    /// At most so many, newest first; 0 is no limit.
    pub(crate) limit: u32,
}

/// How much history is kept.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Retention {
    /// What ended, or happened, before is removed.
    pub(crate) before: Timestamp,
    /// At most so many of the newest runs, and of the newest events.
    pub(crate) most: u32,
}

/// What a store asks of a declaration's JSON text.
#[derive(Deserialize)]
struct Declared {
    delivery: Option<String>,
    trigger: Option<String>,
}

/// Whether what started once must not start again.
fn at_most_once(declaration: &str) -> bool {
    serde_json::from_str::<Declared>(declaration)
        .is_ok_and(|declared| declared.delivery.as_deref() == Some("at_most_once"))
}

/// Whether it is a one-shot: no fire tells that of one whose trigger is an event.
fn is_once(declaration: &str) -> bool {
    let declared = serde_json::from_str::<Declared>(declaration);
    let trigger = declared.ok().and_then(|declared| declared.trigger);
    let trigger = trigger.and_then(|text| text.parse::<Trigger>().ok());
    trigger.is_some_and(|trigger| trigger.is_once())
}
