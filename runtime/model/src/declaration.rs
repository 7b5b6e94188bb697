//! What an attribute says: the static half of a task.

use std::time::Duration;

use crate::{Condition, Missed, Options, Overlap, Pending, Rule, Trigger};

/// How many callers of an `app_service` are served at once, unless `overlap` says otherwise.
const CALLERS: u32 = 64;

/// One task as declared.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Declaration {
    /// Unique in a program; the function's path unless `name = "…"` was given.
    pub name: String,
    /// The function's path, `my_app::sync::sync_mail`.
    pub function: String,
    /// The function's doc comment, or `description = "…"`.
    pub description: Option<String>,
    /// What starts it.
    pub trigger: Trigger,
    /// What must hold before it starts.
    pub condition: Option<Condition>,
    /// The process it runs in.
    pub host: Host,
    /// Everything else.
    pub options: Options,
}

/// The process that a task's runs execute in.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Host {
    /// `in_process`: the app itself.
    InProcess,
    /// `process`, `process("group")`: the app's own executable, one process per resource group.
    Process {
        /// The resource group. Tasks without one share a process when what they state of it,
        /// [`ProcessSettings`](crate::ProcessSettings), is the same.
        group: Option<String>,
    },
}

impl Declaration {
    /// The resource group that it names.
    #[must_use]
    pub fn group(&self) -> Option<&str> {
        match &self.host {
            Host::Process { group } => group.as_deref(),
            Host::InProcess => None,
        }
    }

    /// Tasks of a resource group share a process, so they say the same of it: what this one says
    /// otherwise than `first` of the same group, by its argument.
    #[must_use]
    pub fn conflict(&self, first: &Self) -> Option<(&'static str, Rule)> {
        let group = self.group().filter(|group| first.group() == Some(group))?;
        let theirs = first.options.process_settings();
        let argument = self.options.process_settings().difference(&theirs)?;
        let rule = Rule::new(
            "group_settings",
            format!(
                "`{argument}` is not the same as in `{}`, and the group `{group}` shares one process",
                first.name
            ),
        );
        let help = format!("state the same `{argument}` in both, or another group for one");
        Some((argument, rule.help(help)))
    }

    /// The wall time a run may take: `timeout`, or the quota of the trigger's class. `None` is
    /// no limit.
    #[must_use]
    pub fn timeout(&self) -> Option<Duration> {
        self.options.timeout.or_else(|| self.trigger.quota())
    }

    /// The time between the cancellation message and the kill; 5 s unless stated.
    #[must_use]
    pub fn grace(&self) -> Duration {
        self.options.grace.unwrap_or(Duration::from_secs(5))
    }

    /// What a fire does while a run is active. Time kinds skip; other kinds keep one waiting.
    /// (`application` and `media_processing` answer `CurrentlyRunning` unless `overlap` is stated;
    /// that is decided where the request is made.)
    #[must_use]
    pub fn overlap(&self) -> Overlap {
        self.options.overlap.unwrap_or(match &self.trigger {
            trigger if trigger.is_timed() => Overlap::Skip,
            // A caller waits for its own.
            Trigger::AppService { .. } => Overlap::Allow(CALLERS),
            _ => Overlap::Queue(1),
        })
    }

    /// How many activations are kept while they cannot start; the latest one unless stated.
    /// An `overlap = queue(n)` keeps as many.
    #[must_use]
    pub fn pending(&self) -> Pending {
        self.options.pending.unwrap_or(match self.options.overlap {
            Some(Overlap::Queue(n)) => Pending::Queue(n),
            _ => Pending::Latest,
        })
    }

    /// What happens to missed due times; one catch-up run unless stated.
    #[must_use]
    pub fn missed(&self) -> Missed {
        self.options.missed.unwrap_or(Missed::Once)
    }
}

impl Trigger {
    /// Whether it is driven by time alone: `time`, `every`, `cron`, `at`, `maintenance`.
    #[must_use]
    pub const fn is_timed(&self) -> bool {
        matches!(
            self,
            Self::Time { .. }
                | Self::Every { .. }
                | Self::Cron { .. }
                | Self::At { .. }
                | Self::Maintenance { .. }
        )
    }

    /// Whether its registration ends after one firing.
    #[must_use]
    pub const fn is_once(&self) -> bool {
        matches!(
            self,
            Self::Time { once: true, .. }
                | Self::Every { once: true, .. }
                | Self::At { once: true, .. }
                | Self::Maintenance { once: true, .. }
                | Self::System { once: true, .. }
        )
    }

    /// The wall time of the trigger's class before cancellation starts: 25 s for short kinds (30 s
    /// with the default grace), 10 minutes for long ones, 30 for device servicing, none for
    /// `startup` and `app_service`.
    #[must_use]
    pub const fn quota(&self) -> Option<Duration> {
        match self {
            Self::Startup | Self::AppService { .. } => None,
            Self::DeviceServicing => Some(Duration::from_secs(30 * 60)),
            Self::Application
            | Self::MediaProcessing
            | Self::Maintenance { .. }
            | Self::DeviceUse
            | Self::Every { .. }
            | Self::Cron { .. }
            | Self::At { .. } => Some(Duration::from_secs(10 * 60)),
            Self::Time { .. }
            | Self::System { .. }
            | Self::Push { .. }
            | Self::Socket { .. }
            | Self::Files { .. }
            | Self::Device { .. }
            | Self::Custom { .. }
            | Self::ToastAction
            | Self::ControlChannel { .. }
            | Self::Voip => Some(Duration::from_secs(25)),
        }
    }
}
