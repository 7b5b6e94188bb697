//! An app, as another process of its user asks it.

mod follower;
#[cfg(test)]
mod tests;

use std::{
    path::PathBuf,
    sync::{Arc, Weak},
};

use tokio::sync::{Mutex, watch};

use super::{RequestOutcome, Run, rejoin::own, requester::Requester, to_json};
use crate::{
    ActivationId, CancelReason, Code, Error, NamedTask, Requestable, Result, TaskType,
    broker::{Accepted, RunView, check_length, glance, stored, unknown},
    dirs::Env,
    ipc::control::{self, Request, Response, Seen},
    store::{SqliteStore, Store},
    task::MOST_PAYLOAD,
};
pub(super) use follower::Lost;

/// Asks an app from another process of the same user: requests a run, waits for its result, asks it
/// to stop. The process needs no `#[bgtask::main]`, and becomes no part of the app.
///
/// Nothing is kept open: each method looks for the app anew. A [`Run`] of a client waits on while
/// the app is closed, and across its restarts; what ended is read out of the app's store when no
/// broker runs. A client takes no completion away from [`App::completions`](crate::App::completions),
/// and what it requests is not among them.
///
/// Where the program links the tasks, as another binary of the app's package does, a request is
/// checked by the compiler; otherwise name the task, of the type [`AnyTask`].
///
/// ```standalone_crate
/// use bgtask::{AnyTask, Client, prelude::*};
///
/// #[background_task(name = "double", trigger = application)]
/// async fn double(Args(number): Args<u32>) -> u32 {
///     number * 2
/// }
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # tokio::runtime::Runtime::new()?.block_on(async {
/// # let directory = tempfile::tempdir()?;
/// # let (state, run) = (directory.path().join("state"), directory.path().join("run"));
/// # let app = AppBuilder::new("com.example.mail").state_dir(&state).runtime_dir(&run).start().await?;
/// let client = Client::new("com.example.mail");
/// # let client = client.state_dir(&state).runtime_dir(&run);
/// let run = client.request::<double>(21).await?.allowed()?;
/// let id = run.activation(); // may be kept, and asked for later
/// assert_eq!(run.completed().await?, 42);
/// # app.shutdown().await;
///
/// // A program that does not know `double`; the app may be closed by now.
/// let run = client.run_named::<AnyTask>("double", id).await?;
/// assert_eq!(run.completed().await?, serde_json::json!(42));
/// # Ok(())
/// # })
/// # }
/// ```
///
/// Windows has no counterpart: there an
/// [`ApplicationTrigger`](https://learn.microsoft.com/uwp/api/windows.applicationmodel.background.applicationtrigger)
/// is requested by the app itself.
#[derive(Clone, Debug)]
pub struct Client {
    app: String,
    state_dir: Option<PathBuf>,
    runtime_dir: Option<PathBuf>,
    /// The app's store, open while a run is followed and the app is closed.
    store: Arc<Mutex<Weak<SqliteStore>>>,
}

/// A task that this program does not link: its arguments and its result are JSON. For
/// [`Client::request_named`] and [`Client::run_named`].
///
/// ```no_run
/// use bgtask::{AnyTask, Client};
///
/// # let _ = async || {
/// let client = Client::new("com.example.mail");
/// let arguments = serde_json::json!({ "folder": "inbox" });
/// let run = client.request_named::<AnyTask>("sync", arguments).await?.allowed()?;
/// println!("{}", run.completed().await?);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// # };
/// ```
#[derive(Clone, Copy, Debug)]
pub enum AnyTask {}

// Whoever asks for what is no task means a function.
#[diagnostic::do_not_recommend]
impl TaskType for AnyTask {
    type Args = serde_json::Value;
    type Output = serde_json::Value;
}

#[diagnostic::do_not_recommend]
impl Requestable for AnyTask {}

impl Client {
    /// A client of the app with this [id](crate::AppBuilder::id). Nothing is looked for yet.
    #[must_use]
    pub fn new(app: impl Into<String>) -> Self {
        Self {
            app: app.into(),
            state_dir: None,
            runtime_dir: None,
            store: Arc::default(),
        }
    }

    /// Where the app keeps its store, if it says so itself:
    /// [`AppBuilder::state_dir`](crate::AppBuilder::state_dir).
    #[must_use]
    pub fn state_dir(mut self, directory: impl Into<PathBuf>) -> Self {
        self.state_dir = Some(directory.into());
        // A clone may have opened the other one.
        self.store = Arc::default();
        self
    }

    /// Where the app keeps its socket, if it says so itself:
    /// [`AppBuilder::runtime_dir`](crate::AppBuilder::runtime_dir).
    #[must_use]
    pub fn runtime_dir(mut self, directory: impl Into<PathBuf>) -> Self {
        self.runtime_dir = Some(directory.into());
        self
    }

    /// Requests a run of an `application` task; as
    /// [`TaskHandle::request`](crate::TaskHandle::request), which the app itself uses. The app has
    /// to run. How the run ended is known as long as the
    /// [history](crate::AppBuilder::keep_history) is kept.
    ///
    /// # Errors
    /// Those of [`TaskHandle::request`](crate::TaskHandle::request); [`Code::Unsupported`] also of a
    /// task with `delivery = volatile`, whose result is kept nowhere; [`Code::Control`] when no broker
    /// of the app runs, or it cannot be talked to. If the connection breaks before the answer comes,
    /// nobody knows here whether the request was accepted.
    pub async fn request<F: NamedTask + Requestable>(
        &self,
        arguments: F::Args,
    ) -> Result<RequestOutcome<F>> {
        self.request_named(F::NAME, arguments).await
    }

    /// As [`request`](Self::request), of the task or registration of this name.
    ///
    /// # Errors
    /// As there.
    pub async fn request_named<F: Requestable>(
        &self,
        task: &str,
        arguments: F::Args,
    ) -> Result<RequestOutcome<F>> {
        let arguments = to_json(&arguments)?;
        // More cannot be handed over, whatever the app allows.
        check_length(Some(&arguments), MOST_PAYLOAD).map_err(|error| error.task(task))?;
        let request = Request::Run {
            task: task.to_owned(),
            arguments,
        };
        let broker = self.broker().await;
        let mut broker = broker.map_err(|error| error.task(task))?;
        Ok(match broker.ask(&request).await? {
            Response::Accepted { activation } => {
                let view = RunView::default();
                RequestOutcome::Allowed(self.followed(task, activation, view))
            }
            Response::CurrentlyRunning => RequestOutcome::CurrentlyRunning,
            Response::Disabled => RequestOutcome::DisabledByPolicy,
            _ => return Err(unexpected()),
        })
    }

    /// The run of an activation that was accepted before, by whomever; as
    /// [`App::run`](crate::App::run). While the app is closed, what waits or ran when it closed is
    /// waited for until it is started again.
    ///
    /// # Errors
    /// [`Code::UnknownRun`] when nothing that waits, runs or is in the history has that id, or
    /// another task has it; [`Code::Control`] when the broker cannot be talked to; what the store
    /// says, and [`Code::Directory`].
    pub async fn run<F: NamedTask>(&self, activation: ActivationId) -> Result<Run<F>> {
        self.run_named(F::NAME, activation).await
    }

    /// As [`run`](Self::run), of the task or registration of this name.
    ///
    /// # Errors
    /// As there.
    pub async fn run_named<F: TaskType>(
        &self,
        task: &str,
        activation: ActivationId,
    ) -> Result<Run<F>> {
        let broker = control::Client::connect(&self.runtime()?).await?;
        let seen = match broker {
            Some(mut broker) => look(&mut broker, activation, None).await,
            None => match self.store().await {
                Ok(store) => kept(&*store, activation).await,
                Err(error) => Err(error),
            },
        };
        let seen = seen.map_err(|error| error.task(task))?;
        own(task, &seen.task)?;
        Ok(self.followed(task, activation, of(seen)))
    }

    /// The run of this activation, whose end it follows.
    fn followed<F: TaskType>(&self, task: &str, activation: ActivationId, now: RunView) -> Run<F> {
        let has_ended = now.ended.is_some();
        let (told, view) = watch::channel(now);
        let lost = Lost::default();
        if !has_ended {
            let follower = follower::follow(self.clone(), activation, told, lost.clone());
            tokio::spawn(follower);
        }
        let requester = Requester::Client(self.clone(), lost);
        Run::new(requester, task, Accepted { activation, view })
    }

    /// Asks what runs or waits to stop; what has ended is left alone.
    pub(super) async fn cancel(
        &self,
        activation: ActivationId,
        reason: CancelReason,
    ) -> Result<()> {
        let id = activation.to_string();
        let mut broker = self.broker().await?;
        match broker.ask(&Request::Cancel { id, reason }).await {
            // It was accepted: what is not there any more has ended.
            Err(error) if matches!(error.code(), Code::RunEnded | Code::UnknownRun) => Ok(()),
            answer => answer.map(drop),
        }
    }

    /// The running broker.
    async fn broker(&self) -> Result<control::Client> {
        let broker = control::Client::connect(&self.runtime()?).await?;
        broker.ok_or_else(|| {
            let rule = format!("no broker of `{}` runs, and nothing was asked", self.app);
            Error::new(Code::Control, rule).remedy("start the app")
        })
    }

    /// The app's store, which all clones share while one of them needs it.
    async fn store(&self) -> Result<Arc<SqliteStore>> {
        let mut shared = self.store.lock().await;
        if let Some(store) = shared.upgrade() {
            return Ok(store);
        }
        let directory = match &self.state_dir {
            Some(directory) => directory.clone(),
            None => Env::of_process().state_dir(&self.app)?,
        };
        let opened = tokio::task::spawn_blocking(move || glance(&directory)).await;
        let store = opened.map_err(|_| Error::closing())??;
        let store = Arc::new(store.ok_or_else(unknown)?);
        *shared = Arc::downgrade(&store);
        Ok(store)
    }

    fn runtime(&self) -> Result<PathBuf> {
        match &self.runtime_dir {
            Some(directory) => Ok(directory.clone()),
            None => Env::of_process().runtime_dir(&self.app),
        }
    }
}

/// What the store has of an activation.
async fn kept(store: &dyn Store, activation: ActivationId) -> Result<Seen> {
    let known = stored(store, activation).await?;
    known.map(|known| known.seen()).ok_or_else(unknown)
}

/// What the broker has of an activation.
async fn look(
    broker: &mut control::Client,
    activation: ActivationId,
    unlike: Option<Seen>,
) -> Result<Seen> {
    match broker.ask(&Request::Watch { activation, unlike }).await? {
        Response::Seen(seen) => Ok(seen),
        _ => Err(unexpected()),
    }
}

fn of(seen: Seen) -> RunView {
    RunView {
        journaled: false,
        progress: seen.progress,
        ended: seen.ended,
    }
}

fn unexpected() -> Error {
    Error::new(
        Code::Control,
        "the running broker gave another kind of answer",
    )
    .remedy("use the app's version of bgtask")
}
