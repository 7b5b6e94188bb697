//! What is true of the system now, and what just changed. Monitors report; they decide nothing.

#[cfg(all(test, target_os = "linux"))]
mod bench;
#[cfg(target_os = "linux")]
mod burst;
#[cfg(target_os = "linux")]
mod bus;
#[cfg(all(test, target_os = "linux"))]
mod bus_bench;
mod condition;
mod demand;
#[cfg(target_os = "linux")]
mod device;
#[cfg(target_os = "linux")]
mod files;
#[cfg(target_os = "linux")]
mod folder;
mod hub;
mod machine;
mod network;
mod power;
mod presence;
#[cfg(target_os = "linux")]
mod properties;
mod services;
mod session;
mod shell;
mod sockets;
mod sources;
mod supervised;
mod timezone;
mod toast;
#[cfg(target_os = "linux")]
mod uevent;

use std::{fmt, path::PathBuf};

use bgtask_model::{Predicate, SystemEvent, Trigger};
use tokio::sync::mpsc;
use uuid::Uuid;

use crate::{Details, Fact, NetworkDetails, Reading, SocketReason, energy::Power, task::Parcel};

#[cfg(all(test, target_os = "linux"))]
pub(crate) use bus_bench::Bus;
pub(crate) use demand::Demand;
pub(crate) use machine::tells_pressure;
pub(crate) use power::PowerWatch;
pub(crate) use presence::{InUse, Presence, resolve as resolve_device};
pub(crate) use services::Services;
pub(crate) use shell::{Condition, MonitorConfig, Monitors};
pub(crate) use sockets::{Arrival, Held, Listener, MOST_SOCKETS, Sockets, Terms, is_closed};
pub(crate) use sources::{Sources, has_source};
pub(crate) use supervised::supervised;
pub use toast::Toast;
pub(crate) use toast::{Place as ToastPlace, Shows, Toasts};

/// What the monitors as a whole tell the broker.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Change {
    /// The effective value of a fact changed. Only base predicates: `Internet`, and never
    /// `NoInternet`.
    Fact(Predicate, Fact),
    /// Something of the system is another than before, as far as anybody knew.
    System {
        event: SystemEvent,
        /// Of events of the network.
        network: Option<NetworkDetails>,
    },
    /// Local time moved against UTC, or the zone has another name.
    TimeZone(jiff::tz::TimeZone),
    /// The machine's power is another, and which triggers that fires.
    Power {
        /// As it is now.
        power: Power,
        /// Of `power_state_change` and `work_cost_change`.
        events: Vec<SystemEvent>,
    },
    /// What registrations with this trigger wait for happened.
    Raised {
        /// As they state it.
        trigger: Trigger,
        /// What happened; when is for the broker to say.
        details: Box<Details>,
    },
    /// What this trigger is about was looked at, and all that changed was told before: a number that
    /// tells what was seen from what is there later.
    Looked {
        /// As registrations state it.
        trigger: Trigger,
        /// To be [recalled](Sources::recall) at the next start.
        sum: u64,
    },
    /// Something happened to a socket that is owned.
    Socket { id: Uuid, reason: SocketReason },
    /// A listener accepted a connection, or a socket for packets has one.
    Arrived {
        listener: Listener,
        arrival: Parcel<Arrival>,
    },
    /// A device that is in use is not there any more.
    DeviceGone(PathBuf),
    /// The wall clock was set, or the machine woke up: due times must be looked at again.
    Clock,
}

/// The sending end of the monitors.
pub(crate) type Changes = mpsc::UnboundedSender<Change>;

/// What a `#[background_condition]` function reports with.
///
/// ```no_run
/// use bgtask::prelude::*;
///
/// /// True while the lock file is absent.
/// #[background_condition]
/// async fn not_locked(report: ConditionReporter) {
///     report.set(!std::path::Path::new("/run/lock/backup").exists());
///     // … wait for a change, report again; returning keeps the last value.
/// }
/// ```
#[derive(Clone)]
pub struct ConditionReporter {
    pub(crate) name: &'static str,
    pub(crate) report: mpsc::UnboundedSender<(&'static str, Reading)>,
}

impl ConditionReporter {
    /// Says whether the condition holds now.
    pub fn set(&self, holds: bool) {
        self.send(Reading::Known(holds));
    }

    /// Says that nobody can tell at the moment: tasks behind it are held.
    pub fn unknown(&self) {
        self.send(Reading::Unknown);
    }

    fn send(&self, reading: Reading) {
        // The broker is gone: the process is ending, and there is nobody to tell.
        let _ = self.report.send((self.name, reading));
    }
}

impl fmt::Debug for ConditionReporter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ConditionReporter({})", self.name)
    }
}
