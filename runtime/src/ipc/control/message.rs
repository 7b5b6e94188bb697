//! What is said over the control socket.

use std::time::Duration;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::{
    ActivationId, CancelReason, Code, Error, Event, Origin, Outcome, Progress, RawNotification,
    RegistrationId, Result, RunId, RunRecord, Standing,
};

/// The first message of a connection: who serves it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Hello {
    /// The version of the messages that follow.
    pub protocol: u32,
    /// The broker's process.
    pub pid: u32,
    /// The app's id.
    pub app: String,
    /// What the broker is at the moment.
    pub mode: Mode,
    /// Where the app is.
    pub state: AppState,
}

/// Where an app is. It says so itself, because only it knows its windows:
/// [`App::enter_background`](crate::App::enter_background).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AppState {
    /// Its user sees it, or it never said otherwise.
    Foreground,
    /// Its user does not see it, or its `main` has returned.
    Background,
}

/// What a broker is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Mode {
    /// The app itself.
    App,
    /// The app was closed; the broker waits for its last runs and starts nothing new.
    Headless,
}

/// What a client asks.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "ask", rename_all = "snake_case")]
pub enum Request {
    /// Who is there: answered by [`Response::Status`].
    Status,
    /// All tasks: answered by [`Response::List`].
    List,
    /// Why tasks do or do not run: answered by [`Response::Why`].
    Why {
        /// Only this task.
        task: Option<String>,
    },
    /// Fire a task's trigger by hand: answered by [`Response::Fired`].
    Fire {
        /// The task.
        task: String,
        /// Its arguments, as JSON.
        arguments: Option<serde_json::Value>,
    },
    /// Raise a custom event: answered by [`Response::Raised`].
    Raise {
        /// Its name.
        event: String,
        /// What it is raised with, as JSON.
        arguments: Option<serde_json::Value>,
    },
    /// Push a raw notification: answered by [`Response::Raised`].
    Push {
        /// The notification.
        notification: RawNotification,
    },
    /// Start a task that is started by requests: answered by [`Response::Accepted`],
    /// [`Response::CurrentlyRunning`] or [`Response::Disabled`].
    Run {
        /// The task.
        task: String,
        /// Its arguments, as JSON.
        arguments: serde_json::Value,
    },
    /// What became of an activation: answered by [`Response::Seen`].
    Watch {
        /// The activation.
        activation: ActivationId,
        /// Answer when its progress is another one than this, or when it has ended, or after 10 s.
        /// Default: at once.
        #[serde(default)]
        unlike: Option<Seen>,
    },
    /// Ended runs, newest first: answered by [`Response::History`].
    History {
        /// Only this task.
        task: Option<String>,
        /// At most so many.
        limit: u32,
    },
    /// What happened, oldest first: answered by [`Response::Log`].
    Log {
        /// Only to this task.
        task: Option<String>,
        /// Only then or later.
        since: Option<Timestamp>,
        /// At most so many, the newest.
        limit: u32,
    },
    /// Change what a registration may do: answered by [`Response::Stands`].
    Stand {
        /// The task or registration, by name or id, or as much of the id as no other has.
        task: String,
        /// What to do.
        order: Order,
    },
    /// Remove a registration: answered by [`Response::Unregistered`].
    Unregister {
        /// The task or registration, as above.
        task: String,
        /// Ask what runs to stop.
        cancel: bool,
    },
    /// Said by a newly started app to the process that stays for the runs of the one before: runs
    /// of another build are asked to stop with
    /// [`ServicingUpdate`](CancelReason::ServicingUpdate). Answered by [`Response::Status`].
    Replaced {
        /// The new one's build.
        build: String,
    },
    /// Ask a run to stop, or an activation not to start: answered by [`Response::Cancelled`].
    Cancel {
        /// The id of the run or of its activation, or as much of it as no other has.
        id: String,
        /// Why.
        reason: CancelReason,
    },
}

impl Request {
    /// Whether its answer waits for something to happen.
    pub(super) const fn waits(&self) -> bool {
        matches!(self, Self::Watch { .. })
    }
}

/// An activation that waits, runs or has ended, as it is seen from outside.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Seen {
    /// The task.
    pub task: String,
    /// How far it is.
    pub progress: Option<Progress>,
    /// The last run and how it ended.
    pub ended: Option<(RunId, Outcome)>,
}

/// What may be done with a registration that stays.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Order {
    /// It fires, and what fired is held until it is resumed. Refused of one that is disabled.
    Pause,
    /// Ends a pause. Refused of one that is disabled.
    Resume,
    /// It does not fire, and what waits is held until it is enabled.
    Disable,
    /// Ends being disabled.
    Enable,
}

impl Order {
    /// What holds after it.
    ///
    /// # Errors
    ///
    /// [`Code::NotAccepted`]: a pause would end that it is disabled.
    pub(crate) fn of(self, standing: &Standing, since: Timestamp) -> Result<Standing> {
        match (self, standing) {
            (Self::Pause | Self::Resume, Standing::Disabled { .. }) => {
                Err(Error::new(Code::NotAccepted, "it is disabled")
                    .remedy("`bgtask enable` ends that"))
            }
            (Self::Pause, _) => Ok(Standing::Paused { since }),
            (Self::Disable, _) => Ok(Standing::Disabled { since }),
            (Self::Enable, Standing::Paused { .. }) => Ok(standing.clone()),
            (Self::Resume | Self::Enable, _) => Ok(Standing::Enabled),
        }
    }
}

/// What the broker answers.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "answer", rename_all = "snake_case")]
pub enum Response {
    /// To [`Request::Status`].
    Status {
        /// As in the hello, as it is now.
        hello: Hello,
        /// When the broker started.
        since: Timestamp,
        /// Runs that execute now.
        running: u32,
        /// Activations that wait.
        waiting: u32,
    },
    /// To [`Request::List`].
    List {
        /// Every declared or registered task, by name.
        tasks: Vec<TaskListing>,
        /// What the user says otherwise of tasks that there are not, and where.
        #[serde(default)]
        warnings: Vec<String>,
    },
    /// To [`Request::Why`].
    Why {
        /// One for each registration.
        answers: Vec<Why>,
    },
    /// To [`Request::Fire`]: the activation is kept and will run.
    Fired {
        /// The activation.
        activation: ActivationId,
    },
    /// To [`Request::Raise`] and [`Request::Push`]: the activations are kept and will run.
    Raised {
        /// The activations, one for each task that takes it.
        activations: Vec<ActivationId>,
    },
    /// To [`Request::Run`]: it is kept and will run.
    Accepted {
        /// The activation.
        activation: ActivationId,
    },
    /// To [`Request::Run`]: a run of the task is active, and nothing was accepted.
    CurrentlyRunning,
    /// To [`Request::Run`]: the user or a policy does not allow it, and nothing was accepted.
    Disabled,
    /// To [`Request::Watch`].
    Seen(Seen),
    /// To [`Request::Stand`].
    Stands {
        /// Its name.
        task: String,
        /// The registration.
        registration: RegistrationId,
        /// What holds now.
        standing: Standing,
    },
    /// To [`Request::Unregister`].
    Unregistered {
        /// Its name.
        task: String,
        /// The registration that was.
        registration: RegistrationId,
        /// It is declared, and the next launch registers it again.
        declared: bool,
    },
    /// To [`Request::History`].
    History {
        /// The ended runs, newest first.
        runs: Vec<RunRecord>,
    },
    /// To [`Request::Log`].
    Log {
        /// What happened, oldest first.
        events: Vec<Event>,
    },
    /// To [`Request::Cancel`].
    Cancelled {
        /// The task.
        task: String,
        /// The activation.
        activation: ActivationId,
        /// The run that was asked to stop. `None`: it had not started, and will not.
        run: Option<RunId>,
        /// The reason that counts: the first one given.
        reason: CancelReason,
        /// How long the run has to stop.
        grace: Duration,
    },
    /// The request was not done.
    Error {
        /// The stable text of the error's [`Code`].
        code: String,
        /// The task it concerns.
        task: Option<String>,
        /// What did not hold.
        rule: String,
        /// What to do.
        remedy: Option<String>,
    },
}

/// A task as the broker or the store knows it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct TaskListing {
    /// Its name.
    pub task: String,
    /// Its registration, if there is one.
    pub registration: Option<RegistrationId>,
    /// The declared task whose body runs, where it is not `task`.
    pub entry: Option<String>,
    /// Its registration group.
    pub group: Option<String>,
    /// Who made the registration.
    pub origin: Option<Origin>,
    /// Whether the registration may fire and start.
    pub standing: Option<Standing>,
    /// What starts it.
    pub trigger: String,
    /// What must hold before it starts.
    pub condition: Option<String>,
    /// The process it runs in.
    pub host: String,
    /// Whether it is registered.
    pub state: TaskState,
    /// Why it was refused.
    pub error: Option<String>,
    /// The next due time, for time kinds.
    pub next_due: Option<Timestamp>,
    /// Activations that wait.
    pub waiting: u32,
    /// Runs that execute.
    pub running: u32,
    /// The progress of the oldest of them.
    pub progress: Option<Progress>,
    /// What executes, and the first 16 that wait.
    pub runs: Vec<RunListing>,
    /// How the last run ended, and when.
    pub last: Option<(Timestamp, Outcome)>,
    /// Why the next run has a process of its own, when it would share one otherwise.
    pub alone: Option<String>,
    /// What the user says otherwise than the program declares, where, and what that is.
    pub overridden: Option<String>,
}

/// What executes or waits of a task.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RunListing {
    /// The activation.
    pub activation: ActivationId,
    /// Its run, once it has started.
    pub run: Option<RunId>,
    /// Since when it executes, or waits for the same.
    pub since: Timestamp,
    /// The time that it waits for, if it was asked for a later one or is tried again then.
    #[serde(default)]
    pub until: Option<Timestamp>,
    /// How far it is.
    pub progress: Option<Progress>,
    /// Why it was asked to stop, if it was.
    pub asked: Option<CancelReason>,
    /// Its end is recorded, but its body still executes.
    pub overrun: bool,
}

impl RunListing {
    /// The id to show: the run's, else the activation's.
    #[must_use]
    pub fn id(&self) -> String {
        let activation = || self.activation.to_string();
        self.run.map_or_else(activation, |run| run.to_string())
    }
}

/// Whether a task is registered.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TaskState {
    /// Its trigger starts it.
    Registered,
    /// Its declaration was refused.
    Refused,
    /// It was a one-shot and has ended.
    Ended,
    /// It is declared only (`register = false`).
    NotRegistered,
}

impl TaskState {
    /// As people read it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Registered => "registered",
            Self::Refused => "refused",
            Self::Ended => "ended",
            Self::NotRegistered => "not registered",
        }
    }
}

/// Why a task does or does not run.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Why {
    /// The task.
    pub task: String,
    /// For people, one or several lines.
    pub text: String,
    /// The same for programs.
    pub details: serde_json::Value,
}

impl From<Error> for Response {
    fn from(error: Error) -> Self {
        // The cause is part of the sentence: it does not travel by itself.
        let rule = match std::error::Error::source(&error) {
            Some(source) => format!("{}: {source}", error.rule()),
            None => error.rule().to_owned(),
        };
        Self::Error {
            code: error.code().as_str().to_owned(),
            task: error.task_name().map(str::to_owned),
            rule,
            remedy: error.help().map(str::to_owned),
        }
    }
}

impl Response {
    /// The answer, or the error it carries. A code that this version does not know becomes
    /// [`Code::Control`].
    pub(crate) fn into_result(self) -> crate::Result<Self> {
        let Self::Error {
            code,
            task,
            rule,
            remedy,
        } = self
        else {
            return Ok(self);
        };
        let mut error = Error::new(code_of(&code), rule);
        if let Some(task) = task {
            error = error.task(task);
        }
        if let Some(remedy) = remedy {
            error = error.remedy(remedy);
        }
        Err(error)
    }
}

fn code_of(text: &str) -> Code {
    use Code::{
        AccessNotRequested, Ambiguous, BadArguments, BadResult, Closing, Control, Directory,
        DuplicateName, Host, HostModelUnsupported, InvalidDeclaration, Manifest, MissingState,
        NoStateDirectory, NotAccepted, Outbox, QueueFull, RunEnded, SecondBroker, Setup, Store,
        StoreCorrupt, StoreFull, StoreNewer, TooLarge, TriggerLimitExceeded, UnknownDevice,
        UnknownRun, UnknownTask, Unsupported,
    };
    [
        Unsupported,
        InvalidDeclaration,
        DuplicateName,
        Ambiguous,
        TriggerLimitExceeded,
        AccessNotRequested,
        HostModelUnsupported,
        UnknownTask,
        MissingState,
        Setup,
        BadArguments,
        TooLarge,
        BadResult,
        SecondBroker,
        NoStateDirectory,
        Directory,
        StoreCorrupt,
        StoreNewer,
        StoreFull,
        Store,
        Manifest,
        Outbox,
        Host,
        UnknownRun,
        NotAccepted,
        RunEnded,
        Closing,
        UnknownDevice,
        QueueFull,
    ]
    .into_iter()
    .find(|code| code.as_str() == text)
    .unwrap_or(Control)
}

/// What the server sends.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Reply {
    Hello(Hello),
    Answer(Response),
}
