//! What this version can do on this system. What it cannot is refused when it is registered, and the
//! report of all that it can do is made of the same verdicts.

mod process;
mod report;
#[cfg(test)]
mod tests;
mod verdict;

use std::fmt;

use bgtask_model::{Condition, Declaration, Predicate, SystemEvent, Trigger};

use process::{host, hosted_service, options, sleep_lock};
pub use report::{Capabilities, Capability, Support};
use verdict::{Missing, Verdict};

use crate::{
    Code, Error,
    monitor::{Services, Shows},
};

/// What is here, beside the system that this was built for.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Here {
    /// This program's `main` becomes a host when it is asked to.
    pub(crate) hosts: bool,
    /// There is a bus on which the system's services may tell something.
    pub(crate) system_bus: bool,
    /// Somebody may know what the network costs, or the user lets one pass of which nobody does.
    pub(crate) metering: bool,
    /// The kernel tells when tasks wait for memory.
    pub(crate) pressure: bool,
    /// Whether toasts with buttons are shown.
    pub(crate) toasts: Shows,
    /// Who answers at the moment: it decides how well something works, never whether it is refused.
    pub(crate) services: Services,
}

impl Here {
    /// As much as there can be.
    #[cfg(test)]
    pub(crate) const EVERYTHING: Self = Self {
        hosts: true,
        system_bus: true,
        metering: true,
        pressure: true,
        toasts: Shows::Yes,
        services: Services::ALL,
    };
}

/// All that a declaration asks for and that is missing here.
pub(crate) fn missing(declaration: &Declaration, here: Here) -> Vec<Error> {
    let condition = declaration.condition.iter();
    let mut facts = condition.flat_map(Condition::predicates);
    let missing = [
        trigger(&declaration.trigger, &declaration.trigger, here).missing(),
        facts.find_map(|predicate| fact(predicate, here).missing()),
        host(&declaration.host, here).missing(),
        hosted_service(declaration),
    ];
    let options = options(&declaration.options);
    let error = |(rule, remedy): Missing| {
        Error::new(Code::Unsupported, rule)
            .task(&declaration.name)
            .remedy(remedy)
    };
    let missing = missing.into_iter().flatten().chain(options);
    missing.map(error).collect()
}

/// What keeps the network of a declaration from being kept up, if it asks for that.
pub(crate) fn network(
    declaration: &Declaration,
    check: impl FnOnce() -> Result<(), String>,
) -> Option<Error> {
    let asked = declaration.options.network_requested;
    let (rule, remedy) = asked.then(|| sleep_lock(check()))?.missing()?;
    let error = Error::new(Code::Unsupported, rule);
    Some(error.task(&declaration.name).remedy(remedy))
}

/// Whether the machine, its sessions, folders and devices can be watched here.
const LINUX: bool = cfg!(target_os = "linux");

/// Done by this library alone.
const OURS: Verdict = Verdict::guaranteed(&["bgtask"]);

/// Without it there is nobody to ask.
const NO_BUS: &str = "there is no system bus";

/// `name` is what it is called in a sentence.
fn trigger(trigger: &Trigger, name: &dyn fmt::Display, here: Here) -> Verdict {
    match trigger {
        Trigger::Time { .. }
        | Trigger::Every { .. }
        | Trigger::Cron { .. }
        | Trigger::At { .. } => timer(),
        Trigger::Startup
        | Trigger::Application
        | Trigger::MediaProcessing
        | Trigger::Push { .. }
        | Trigger::Custom { .. } => OURS,
        Trigger::Maintenance { .. } if LINUX => timer().and(power(here)),
        Trigger::Files { .. } if LINUX => Verdict::guaranteed(&["inotify"]),
        Trigger::Socket { .. } | Trigger::ControlChannel { .. } if LINUX => {
            Verdict::guaranteed(&["poll"]).and(timer())
        }
        Trigger::Device { .. } if LINUX => Verdict::guaranteed(&["netlink"]),
        Trigger::DeviceUse | Trigger::DeviceServicing if LINUX => {
            Verdict::guaranteed(&["sysfs", "netlink"])
        }
        Trigger::AppService { .. } if cfg!(unix) => {
            let why = "in the app's own process, not with `host = process`";
            Verdict::best_effort(&["control socket"], why)
        }
        Trigger::ToastAction if LINUX => toasts(here.toasts),
        Trigger::System { event, .. } => system(*event, name, here),
        _ => no_source(name, ""),
    }
}

fn system(event: SystemEvent, name: &dyn fmt::Display, here: Here) -> Verdict {
    let why = match event {
        SystemEvent::ServicingComplete => return OURS,
        SystemEvent::InternetAvailable => return internet(here),
        SystemEvent::TimeZoneChange if LINUX => return Verdict::guaranteed(&["inotify"]),
        SystemEvent::TimeZoneChange => return timer(),
        SystemEvent::PowerStateChange if LINUX => return power(here),
        SystemEvent::WorkCostChange if LINUX => return power(here).and(saver(here)),
        SystemEvent::NetworkStateChange if LINUX => {
            return match here.services.network_manager {
                true => Verdict::guaranteed(&["netlink", "NetworkManager"]),
                false => Verdict::best_effort(
                    &["netlink"],
                    "NetworkManager is not there: what the network costs is not told",
                ),
            };
        }
        SystemEvent::SessionConnected if LINUX => return sessions(here),
        SystemEvent::UserPresent | SystemEvent::UserAway if LINUX => {
            let rule = || format!("nobody tells of `{name}` here: {NO_BUS}");
            return logind(here, rule, ANOTHER_TRIGGER);
        }
        SystemEvent::SmsReceived => ": it asks no modem",
        SystemEvent::ControlChannelReset => ": no system here resets a channel",
        SystemEvent::LockScreenApplicationAdded | SystemEvent::LockScreenApplicationRemoved => {
            ": no app is placed on a lock screen here"
        }
        SystemEvent::OnlineIdConnectedStateChange | SystemEvent::DefaultSignInAccountChange => {
            ": there are no Microsoft accounts here"
        }
        _ => "",
    };
    no_source(name, why)
}

const ANOTHER_TRIGGER: &str =
    "use another trigger, or raise `custom(\"…\")` from a source of your own";

fn no_source(name: &dyn fmt::Display, why: &str) -> Verdict {
    Verdict::unsupported(
        format!("this version has no source for the trigger `{name}`{why}"),
        ANOTHER_TRIGGER,
    )
}

fn toasts(shows: Shows) -> Verdict {
    let missing = match shows {
        Shows::Yes => return Verdict::guaranteed(&["org.freedesktop.Notifications"]),
        Shows::NoBus => "there is no session bus",
        Shows::NoService => "nobody shows notifications on the session bus",
        Shows::NoButtons => "who shows notifications shows no buttons",
    };
    Verdict::unsupported(
        format!("nobody tells of `toast_action` here: {missing}"),
        "run in a user's session with a desktop that shows notifications, \
            `org.freedesktop.Notifications`; or use another trigger",
    )
}

fn fact(predicate: &Predicate, here: Here) -> Verdict {
    match predicate {
        Predicate::User(_) => OURS,
        Predicate::Internet | Predicate::NoInternet => internet(here),
        Predicate::AcPower | Predicate::BatteryAbove(_) | Predicate::BatteryNotLow if LINUX => {
            power(here)
        }
        Predicate::EnergySaverOff if LINUX => saver(here),
        Predicate::WorkCostNotHigh if LINUX => power(here).and(saver(here)),
        Predicate::StorageNotLow if LINUX => {
            Verdict::best_effort(&["statvfs"], "it is looked at once a minute")
        }
        Predicate::MemoryNotLow if LINUX && here.pressure => Verdict::guaranteed(&["psi"]),
        Predicate::MemoryNotLow if LINUX => Verdict::unsupported(
            format!(
                "the kernel does not tell `{predicate}` here: there is no /proc/pressure/memory"
            ),
            "run on a kernel with pressure stall information, started with `psi=1`; or write a \
                `#[background_condition]` function that reports it",
        ),
        Predicate::LoadBelow(_) if LINUX => {
            Verdict::best_effort(&["/proc/loadavg"], "it is looked at every 30 s")
        }
        Predicate::SessionConnected | Predicate::SessionDisconnected if LINUX => sessions(here),
        Predicate::UserPresent | Predicate::UserNotPresent | Predicate::DeviceIdle if LINUX => {
            let rule = || format!("nobody can tell `{predicate}` here: {NO_BUS}");
            logind(here, rule, OWN_CONDITION)
        }
        Predicate::Unmetered if LINUX => unmetered(here),
        other => Verdict::unsupported(
            format!("this version has no monitor for the condition `{other}`"),
            OWN_CONDITION,
        ),
    }
}

const OWN_CONDITION: &str = "write a `#[background_condition]` function that reports it";

fn timer() -> Verdict {
    if LINUX {
        return Verdict::guaranteed(&["timerfd"]);
    }
    let why = "that the clock was set or the machine slept is seen within a minute";
    Verdict::best_effort(&["bgtask"], why)
}

fn internet(here: Here) -> Verdict {
    match here.services {
        _ if !LINUX => Verdict::best_effort(&[], "nobody tells of it here, so nothing starts"),
        Services {
            network_manager: true,
            checks_connectivity: true,
            ..
        } => Verdict::guaranteed(&["NetworkManager"]),
        Services {
            network_manager: true,
            ..
        } => Verdict::best_effort(
            &["NetworkManager", "netlink"],
            "its check of the internet is off: a default route is taken for the internet",
        ),
        _ => Verdict::best_effort(
            &["netlink"],
            "NetworkManager is not there: a default route is taken for the internet",
        ),
    }
}

fn unmetered(here: Here) -> Verdict {
    if !here.metering {
        return Verdict::unsupported(
            "nobody can tell `unmetered` here: there is no NetworkManager to say what a network costs",
            "the user may let such networks pass, `unknown_metering = \"allow\"` in their access file; or write a `#[background_condition]` function that reports it",
        );
    }
    if here.services.network_manager {
        return Verdict::guaranteed(&["NetworkManager"]).and(internet(here));
    }
    let why = "NetworkManager is not there: only what the user lets pass is unmetered";
    Verdict::best_effort(&["policy"], why)
}

fn power(here: Here) -> Verdict {
    if here.services.upower {
        return Verdict::guaranteed(&["UPower"]);
    }
    let why = "UPower is not there: the kernel's power supplies are looked at every 30 s";
    Verdict::best_effort(&["sysfs"], why)
}

fn saver(here: Here) -> Verdict {
    if here.services.power_profiles {
        return Verdict::guaranteed(&["power-profiles-daemon"]);
    }
    let why = "no service of power profiles is there: nothing is taken to save energy";
    Verdict::best_effort(&[], why)
}

fn sessions(here: Here) -> Verdict {
    if here.services.logind {
        return Verdict::guaranteed(&["logind"]);
    }
    let why = "logind is not there: its files are taken for a guess";
    Verdict::best_effort(&["/run/systemd/users"], why)
}

/// What logind alone can tell.
fn logind(here: Here, rule: impl FnOnce() -> String, remedy: &'static str) -> Verdict {
    if !here.system_bus {
        return Verdict::unsupported(rule(), remedy);
    }
    if here.services.logind {
        return Verdict::guaranteed(&["logind"]);
    }
    let why = "logind is not there at the moment: nobody knows until it is";
    Verdict::best_effort(&[], why)
}
