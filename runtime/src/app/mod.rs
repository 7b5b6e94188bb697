//! What a program holds: the app, its tasks' handles, and what they report.

mod access;
mod builder;
mod client;
mod data;
mod device;
mod energy;
mod extended;
mod group;
mod handle;
mod lifecycle;
mod outbox;
mod registration;
mod registration_builder;
mod rejoin;
mod requester;
mod run;
mod socket;
mod source;
mod streams;
mod toast;

use std::{collections::BTreeSet, sync::Arc};

pub use builder::AppBuilder;
pub(crate) use builder::Strictness;
pub use client::{AnyTask, AppService, Client};
pub use data::AppData;
pub use device::{DeviceRequestFuture, DeviceRequestOutcome};
pub(crate) use extended::OneExtended;
pub use extended::{
    ExtendedExecution, ExtendedExecutionOutcome, ExtendedExecutionReason, ExtendedExecutionRevoked,
    ExtendedExecutionSession,
};
pub use group::RegistrationGroup;
pub use handle::{RequestFuture, RequestOutcome, TaskHandle};
pub(crate) use lifecycle::Changes;
pub use lifecycle::{Lifecycle, LifecycleDeferral, Lifecycles};
pub use registration::Registration;
pub use registration_builder::RegistrationBuilder;
pub use run::{Run, RunError};
pub use socket::SocketTransfer;
pub use source::{EventSink, EventSource, PushSink, RawSource, SourceError};
pub use streams::{Completions, Events, ProgressStream};

use tokio::sync::{broadcast, mpsc, oneshot};

use crate::{
    ActivationId, AppState, CancelReason, Code, Error, Event, Explanation, LogQuery, NamedTask,
    Profile, RegistrationRecord, Result, RunRecord, SyncDiff, TaskType,
    access::Access,
    broker::{Command, Look, RegistrationChange, check_foreground},
    clock::Clock,
    host::{GroupHandlers, is_in_body},
    monitor::{PowerWatch, Toasts},
    registry::Registry,
    store::Store,
};

/// The running app: its broker, its tasks, what happened to them.
///
/// `#[bgtask::main]` makes one and hands it to `main`. Cheap to clone.
///
/// ```no_run
/// use bgtask::prelude::*;
///
/// #[background_task(name = "greet", trigger = custom("visitor"))]
/// async fn greet(Args(name): Args<String>) -> String {
///     format!("hello, {name}")
/// }
///
/// #[bgtask::main]
/// async fn main(app: App) -> bgtask::Result<()> {
///     app.raise("visitor", "Ada").await?;
///     println!("{}", app.why("greet").await?);
///     for run in app.history(Some("greet"), 10).await? {
///         println!("{}: {}", run.ended, run.outcome);
///     }
///     app.run_until_shutdown().await
/// }
/// ```
///
/// Windows: [`BackgroundTaskRegistration.AllTasks`](https://learn.microsoft.com/uwp/api/windows.applicationmodel.background.backgroundtaskregistration.alltasks)
/// and the application object together.
#[derive(Clone, Debug)]
pub struct App {
    pub(crate) inner: Arc<Inner>,
}

#[derive(Debug)]
pub(crate) struct Inner {
    pub(crate) id: String,
    pub(crate) commands: mpsc::UnboundedSender<Command>,
    pub(crate) events: broadcast::Sender<Event>,
    pub(crate) registry: Arc<Registry>,
    pub(crate) store: Arc<dyn Store>,
    pub(crate) linger: bool,
    pub(crate) closed: tokio::sync::watch::Receiver<bool>,
    /// What asks the declared outboxes to look.
    pub(crate) outboxes: Vec<mpsc::UnboundedSender<Look>>,
    pub(crate) max_payload: usize,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) changes: Changes,
    pub(crate) groups: GroupHandlers,
    pub(crate) profile: Profile,
    pub(crate) power: PowerWatch,
    pub(crate) toasts: Toasts,
    pub(crate) access: Arc<Access>,
    pub(crate) extended: OneExtended,
}

impl App {
    /// The app's id: it names the store, the lock and the socket.
    #[must_use]
    pub fn id(&self) -> &str {
        &self.inner.id
    }

    /// The handle of an annotated function, checked by the compiler.
    #[must_use]
    pub fn task<F: NamedTask>(&self) -> TaskHandle<F> {
        TaskHandle::new(self.clone(), F::NAME)
    }

    /// As [`task`](Self::task), for a function with several attributes: says which by name. The name
    /// has to be one of that function's tasks. Of functions that take no arguments that cannot be
    /// told, and a result of another type is [`Code::BadResult`] when it is taken.
    ///
    /// # Errors
    /// [`Code::UnknownTask`] when no task of this program has that name; [`Code::BadArguments`] when
    /// it is one of another function, which the error names.
    pub fn task_named<F: TaskType>(&self, name: &str) -> Result<TaskHandle<F>> {
        let task = self.inner.registry.find(name)?;
        task.check_type::<F>()?;
        Ok(TaskHandle::new(self.clone(), task.declaration.name.clone()))
    }

    /// Raises a custom event: every task with `trigger = custom("name")` fires. Returns the
    /// activations, persisted unless `delivery = volatile` says otherwise; none when no task listens.
    ///
    /// # Errors
    /// [`Code::BadArguments`] when they do not fit a task that listens; nothing fires then.
    pub async fn raise(
        &self,
        event: &str,
        arguments: impl serde::Serialize,
    ) -> Result<Vec<ActivationId>> {
        let arguments = to_json(&arguments)?;
        self.ask(|reply| Command::Raise {
            event: event.to_owned(),
            arguments,
            reply,
        })
        .await?
    }

    /// Fires a task now, whatever its trigger; its condition still holds it. While it is paused or
    /// disabled, or access is denied, the activation is kept, and held.
    ///
    /// A task for `files` or `device` takes its details in the place of arguments, as
    /// [`FileChanges`](crate::FileChanges) or [`DeviceChanges`](crate::DeviceChanges) in JSON; without
    /// them it is told that anything may have changed.
    ///
    /// # Errors
    /// [`Code::UnknownTask`], [`Code::BadArguments`], [`Code::Unsupported`] for a task that works on a
    /// device or a socket, or what the store says.
    pub async fn fire(
        &self,
        task: &str,
        arguments: Option<serde_json::Value>,
    ) -> Result<ActivationId> {
        self.ask(|reply| Command::Fire {
            task: task.to_owned(),
            arguments,
            reply,
        })
        .await?
    }

    /// Why a task has not run, or what it waits for.
    ///
    /// # Errors
    /// [`Code::UnknownTask`].
    pub async fn why(&self, task: &str) -> Result<Explanation> {
        let task = task.to_owned();
        self.ask(|reply| Command::Why { task, reply }).await?
    }

    /// Begins a registration of this name that is made while the app runs. A declared task's name
    /// is taken, unless its attribute says `register = false`.
    pub fn registration(&self, name: impl Into<String>) -> RegistrationBuilder {
        RegistrationBuilder::new(self.clone(), name.into())
    }

    /// All registrations that are in no group and have not ended, by name.
    ///
    /// Windows: [`AllTasks`](https://learn.microsoft.com/uwp/api/windows.applicationmodel.background.backgroundtaskregistration.alltasks).
    ///
    /// # Errors
    /// What the store says.
    pub async fn all_tasks(&self) -> Result<Vec<Registration>> {
        self.registered_in(|group| group.is_none()).await
    }

    /// The registration of a name, or of an id or the beginning of one (8 characters at least), in
    /// a group or not.
    ///
    /// # Errors
    /// [`Code::UnknownTask`], or [`Code::Ambiguous`] when several are meant.
    pub async fn registered(&self, task: &str) -> Result<Registration> {
        let asked = task.to_owned();
        let meant = self.ask(|reply| Command::Resolve { task: asked, reply });
        let id = meant.await??.id;
        let all = self.inner.store.registrations().await?;
        let found = all.into_iter().find(|record| record.id == id);
        let found = found.map(|record| Registration::new(self.clone(), record));
        found.ok_or_else(|| Error::new(Code::UnknownTask, "it was unregistered").task(task))
    }

    /// The registration group of an id, also before it has members.
    ///
    /// Windows: [`GetTaskGroup`](https://learn.microsoft.com/uwp/api/windows.applicationmodel.background.backgroundtaskregistration.gettaskgroup).
    #[must_use]
    pub fn group(&self, id: impl Into<String>) -> RegistrationGroup {
        RegistrationGroup::new(self.clone(), id.into())
    }

    /// The registration groups that have members, by id.
    ///
    /// Windows: [`AllTaskGroups`](https://learn.microsoft.com/uwp/api/windows.applicationmodel.background.backgroundtaskregistration.alltaskgroups).
    ///
    /// # Errors
    /// What the store says.
    pub async fn all_groups(&self) -> Result<Vec<RegistrationGroup>> {
        let grouped = self.registered_in(|group| group.is_some()).await?;
        let ids = grouped.iter().filter_map(Registration::group);
        let ids: BTreeSet<&str> = ids.collect();
        Ok(ids.into_iter().map(|id| self.group(id)).collect())
    }

    /// Removes all registrations that are in no group, declared ones too, until the next launch or
    /// [`register_declared`](Self::register_declared). With `cancel` what runs is asked to stop.
    ///
    /// # Errors
    /// [`Code::Closing`], or what the store says.
    pub async fn unregister_all(&self, cancel: bool) -> Result<()> {
        let all = self.all_tasks().await?;
        self.unregister_these(all, cancel).await
    }

    /// Makes the registrations equal to what is declared: the changed are replaced, the new are
    /// added, those no longer declared are removed, and the rest keep id and due time. Each launch
    /// does so by itself, except under [`Profile::windows`].
    ///
    /// # Errors
    /// [`Code::AccessNotRequested`] under [`Profile::windows`], [`Code::Closing`], or what the
    /// store says.
    pub async fn register_declared(&self) -> Result<SyncDiff> {
        let diff = self
            .ask(|reply| Command::Change(RegistrationChange::Sync { reply }))
            .await??;
        self.look();
        Ok(diff)
    }

    /// What this launch, or [`register_declared`](Self::register_declared) since, changed of the
    /// registrations.
    ///
    /// # Errors
    /// [`Code::Closing`].
    pub async fn launch_diff(&self) -> Result<SyncDiff> {
        self.ask(|reply| Command::LaunchDiff { reply }).await
    }

    async fn registered_in(
        &self,
        is_meant: impl Fn(Option<&str>) -> bool,
    ) -> Result<Vec<Registration>> {
        let mut all = self.inner.store.registrations().await?;
        all.retain(|record| record.ended.is_none() && is_meant(record.group.as_deref()));
        all.sort_by(|a, b| (&a.name, a.id).cmp(&(&b.name, b.id)));
        let all = all.into_iter();
        Ok(all
            .map(|one| Registration::new(self.clone(), one))
            .collect())
    }

    async fn unregister_these(&self, all: Vec<Registration>, cancel: bool) -> Result<()> {
        let ids = all.iter().map(Registration::id).collect();
        self.ask(|reply| Command::Change(RegistrationChange::Unregister { ids, cancel, reply }))
            .await?
    }

    fn check_foreground(&self, task: &str) -> Result<()> {
        check_foreground(self.inner.profile, self.state(), is_in_body(), task)
    }

    /// All registrations as the store has them, ended ones too, by name.
    ///
    /// # Errors
    /// What the store says.
    pub async fn registrations(&self) -> Result<Vec<RegistrationRecord>> {
        self.inner.store.registrations().await
    }

    /// The last `limit` ended runs, newest first; of one task, or of all.
    ///
    /// # Errors
    /// What the store says.
    pub async fn history(&self, task: Option<&str>, limit: u32) -> Result<Vec<RunRecord>> {
        let query = crate::store::HistoryQuery {
            task: task.map(str::to_owned),
            activation: None,
            limit,
        };
        self.inner.store.history(query).await
    }

    /// What happened, oldest first: of what the query asks for, the newest. It is kept as long as
    /// [the history](AppBuilder::keep_history), and told also after a restart.
    ///
    /// Fires, starts and ends are read out of the kept activations and runs; what else happened is
    /// written when it happens. Progress is not kept. What the store could not take is missing.
    ///
    /// Windows has no counterpart for programs: there the system's event log has a
    /// [BackgroundTaskInfrastructure channel](https://learn.microsoft.com/windows/uwp/launch-resume/debug-a-background-task).
    ///
    /// ```no_run
    /// # let _ = async |app: bgtask::App| {
    /// use bgtask::LogQuery;
    ///
    /// let last = LogQuery { limit: 20, ..LogQuery::default() };
    /// for event in app.log(last).await? {
    ///     println!("{event}");
    /// }
    /// # Ok::<(), bgtask::Error>(())
    /// # };
    /// ```
    ///
    /// # Errors
    /// What the store says.
    pub async fn log(&self, query: LogQuery) -> Result<Vec<Event>> {
        // One that has ended has written all.
        let _ = self.ask(|reply| Command::Settled { reply }).await;
        let mut events = self.inner.store.read_log(query).await?;
        events.reverse();
        Ok(events)
    }

    /// Completions of requested runs that nobody has taken yet: first those that ended while the
    /// app was down, then new ones whose [`Run`] was dropped. Each is delivered once. Those of an
    /// [outbox](crate::guide::outbox) are not among them.
    #[must_use]
    pub fn completions(&self) -> Completions {
        Completions::new(self.clone())
    }

    /// What happens from now on.
    #[must_use]
    pub fn events(&self) -> Events {
        Events::new(self.inner.events.subscribe(), self.inner.closed.clone())
    }

    /// Where the app is; the foreground until it says otherwise.
    #[must_use]
    pub fn state(&self) -> AppState {
        *self.inner.changes.state().borrow()
    }

    /// Says that the user no longer sees the app; for the code that knows its windows. Returns when
    /// all who listen are done, after 5 s at the latest; at once when the app is there already.
    /// When `main` has returned the app enters the background by itself. Tasks run as before.
    ///
    /// ```no_run
    /// # let _ = async |app: bgtask::App| {
    /// let mut changes = app.lifecycle();
    /// tokio::spawn(async move {
    ///     while let Some(change) = changes.next().await {
    ///         println!("{:?}: drafts are saved", change.state);
    ///         drop(change.deferral);
    ///     }
    /// });
    /// app.enter_background().await; // the last window was closed
    /// app.leave_background().await; // one is about to be shown
    /// # };
    /// ```
    ///
    /// Windows: [`CoreApplication.EnteredBackground`](https://learn.microsoft.com/uwp/api/windows.applicationmodel.core.coreapplication.enteredbackground).
    pub async fn enter_background(&self) {
        self.inner.changes.change(AppState::Background).await;
    }

    /// Says that the user is about to see the app; otherwise as
    /// [`enter_background`](Self::enter_background).
    ///
    /// Windows: [`CoreApplication.LeavingBackground`](https://learn.microsoft.com/uwp/api/windows.applicationmodel.core.coreapplication.leavingbackground).
    pub async fn leave_background(&self) {
        self.inner.changes.change(AppState::Foreground).await;
    }

    /// The changes of the app's state from now on. Each waits for those who listen: who stops
    /// reading holds every change back for 5 s, who drops the stream does not.
    #[must_use]
    pub fn lifecycle(&self) -> Lifecycles {
        self.inner.changes.listen()
    }

    /// Waits until the app is asked to end (Ctrl-C, SIGTERM, SIGHUP, or [`shutdown`](Self::shutdown)) and
    /// its runs have ended or were recorded as cancelled.
    ///
    /// # Errors
    /// None today; the type leaves room.
    pub async fn run_until_shutdown(&self) -> Result<()> {
        let mut closed = self.inner.closed.clone();
        // An error means that the broker is gone, which is what is waited for.
        let _ = closed.wait_for(|closed| *closed).await;
        Ok(())
    }

    /// Ends the app: running tasks are cancelled with `Terminating` and their grace, nothing new
    /// starts, what waits is kept for the next start.
    pub async fn shutdown(&self) {
        let reason = CancelReason::Terminating;
        let _ = self.inner.commands.send(Command::Shutdown { reason });
        let _ = self.run_until_shutdown().await;
    }

    /// Asks the broker.
    pub(crate) async fn ask<T>(
        &self,
        command: impl FnOnce(oneshot::Sender<T>) -> Command,
    ) -> Result<T> {
        let (reply, answer) = oneshot::channel();
        self.inner
            .commands
            .send(command(reply))
            .map_err(|_| Error::closing())?;
        answer.await.map_err(|_| Error::closing())
    }
}

pub(crate) fn to_json(value: &impl serde::Serialize) -> Result<serde_json::Value> {
    serde_json::to_value(value).map_err(|error| {
        Error::new(
            Code::BadArguments,
            "the arguments cannot be written as JSON",
        )
        .source(error)
    })
}
