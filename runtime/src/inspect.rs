//! Looking into apps from outside: what the `bgtask` command is made of.
//!
//! A running broker is asked over its control socket ([`connect`]); when none runs, the store is
//! read as it was left ([`Offline`]).

mod capabilities;

use std::{collections::HashMap, fmt};

use bgtask_model::Declaration;
use jiff::Timestamp;
use serde_json::json;

pub use capabilities::capabilities;

pub use crate::ipc::control::{
    Hello, Mode, Order, PROTOCOL, Request, Response, RunListing, Seen, TaskListing, TaskState, Why,
};
use crate::{
    ActivationRecord, Code, Error, Event, Finding, LogQuery, Origin, RegistrationId,
    RegistrationRecord, Result, RunRecord, Standing,
    access::Files,
    broker::{kept_alone, reader},
    dirs::Env,
    ipc::control::Client,
    manifest::Entry,
    store::{HistoryQuery, NewActivation, Store},
};

/// The ids of the apps of this user that have a store or a control socket, sorted.
///
/// # Errors
///
/// [`Code::NoStateDirectory`]: it is not known where stores are; [`Code::Directory`]: that place
/// cannot be listed.
pub fn apps() -> Result<Vec<String>> {
    Env::of_process().apps()
}

/// Where the [policy of access](crate::access) is, for this user.
#[must_use]
pub fn access_files() -> Files {
    Files::of(Env::of_process().config_dir().as_deref())
}

/// Connects to the broker of an app. `None`: none runs.
///
/// # Errors
///
/// [`Code::InvalidDeclaration`]: that is no app's id; [`Code::Control`]: the broker cannot be
/// talked to.
pub async fn connect(app: &str) -> Result<Option<Live>> {
    let dir = Env::of_process().runtime_dir(app)?;
    Ok(Client::connect(&dir).await?.map(|client| Live { client }))
}

/// A connection to a running broker.
#[derive(Debug)]
pub struct Live {
    client: Client,
}

impl Live {
    /// Who serves this connection.
    #[must_use]
    pub const fn hello(&self) -> &Hello {
        self.client.hello()
    }

    /// Asks the broker.
    ///
    /// # Errors
    ///
    /// What the broker refused, or [`Code::Control`] if it cannot be talked to or does not answer
    /// in 30 s.
    pub async fn ask(&mut self, request: &Request) -> Result<Response> {
        self.client.ask(request).await
    }
}

/// An app's store, read while no broker runs. Nothing is changed.
pub struct Offline {
    store: Box<dyn Store>,
}

impl fmt::Debug for Offline {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Offline({:?})", self.store)
    }
}

impl Offline {
    /// Opens the store of an app for reading. `None`: the app has none.
    ///
    /// # Errors
    ///
    /// [`Code::InvalidDeclaration`]: that is no app's id; [`Code::Directory`]: others can use the
    /// store's directory; [`Code::StoreCorrupt`], [`Code::StoreNewer`], [`Code::Store`].
    pub fn open(app: &str) -> Result<Option<Self>> {
        let store = reader(&Env::of_process().state_dir(app)?)?;
        Ok(store.map(|store| Self::over(Box::new(store))))
    }

    fn over(store: Box<dyn Store>) -> Self {
        Self { store }
    }

    /// The registered tasks, by name.
    ///
    /// # Errors
    ///
    /// Those of the store.
    pub async fn list(&self) -> Result<Vec<TaskListing>> {
        let mut listings: Vec<TaskListing> = Vec::new();
        let mut activations = self.activations().await?;
        for registration in self.registrations(None).await? {
            let of_this = activations.remove(&registration.id).unwrap_or_default();
            let last = self.last_run(&registration).await?;
            listings.push(listing(&registration, &of_this, last));
        }
        Ok(listings)
    }

    /// What is known of why tasks do or do not run: without a broker, nothing watches their
    /// conditions.
    ///
    /// # Errors
    ///
    /// [`Code::UnknownTask`]: `task` is not registered; and those of the store.
    pub async fn why(&self, task: Option<&str>) -> Result<Vec<Why>> {
        let mut answers = Vec::new();
        let mut activations = self.activations().await?;
        for registration in self.registrations(task).await? {
            let of_this = activations.remove(&registration.id).unwrap_or_default();
            let last = self.last_run(&registration).await?;
            answers.push(why(&registration, &of_this, last));
        }
        if let (Some(task), true) = (task, answers.is_empty()) {
            return Err(
                Error::new(Code::UnknownTask, "no task of that name is registered")
                    .task(task)
                    .remedy("`bgtask list` shows the names"),
            );
        }
        Ok(answers)
    }

    /// Ended runs, newest first, at most `limit`.
    ///
    /// # Errors
    ///
    /// Those of the store.
    pub async fn history(&self, task: Option<&str>, limit: u32) -> Result<Vec<RunRecord>> {
        let query = HistoryQuery {
            task: task.map(str::to_owned),
            limit,
            ..HistoryQuery::default()
        };
        self.store.history(query).await
    }

    /// What happened, oldest first: of what the query asks for, the newest.
    ///
    /// # Errors
    ///
    /// Those of the store.
    pub async fn log(&self, query: LogQuery) -> Result<Vec<Event>> {
        let mut events = self.store.read_log(query).await?;
        events.reverse();
        Ok(events)
    }

    /// Examines everything that is kept, the worst first. It reads the whole store, and can be done
    /// while the app runs. What is sound is told too, as [`Severity::Info`](crate::Severity).
    ///
    /// Windows has no counterpart: what it keeps about background tasks cannot be examined.
    ///
    /// ```no_run
    /// use bgtask::{Severity, inspect::Offline};
    ///
    /// async fn is_sound(app: &str) -> bgtask::Result<bool> {
    ///     let Some(store) = Offline::open(app)? else {
    ///         return Ok(true);
    ///     };
    ///     let found = store.check().await?;
    ///     Ok(found.iter().all(|finding| finding.severity < Severity::Fault))
    /// }
    /// # let _ = is_sound("com.example.mail");
    /// ```
    ///
    /// # Errors
    ///
    /// Those of the store. One that is so damaged that it cannot be opened is refused by
    /// [`open`](Self::open) already.
    pub async fn check(&self) -> Result<Vec<Finding>> {
        self.store.check().await
    }

    async fn registrations(&self, task: Option<&str>) -> Result<Vec<RegistrationRecord>> {
        let mut registrations = self.store.registrations().await?;
        registrations.retain(|registration| task.is_none_or(|task| registration.name == task));
        registrations.sort_by(|a, b| (&a.name, a.id).cmp(&(&b.name, b.id)));
        Ok(registrations)
    }

    async fn activations(&self) -> Result<HashMap<RegistrationId, Vec<ActivationRecord>>> {
        let mut by_registration: HashMap<_, Vec<_>> = HashMap::new();
        for activation in self.store.activations().await? {
            let of_this = by_registration.entry(activation.registration).or_default();
            of_this.push(activation);
        }
        Ok(by_registration)
    }

    async fn last_run(&self, registration: &RegistrationRecord) -> Result<Option<RunRecord>> {
        Ok(self.history(Some(&registration.name), 1).await?.pop())
    }
}

/// The declaration that a store keeps, unless another version wrote what this one cannot read.
fn declaration(registration: &RegistrationRecord) -> Option<Declaration> {
    let entry = Entry::from_json(registration.declaration.as_bytes()).ok()?;
    Some(entry.declaration)
}

fn listing(
    registration: &RegistrationRecord,
    activations: &[ActivationRecord],
    last: Option<RunRecord>,
) -> TaskListing {
    let declaration = declaration(registration);
    let declaration = declaration.as_ref();
    let count = |running: bool| {
        let of_kind = activations
            .iter()
            .filter(|activation| activation.run.is_some() == running);
        u32::try_from(of_kind.count()).unwrap_or(u32::MAX)
    };
    TaskListing {
        task: registration.name.clone(),
        registration: Some(registration.id),
        entry: Some(registration.entry.clone()).filter(|entry| *entry != registration.name),
        group: registration.group.clone(),
        origin: Some(registration.origin),
        standing: Some(registration.standing.clone()),
        trigger: declaration.map_or_else(|| "?".to_owned(), |known| known.trigger.to_string()),
        condition: declaration
            .and_then(|known| known.condition.as_ref())
            .map(ToString::to_string),
        host: declaration.map_or_else(|| "?".to_owned(), |known| known.host.to_string()),
        state: if registration.ended.is_some() {
            TaskState::Ended
        } else {
            TaskState::Registered
        },
        error: declaration
            .is_none()
            .then(|| "its declaration was written by another version of bgtask".to_owned()),
        next_due: registration.due,
        waiting: count(false),
        running: count(true),
        progress: None,
        runs: activations.iter().map(waits).collect(),
        alone: declaration
            .zip(last.as_ref())
            .and_then(|(declared, run)| kept_alone(declared, &run.outcome)),
        last: last.map(|run| (run.ended, run.outcome)),
        overridden: None,
    }
}

fn waits(activation: &ActivationRecord) -> RunListing {
    RunListing {
        activation: activation.id,
        run: activation.run,
        since: activation.accepted,
        until: later(activation),
        progress: None,
        asked: None,
        overrun: false,
    }
}

/// The time that it is not to be started before, if it has one.
fn later(activation: &ActivationRecord) -> Option<Timestamp> {
    Some(activation.not_before).filter(|at| *at > NewActivation::AT_ONCE)
}

fn why(
    registration: &RegistrationRecord,
    activations: &[ActivationRecord],
    last: Option<RunRecord>,
) -> Why {
    let listing = listing(registration, activations, last);
    let mut lines = vec!["no broker runs: nothing starts it until the app is started".to_owned()];
    if let Some(ended) = registration.ended {
        lines = vec![format!("it was to run once, and ended at {ended}")];
    } else if let Some(due) = listing.next_due {
        lines.push(format!("next due at {due}"));
    }
    match &registration.standing {
        Standing::Enabled => {}
        Standing::Paused { since } => lines.push(format!("paused since {since}")),
        Standing::Disabled { since } => lines.push(format!("disabled since {since}")),
        Standing::Quarantined { since, reason } => {
            lines.push(format!("in quarantine since {since}: {reason}"));
        }
    }
    if registration.origin == Origin::Built {
        lines.push(format!("built of `{}`", registration.entry));
    }
    if let Some(group) = &registration.group {
        lines.push(format!("in group `{group}`"));
    }
    for activation in activations {
        let waits = match later(activation) {
            Some(at) => format!("waits, not to be started before {at}"),
            None => "waits".to_owned(),
        };
        lines.push(match (activation.run, &listing.condition) {
            (Some(_), _) => format!(
                "an activation accepted at {} was running when the broker went",
                activation.accepted
            ),
            (None, Some(condition)) => format!(
                "an activation accepted at {} {waits}; its condition `{condition}` is not watched now",
                activation.accepted
            ),
            (None, None) => format!("an activation accepted at {} {waits}", activation.accepted),
        });
    }
    if let Some((at, why)) = &registration.last_suppression {
        lines.push(format!("at {at} a fire did not start it: {why}"));
    }
    lines.push(match &listing.last {
        Some((at, outcome)) => format!("last ended at {at}: {outcome}"),
        None => "no run has ended yet".to_owned(),
    });
    if let Some(why) = &listing.alone {
        lines.push(format!("runs in a process of its own: {why}"));
    }
    Why {
        task: registration.name.clone(),
        text: lines.join("\n"),
        details: json!({
            "broker": null,
            "registration": registration,
            "waiting": listing.waiting,
            "running": listing.running,
            "last": listing.last,
        }),
    }
}

#[cfg(test)]
mod tests {
    use jiff::SignedDuration;

    use super::*;
    use crate::{
        ActivationId, Details, Origin, Outcome, RunId,
        store::{Claim, Finish, MemoryStore, NewActivation, NewRegistration, OnDuplicate},
    };

    const DECLARATION: &str = r#"{"name":"sync","function":"x::sync","crate":"x","crate_version":"1","macros":"0","trigger":"time(15)","condition":"internet"}"#;

    fn registration(name: &str, declaration: &str, due: Option<Timestamp>) -> NewRegistration {
        NewRegistration {
            name: name.to_owned(),
            entry: name.to_owned(),
            origin: Origin::Declared,
            group: None,
            kind: "time".to_owned(),
            declaration: declaration.to_owned(),
            fingerprint: name.to_owned(),
            due,
        }
    }

    fn activation(registration: RegistrationId, at: Timestamp) -> NewActivation {
        NewActivation {
            id: ActivationId::now(),
            registration,
            task: "sync".to_owned(),
            details: Details::default(),
            not_before: at,
            journal: false,
            foreign: false,
        }
    }

    #[tokio::test]
    async fn a_store_is_told_as_its_broker_left_it() {
        let store = MemoryStore::new();
        let start: Timestamp = "2026-01-02T03:04:05Z".parse().unwrap();
        let later = start + SignedDuration::from_mins(15);
        let declared = vec![
            registration("sync", DECLARATION, Some(later)),
            registration("future", "{\"written\":\"later\"}", None),
        ];
        store.sync_registrations(declared, start).await.unwrap();
        let known = store.registrations().await.unwrap();
        let sync = known.iter().find(|known| known.name == "sync").unwrap().id;
        let paused = Standing::Paused { since: later };
        assert!(store.stand(sync, paused.clone()).await.unwrap().is_some());
        let built = NewRegistration {
            entry: "sync".to_owned(),
            origin: Origin::Built,
            group: Some("lib".to_owned()),
            ..registration("mine", DECLARATION, None)
        };
        let made = store.register(built, OnDuplicate::Replace, None, start);
        made.await.unwrap();
        let (done, waits) = (activation(sync, start), activation(sync, start));
        store.enqueue(vec![done.clone(), waits]).await.unwrap();
        let claim = Claim {
            activation: done.id,
            run: RunId::now(),
            at: start,
        };
        let lease = store
            .claim(vec![claim])
            .await
            .unwrap()
            .pop()
            .flatten()
            .unwrap();
        let finish = Finish {
            activation: done.id,
            fence: lease.fence,
            at: start,
            outcome: Outcome::Failed {
                error: "no mail today".to_owned(),
            },
            progress: None,
            retry_at: None,
            ends_registration: false,
            data: Vec::new(),
            cpu: None,
            on_battery: false,
        };
        assert_eq!(store.finish(vec![finish]).await.unwrap(), [true]);

        let offline = Offline::over(Box::new(store));
        let listed = offline.list().await.unwrap();
        let [future, mine, sync] = &listed[..] else {
            panic!("{listed:?}");
        };
        assert_eq!(sync.standing, Some(paused));
        assert_eq!(mine.origin, Some(Origin::Built));
        assert_eq!(mine.entry.as_deref(), Some("sync"));
        assert_eq!(mine.group.as_deref(), Some("lib"));
        assert_eq!((&*sync.task, &*sync.trigger), ("sync", "time(15)"));
        assert_eq!(sync.condition.as_deref(), Some("internet"));
        assert_eq!((sync.waiting, sync.running), (1, 0));
        assert_eq!(sync.next_due, Some(later));
        assert_eq!(future.state, TaskState::Registered);
        assert!(future.error.as_ref().unwrap().contains("another version"));

        let answers = offline.why(Some("sync")).await.unwrap();
        assert_eq!(answers.len(), 1);
        for part in [
            "no broker runs",
            "next due at 2026-01-02T03:19:05Z",
            "paused since 2026-01-02T03:19:05Z",
            "its condition `internet` is not watched now",
            "waits, not to be started before 2026-01-02T03:04:05Z",
            "failed: no mail today",
        ] {
            assert!(answers[0].text.contains(part), "{}", answers[0].text);
        }
        let answers = offline.why(Some("mine")).await.unwrap();
        for part in ["built of `sync`", "in group `lib`"] {
            assert!(answers[0].text.contains(part), "{}", answers[0].text);
        }
        assert_eq!(offline.why(None).await.unwrap().len(), 3);
        let error = offline.why(Some("snyc")).await.unwrap_err();
        assert_eq!(error.code(), Code::UnknownTask);
        assert_eq!(offline.history(None, 10).await.unwrap().len(), 1);
        let found = offline.check().await.unwrap();
        assert_eq!(found.len(), 1, "{found:?}");
        assert!(
            offline
                .history(Some("future"), 10)
                .await
                .unwrap()
                .is_empty()
        );
    }
}
