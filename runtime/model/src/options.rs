//! How a task is run: everything a declaration says beside its trigger and condition.
//!
//! A field is `None` (or empty) when the user said nothing; [`Declaration`](crate::Declaration)
//! answers what then applies.

use std::time::Duration;

/// The arguments of an attribute beside `name`, `trigger`, `condition` and `host`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Options {
    /// `timeout = "10m"`: wall time of a run, without time asleep.
    pub timeout: Option<Duration>,
    /// `grace = "5s"`: time between the cancellation message and the kill.
    pub grace: Option<Duration>,
    /// `memory = "512MiB"`, in bytes.
    pub memory: Option<u64>,
    /// `cpu = "10s"`: CPU time of a run.
    pub cpu: Option<Duration>,
    /// `retry(max = 5, …)`
    pub retry: Option<Retry>,
    /// `overlap = skip`
    pub overlap: Option<Overlap>,
    /// `pending = latest`
    pub pending: Option<Pending>,
    /// `missed = once`
    pub missed: Option<Missed>,
    /// `exclusive = "key"`: tasks with the same key share one slot.
    pub exclusive: Option<String>,
    /// `priority = 10`: higher first, default 0.
    pub priority: i32,
    /// `jitter = "30s"`: spreads due times by up to this.
    pub jitter: Option<Duration>,
    /// `cancel_on_condition_loss`
    pub cancel_on_condition_loss: bool,
    /// `network_requested`
    pub network_requested: bool,
    /// `standby`
    pub standby: bool,
    /// `multiple_instances`: a process for each run.
    pub multiple_instances: bool,
    /// `registration_group = "lib"`
    pub registration_group: Option<String>,
    /// `unique = "key"`: at most one pending activation of this key.
    pub unique: Option<String>,
    /// `register = false`: declared, not registered at launch.
    pub register: bool,
    /// `delivery = at_most_once`
    pub delivery: Delivery,
    /// `on_overrun = abort`
    pub on_overrun: OnOverrun,
    /// `sandbox(read = ["…"], write = ["…"])`
    pub sandbox: Option<Sandbox>,
    /// `nice = 10`, -20 to 19.
    pub nice: Option<i8>,
    /// `env(KEY = "value")`
    pub env: Vec<(String, String)>,
    /// `idle_timeout = "60s"`: ends a run that neither works nor reports progress.
    pub idle_timeout: Option<Duration>,
}

impl Options {
    /// What belongs to the process that a task runs in: the same for all tasks of a resource
    /// group. The order in which variables and paths were written does not matter.
    ///
    /// ```
    /// use bgtask_model::Options;
    ///
    /// let env = |names: [&str; 2]| names.map(|name| (name.to_owned(), "1".to_owned())).to_vec();
    /// let ab = Options { env: env(["A", "B"]), ..Options::default() };
    /// let ba = Options { env: env(["B", "A"]), ..Options::default() };
    /// assert_eq!(ab.process_settings(), ba.process_settings());
    /// ```
    #[must_use]
    pub fn process_settings(&self) -> ProcessSettings {
        let mut settings = ProcessSettings {
            memory: self.memory,
            nice: self.nice,
            env: self.env.clone(),
            sandbox: self.sandbox.clone(),
        };
        settings.env.sort_unstable();
        if let Some(sandbox) = &mut settings.sandbox {
            sandbox.read.sort_unstable();
            sandbox.write.sort_unstable();
        }
        settings
    }
}

/// What belongs to a process and not to one of its runs; see [`Options::process_settings`].
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct ProcessSettings {
    /// `memory = "512MiB"`, in bytes.
    pub memory: Option<u64>,
    /// `nice = 10`
    pub nice: Option<i8>,
    /// `env(KEY = "value")`
    pub env: Vec<(String, String)>,
    /// `sandbox(read = ["…"], write = ["…"])`
    pub sandbox: Option<Sandbox>,
}

impl ProcessSettings {
    /// The first argument that is not the same in the other one.
    pub(crate) fn difference(&self, other: &Self) -> Option<&'static str> {
        let Self {
            memory,
            nice,
            env,
            sandbox,
        } = self;
        [
            ("memory", *memory != other.memory),
            ("nice", *nice != other.nice),
            ("env", *env != other.env),
            ("sandbox", *sandbox != other.sandbox),
        ]
        .into_iter()
        .find_map(|(argument, differs)| differs.then_some(argument))
    }
}

impl Default for Options {
    fn default() -> Self {
        Self {
            timeout: None,
            grace: None,
            memory: None,
            cpu: None,
            retry: None,
            overlap: None,
            pending: None,
            missed: None,
            exclusive: None,
            priority: 0,
            jitter: None,
            cancel_on_condition_loss: false,
            network_requested: false,
            standby: false,
            multiple_instances: false,
            registration_group: None,
            unique: None,
            register: true,
            delivery: Delivery::AtLeastOnce,
            on_overrun: OnOverrun::Report,
            sandbox: None,
            nice: None,
            env: Vec::new(),
            idle_timeout: None,
        }
    }
}

/// `retry(max = 5, backoff = exponential("1s", max = "10m", jitter))`
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Retry {
    /// How many times a failed run is tried again.
    pub max: u32,
    /// How long to wait before each; [`Backoff::DEFAULT`] unless stated.
    pub backoff: Backoff,
}

/// The wait before a retry.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Backoff {
    /// `fixed("10s")`
    Fixed(Duration),
    /// `exponential("1s", max = "10m", jitter)`: doubled each time.
    Exponential {
        /// The first wait.
        first: Duration,
        /// The longest wait; one hour, or the first wait if that is longer, unless stated.
        max: Duration,
        /// Each wait is drawn between half of it and all of it.
        jitter: bool,
    },
}

impl Backoff {
    /// The longest wait of `exponential` without `max`: one hour.
    pub const LONGEST: Duration = Duration::from_secs(3600);

    /// The wait of `retry(max = 5)`: `exponential("1s", max = "1h", jitter)`.
    pub const DEFAULT: Self = Self::Exponential {
        first: Duration::from_secs(1),
        max: Self::LONGEST,
        jitter: true,
    };
}

/// What a fire does while a run of the same registration is active.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Overlap {
    /// `skip`: the fire is recorded as suppressed.
    Skip,
    /// `queue(n)`: up to `n` wait.
    Queue(u32),
    /// `replace`: the active run is cancelled, the new one follows.
    Replace,
    /// `allow(n)`: up to `n` runs at once.
    Allow(u32),
}

/// How many activations of a registration are kept while its condition does not hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Pending {
    /// `latest`: one, the newest.
    Latest,
    /// `first`: one, the oldest.
    First,
    /// `queue(n)`: up to `n`, oldest first.
    Queue(u32),
}

/// What happens to due times that passed while nothing could fire.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Missed {
    /// `once`: one run catches up.
    Once,
    /// `skip`: they are dropped, and recorded.
    Skip,
    /// `all(n)`: up to `n` of them run.
    All(u32),
}

/// What survives when the process dies.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Delivery {
    /// Persisted before it runs and run again after a crash.
    AtLeastOnce,
    /// `at_most_once`: never run again once started.
    AtMostOnce,
    /// `volatile`: never persisted; lost with the process.
    Volatile,
}

/// What follows when a body in the app's process does not end within its grace.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum OnOverrun {
    /// The run's record says so; its slot stays taken until it returns.
    Report,
    /// `abort`: the process ends, as on Windows.
    Abort,
}

/// `sandbox(read = ["/etc"], write = ["/var/lib/app"])`
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Sandbox {
    /// Paths that may be read.
    pub read: Vec<String>,
    /// Paths that may be written.
    pub write: Vec<String>,
}
