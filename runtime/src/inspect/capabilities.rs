//! What works on this machine.

use std::sync::Arc;

use tokio::sync::mpsc;

use crate::{
    Capabilities, Result,
    access::Policy,
    capability::Here,
    clock::SystemClock,
    inhibitor::Inhibitor,
    monitor::{Services, ToastPlace, Toasts, tells_pressure},
};

/// What works on this machine, for every word of the grammar: how well, and who does it or tells of
/// it. What is unsupported here is what a registration is refused for, in the same words.
///
/// It is how the machine is at the moment, for a process of this user, with these limits and this
/// environment; a program's `main` is taken to have [`#[bgtask::main]`](macro@crate::main).
/// `app` is the id of the app whose [file of access](crate::access) counts, where the user says
/// what becomes of networks of which nobody can tell what they cost; without it what the file says
/// of all apps counts.
///
/// It asks the system bus and the session bus, waits for answers for some seconds at most, and starts no service.
///
/// Windows has no counterpart: there `Register` succeeds also for triggers that never fire, and
/// [`ApiInformation`](https://learn.microsoft.com/uwp/api/windows.foundation.metadata.apiinformation)
/// tells which types there are, not what works.
///
/// ```no_run
/// # let _ = async {
/// use bgtask::{Support, inspect};
///
/// let here = inspect::capabilities(Some("com.example.mail")).await?;
/// let internet = here.find("condition", "internet").expect("a word of the grammar");
/// println!("{} by {}", internet.support, internet.sources.join(", "));
/// if let Support::Unsupported { remedy, .. } = &internet.support {
///     println!("{remedy}");
/// }
/// # Ok::<(), bgtask::Error>(())
/// # };
/// ```
///
/// # Errors
///
/// [`Code::AccessPolicy`](crate::Code::AccessPolicy): the user's file is not understood.
///
/// # Panics
///
/// Outside of a tokio runtime with its I/O and time.
pub async fn capabilities(app: Option<&str>) -> Result<Capabilities> {
    let policy = Policy::read(&super::access_files())?;
    let let_pass = policy.allows_unknown_metering(app.unwrap_or_default());
    at(None, let_pass).await
}

/// As the services on the bus at this address are, or on the system's and the session's.
async fn at(address: Option<String>, let_pass: bool) -> Result<Capabilities> {
    let services = Services::look(address.as_deref()).await;
    let place = ToastPlace {
        app: "bgtask".to_owned(),
        session_bus: address.clone(),
    };
    let toasts = Toasts::start(
        place,
        Arc::new(SystemClock::portable()),
        mpsc::unbounded_channel().0,
    );
    let here = Here {
        hosts: true,
        system_bus: services.system_bus,
        metering: services.may_know_metering || let_pass,
        pressure: tells_pressure(),
        toasts: toasts.learn().await,
        services,
    };
    let inhibitor = Arc::new(Inhibitor::new("bgtask".to_owned(), address));
    inhibitor.learn().await;
    Ok(Capabilities::of(here, &inhibitor.check()))
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;
    use crate::{Support, monitor::Bus};

    fn sources(all: &Capabilities, family: &str, word: &str) -> (&'static str, Vec<String>) {
        let found = all.find(family, word).expect("a word");
        (found.support.word(), found.sources.clone())
    }

    #[tokio::test]
    async fn who_is_on_the_bus_is_who_tells() {
        let bus = Bus::start();
        let address = Some(bus.address.clone());
        let alone = at(address.clone(), false).await.expect("a report");
        let told = |all, family, word, support, by: &[&str]| {
            let by = by.iter().map(|&by| by.to_owned()).collect();
            assert_eq!(sources(all, family, word), (support, by), "{word}");
        };
        told(&alone, "condition", "internet", "best_effort", &["netlink"]);
        told(&alone, "condition", "unmetered", "unsupported", &[]);
        told(&alone, "condition", "ac_power", "best_effort", &["sysfs"]);
        told(&alone, "condition", "energy_saver_off", "best_effort", &[]);
        told(&alone, "system", "user_away", "best_effort", &[]);
        told(&alone, "argument", "network_requested", "unsupported", &[]);
        let passes = at(address.clone(), true).await.expect("a report");
        told(
            &passes,
            "condition",
            "free_network",
            "best_effort",
            &["policy"],
        );

        let _mocks = [
            "networkmanager",
            "upower",
            "logind",
            "power_profiles_daemon",
        ]
        .map(|template| bus.mock(template));
        for name in [
            "org.freedesktop.NetworkManager",
            "org.freedesktop.UPower",
            "org.freedesktop.login1",
        ] {
            bus.owned(name).await;
        }
        let all = at(address, false).await.expect("a report");
        told(
            &all,
            "condition",
            "internet",
            "guaranteed",
            &["NetworkManager"],
        );
        told(
            &all,
            "condition",
            "unmetered",
            "guaranteed",
            &["NetworkManager"],
        );
        told(
            &all,
            "trigger",
            "maintenance",
            "guaranteed",
            &["timerfd", "UPower"],
        );
        told(&all, "system", "user_away", "guaranteed", &["logind"]);
        told(
            &all,
            "argument",
            "network_requested",
            "guaranteed",
            &["logind"],
        );
    }

    #[tokio::test]
    async fn without_a_bus_what_only_services_tell_is_missing() {
        let nowhere = Some("unix:path=/nonexistent/bus".to_owned());
        let all = at(nowhere, false).await.expect("a report");
        let idle = all.find("condition", "device_idle").expect("a word");
        let Support::Unsupported { missing, remedy } = &idle.support else {
            panic!("{idle:?}");
        };
        assert_eq!(
            missing,
            "nobody can tell `device_idle` here: there is no system bus"
        );
        assert!(remedy.contains("background_condition"), "{remedy}");
        assert_eq!(sources(&all, "trigger", "time").0, "guaranteed");
    }
}
