//! How an app is set up: its id, its state, where it keeps things.

use std::{fmt, path::PathBuf, sync::Arc, time::Duration};

use super::group;
use crate::{
    App, Profile, Result, TaskContext,
    access::{Prompter, Unasked},
    broker::{DEFAULT_PUSH, Feed},
    host::GroupHandlers,
    outbox::Source,
    state::StateMap,
    store::Durability,
    task::DEFAULT_PAYLOAD,
};

/// What to do with a declaration that cannot be honoured here.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Strictness {
    /// It is refused and shown as such (`list`, `why`, the log); the others go on.
    #[default]
    Refuse,
    /// The app does not start.
    Fail,
}

/// How an app is set up. `#[bgtask::main(setup = …)]` hands one to your `setup` function, in the
/// app and in every host process; programs with a `main` of their own use [`AppBuilder::new`] and
/// [`AppBuilder::start`].
///
/// ```
/// use bgtask::AppBuilder;
///
/// struct Db;
///
/// fn setup(app: AppBuilder) -> Result<AppBuilder, std::io::Error> {
///     Ok(app.id("com.example.mail").state(Db))
/// }
/// # let _ = setup(AppBuilder::new("demo"));
/// ```
#[derive(Debug)]
pub struct AppBuilder {
    pub(crate) id: String,
    pub(crate) state: StateMap,
    pub(crate) strictness: Strictness,
    pub(crate) profile: Profile,
    pub(crate) groups: GroupHandlers,
    pub(crate) linger: bool,
    pub(crate) state_dir: Option<PathBuf>,
    pub(crate) runtime_dir: Option<PathBuf>,
    pub(crate) host_idle: Duration,
    pub(crate) host_env: Vec<String>,
    pub(crate) system_bus: Option<String>,
    /// This program's `main` becomes a host when it is asked to.
    pub(crate) hosts: bool,
    pub(crate) in_memory: bool,
    pub(crate) durability: Durability,
    pub(crate) keep_history: Duration,
    pub(crate) max_payload: usize,
    pub(crate) prompter: Arc<dyn Prompter>,
    pub(crate) version: String,
    pub(crate) outboxes: Vec<Box<dyn Source>>,
    pub(crate) energy_budget: Option<Duration>,
    pub(crate) max_push: usize,
    pub(crate) feeds: Vec<Feed>,
}

impl AppBuilder {
    /// An app of this id: letters, digits, `.`, `-` and `_`. The id names the store, the lock and
    /// the socket, and the file of [overrides](crate::guide::registrations), so it is not `access`:
    /// `access.toml` is the policy of [access](crate::access).
    #[must_use]
    pub fn new(id: impl Into<String>) -> Self {
        Self {
            id: id.into(),
            state: StateMap::default(),
            strictness: Strictness::default(),
            profile: Profile::default(),
            groups: GroupHandlers::default(),
            linger: true,
            state_dir: None,
            runtime_dir: None,
            host_idle: Duration::from_secs(30),
            host_env: Vec::new(),
            system_bus: None,
            hosts: false,
            in_memory: false,
            durability: Durability::default(),
            keep_history: Duration::from_secs(30 * 24 * 60 * 60),
            max_payload: DEFAULT_PAYLOAD,
            prompter: Arc::new(Unasked),
            version: String::new(),
            outboxes: Vec::new(),
            energy_budget: None,
            max_push: DEFAULT_PUSH,
            feeds: Vec::new(),
        }
    }

    /// Another id than the default (`<package>`, or `<package>.<binary>` for a binary with a name
    /// of its own). With an id that cannot be one, as `access`, the app does not start
    /// ([`Code::InvalidDeclaration`](crate::Code::InvalidDeclaration)).
    #[must_use]
    pub fn id(mut self, id: impl Into<String>) -> Self {
        self.id = id.into();
        self
    }

    /// A value for tasks' `State<T>`; one of each type, the last one counts. Each process of the
    /// app makes its own.
    #[must_use]
    pub fn state<T: Send + Sync + 'static>(mut self, value: T) -> Self {
        self.state.insert(value);
        self
    }

    /// A declaration that cannot be honoured here is a start-up error, instead of being refused
    /// while the others go on.
    #[must_use]
    pub fn strict(mut self) -> Self {
        self.strictness = Strictness::Fail;
        self
    }

    /// How closely the app keeps to the letter of Windows' rules. Default: what is practical.
    #[must_use]
    pub fn profile(mut self, profile: Profile) -> Self {
        self.profile = profile;
        self
    }

    /// What the members of a registration group run in the app's process instead of their own
    /// functions, from the first run on: see
    /// [`RegistrationGroup::on_activated`](crate::RegistrationGroup::on_activated).
    ///
    /// ```
    /// # use bgtask::AppBuilder;
    /// fn setup(app: AppBuilder) -> Result<AppBuilder, std::convert::Infallible> {
    ///     Ok(app.on_group_activated("com.example.telemetry", async |task| {
    ///         println!("{} was activated", task.task());
    ///         Ok::<_, std::convert::Infallible>(())
    ///     }))
    /// }
    /// # let _ = setup(AppBuilder::new("demo"));
    /// ```
    #[must_use]
    pub fn on_group_activated<H, Fut, T, E>(self, id: impl AsRef<str>, handler: H) -> Self
    where
        H: Fn(TaskContext) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = Result<T, E>> + Send + 'static,
        T: serde::Serialize + 'static,
        E: fmt::Display + 'static,
    {
        self.groups.set(id.as_ref(), group::of(handler));
        self
    }

    /// Whether the process stays after `main` has returned until requested runs in processes of
    /// their own have ended. Default: `true`.
    #[must_use]
    pub fn linger(mut self, linger: bool) -> Self {
        self.linger = linger;
        self
    }

    /// Where the store is kept. Default: `$BGTASK_STATE_DIR/<id>`, `$XDG_STATE_HOME/bgtask/<id>`
    /// or `~/.local/state/bgtask/<id>`. The directory is made, with mode 0700.
    #[must_use]
    pub fn state_dir(mut self, dir: impl Into<PathBuf>) -> Self {
        self.state_dir = Some(dir.into());
        self
    }

    /// Keeps everything in memory: nothing survives the process. For tests, and for programs that
    /// want no file.
    #[must_use]
    pub fn in_memory(mut self) -> Self {
        self.in_memory = true;
        self
    }

    /// When what is acknowledged is safe. Default: [`Durability::Immediate`], before it is acknowledged.
    /// Processes that write to one store at the same time each keep their own promise.
    #[must_use]
    pub fn durability(mut self, durability: Durability) -> Self {
        self.durability = durability;
        self
    }

    /// How long ended runs and events are kept; of each at most the newest 100,000. Default: 30 days.
    ///
    /// A completion that nobody has taken is kept as long, and however old it is, the next launch has
    /// it among its [`completions`](crate::App::completions).
    #[must_use]
    pub fn keep_history(mut self, length: Duration) -> Self {
        self.keep_history = length;
        self
    }

    /// The longest arguments that are accepted, and the longest result that is taken, in bytes of
    /// their JSON text. Default: 1 MiB; the most is 1.5 MiB (1,572,864 bytes), and the app does not
    /// start with more ([`Code::TooLarge`](crate::Code::TooLarge)). Larger data is better handed
    /// over as the path of a file.
    #[must_use]
    pub fn max_payload(mut self, bytes: usize) -> Self {
        self.max_payload = bytes;
        self
    }

    /// The app's version: under [`Profile::Windows`] access has to be requested again when it is
    /// another. Default: the package's with `#[bgtask::main]`, else none.
    #[must_use]
    pub fn version(mut self, version: impl Into<String>) -> Self {
        self.version = version.into();
        self
    }

    /// Who asks the user when the app [requests access](App::request_access) and the policy files
    /// leave it open. Default: nobody, and what was left open is not granted.
    #[must_use]
    pub fn prompter(mut self, prompter: impl Prompter) -> Self {
        self.prompter = Arc::new(prompter);
        self
    }

    /// How much CPU time per hour all tasks together may use while the machine runs on its battery.
    /// When that is spent, tasks without `standby` are held until enough of it lies an hour back, or
    /// until there is mains: `why` says so, and [`last_throttled`](crate::Registration::last_throttled)
    /// when. What runs already goes on. Default: no budget, and nothing is measured.
    ///
    /// What counts is the CPU time of what ended, in the hour of its end. That of a run in a process
    /// which it has to itself (`cpu`, `multiple_instances`) is that of the process, and of those it
    /// started and waited for, in steps of 10 ms. Otherwise it is that of the run's own polls, or of
    /// its plain `fn`'s thread: what it spawns onto other threads or in other processes is not
    /// counted there, nor is a run whose process ended by itself.
    ///
    /// Windows has such a budget too, and sets it itself:
    /// [`BackgroundWorkCost.AppEnergyUseLevel`](https://learn.microsoft.com/uwp/api/windows.applicationmodel.background.backgroundworkcost.appenergyuselevel).
    ///
    /// ```
    /// # use bgtask::AppBuilder;
    /// use std::time::Duration;
    ///
    /// fn setup(app: AppBuilder) -> Result<AppBuilder, std::convert::Infallible> {
    ///     Ok(app.energy_budget(Duration::from_secs(60)))
    /// }
    /// # let _ = setup(AppBuilder::new("demo"));
    /// ```
    #[must_use]
    pub fn energy_budget(mut self, an_hour: Duration) -> Self {
        self.energy_budget = Some(an_hour);
        self
    }

    /// Where the control socket is. Default: `$XDG_RUNTIME_DIR/bgtask/<id>`.
    #[must_use]
    pub fn runtime_dir(mut self, dir: impl Into<PathBuf>) -> Self {
        self.runtime_dir = Some(dir.into());
        self
    }

    /// How long a host process waits for its next run before it ends. Default: 30 s.
    #[must_use]
    pub fn host_idle(mut self, idle: Duration) -> Self {
        self.host_idle = idle;
        self
    }

    /// More variables of this process's environment that its host processes get, by name; `*` at
    /// the end of a name stands for any rest. Default: none.
    ///
    /// A host does not inherit the environment: what is in there may be a secret that its tasks
    /// have no need of. It gets what [most programs need](crate::guide::process#environment), what
    /// its tasks declare with `env(KEY = "value")`, and what is named here. `setup` runs in every
    /// host too, so what it reads belongs here. What is called again adds to what was named.
    ///
    /// Windows has no counterpart: there the system starts a task's host, and not the app
    /// ([background tasks](https://learn.microsoft.com/windows/uwp/launch-resume/support-your-app-with-background-tasks)).
    ///
    /// ```
    /// # use bgtask::AppBuilder;
    /// fn setup(app: AppBuilder) -> Result<AppBuilder, std::convert::Infallible> {
    ///     Ok(app.host_env(["DATABASE_URL", "AWS_*"]))
    /// }
    /// # let _ = setup(AppBuilder::new("demo"));
    /// ```
    #[must_use]
    pub fn host_env<N: Into<String>>(mut self, names: impl IntoIterator<Item = N>) -> Self {
        self.host_env.extend(names.into_iter().map(Into::into));
        self
    }

    /// Address of the system's D-Bus, where network services are looked for. Default: the
    /// system's.
    #[must_use]
    pub fn system_bus(mut self, address: impl Into<String>) -> Self {
        self.system_bus = Some(address.into());
        self
    }

    /// Starts the broker on the current tokio runtime.
    ///
    /// # Errors
    /// Everything that keeps an app from starting: duplicate names, missing state, no state
    /// directory, a damaged or newer store, a full disk, a second broker, and with
    /// [`strict`](Self::strict) a declaration that cannot be honoured.
    ///
    /// # Panics
    /// When called outside a tokio runtime.
    pub async fn start(self) -> Result<App> {
        crate::broker::start(self).await
    }
}
