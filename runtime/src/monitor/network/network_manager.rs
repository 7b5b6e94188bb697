//! NetworkManager's word on connectivity and on what the network costs, from the system bus.
//! <https://networkmanager.dev/docs/api/latest/gdbus-org.freedesktop.NetworkManager.html>

use std::sync::Arc;

use bgtask_model::Truth;
use tokio::sync::watch;
use zbus::{Connection, MatchRule, wire::Variant};

use super::{
    Reporter,
    state::{Managed, Word},
};
use crate::{
    clock::Clock,
    monitor::{
        Reading,
        bus::{self, ATTEMPTS, Asking},
        properties::{self, Object, Properties},
    },
};

const NETWORK_MANAGER: Object = Object {
    name: "org.freedesktop.NetworkManager",
    path: "/org/freedesktop/NetworkManager",
    interface: "org.freedesktop.NetworkManager",
};

/// Where its word goes.
pub(super) struct Says {
    pub(super) reporter: Reporter,
    pub(super) managed: watch::Sender<Word<Managed>>,
    /// Whether it is installed here; `None` before that is known.
    pub(super) installed: watch::Sender<Option<bool>>,
}

/// Reports for as long as there is a bus. A machine without one is asked once.
pub(super) async fn run(address: Option<String>, clock: Arc<dyn Clock>, says: Says) {
    let mut manager = Manager {
        clock: &*clock,
        says,
    };
    bus::follow(address.as_deref(), &*clock, &mut manager).await;
    manager.says.installed.send_replace(Some(false));
}

struct Manager<'a> {
    clock: &'a dyn Clock,
    says: Says,
}

impl Asking for Manager<'_> {
    fn bells(&self) -> zbus::Result<Vec<MatchRule<'static>>> {
        properties::bells(&NETWORK_MANAGER)
    }

    async fn ask(&mut self, bus: Option<&Connection>) {
        let all = properties::read(bus, &NETWORK_MANAGER, self.clock).await;
        let read =
            |reading: fn(&Properties) -> Reading| all.as_ref().map_or(Reading::Unknown, reading);
        let (internet, unmetered) = (read(connectivity), read(unmetered));
        // Both are one change: in between nothing is free that was not, or will not be.
        if unmetered.truth() == Truth::True {
            self.says.reporter.internet(internet);
            self.says.reporter.unmetered(unmetered);
        } else {
            self.says.reporter.unmetered(unmetered);
            self.says.reporter.internet(internet);
        }
        self.says.managed.send_replace(match &all {
            Some(all) => Word::Said(managed(all)),
            None => Word::Nothing,
        });
        // A bus that does not answer may have it.
        let installed = match bus {
            Some(bus) => all.is_some() || self.can_be_started(bus).await,
            None => self.says.installed.borrow().unwrap_or(true),
        };
        self.says.installed.send_replace(Some(installed));
    }
}

impl Manager<'_> {
    /// Whether the bus knows how to start it. What nobody answers is taken for a yes.
    async fn can_be_started(&self, bus: &Connection) -> bool {
        let bus = bus::proxy(bus, BUS, "/org/freedesktop/DBus", BUS).await;
        let Ok(bus) = bus else { return true };
        let names =
            bus::call::<Vec<String>>(&bus, self.clock, "ListActivatableNames", &(), ATTEMPTS);
        let names = names.await;
        names.map_or(true, |names| {
            names.iter().any(|name| name == NETWORK_MANAGER.name)
        })
    }
}

const BUS: &str = "org.freedesktop.DBus";

/// `NMConnectivityState`: 0 unknown, 1 none, 2 portal, 3 limited, 4 full. Full without a check
/// only says that there is a default route.
/// <https://networkmanager.dev/docs/api/latest/nm-dbus-types.html#NMConnectivityState>
fn connectivity(properties: &Properties) -> Reading {
    match number(properties, "Connectivity") {
        Some(4) if checks(properties) => Reading::Known(true),
        Some(4) => Reading::Guess(true),
        Some(1..=3) => Reading::Known(false),
        _ => Reading::Unknown,
    }
}

/// `NMMetered`: 0 unknown, 1 yes, 2 no, 3 guessed yes, 4 guessed no.
/// <https://networkmanager.dev/docs/api/latest/nm-dbus-types.html#NMMetered>
fn unmetered(properties: &Properties) -> Reading {
    match number(properties, "Metered") {
        Some(1) => Reading::Known(false),
        Some(2) => Reading::Known(true),
        Some(3) => Reading::Guess(false),
        Some(4) => Reading::Guess(true),
        _ => Reading::Unknown,
    }
}

fn managed(properties: &Properties) -> Managed {
    let connection = properties.get("PrimaryConnection");
    Managed {
        connection: connection.and_then(|path| match &**path {
            Variant::ObjectPath(path) => Some(path.to_string()),
            _ => None,
        }),
        connectivity: number(properties, "Connectivity").filter(|level| (1..=4).contains(level)),
        checks: checks(properties),
        metered: match unmetered(properties) {
            Reading::Known(unmetered) | Reading::Guess(unmetered) => Some(!unmetered),
            Reading::Unknown => None,
        },
    }
}

/// Versions that do not tell are older than the switch, and check if they can.
fn checks(properties: &Properties) -> bool {
    let checks = properties.get("ConnectivityCheckEnabled");
    checks.and_then(|value| bool::try_from(value).ok()) != Some(false)
}

fn number(properties: &Properties, name: &str) -> Option<u32> {
    properties.get(name)?.try_into().ok()
}

#[cfg(test)]
mod tests {
    use std::{collections::HashMap, time::Duration};

    use zbus::wire::{ObjectPath, OwnedVariant};

    use super::*;
    use crate::{clock::ManualClock, monitor::hub::Source};

    fn all<const N: usize>(properties: [(&str, Option<Variant<'static>>); N]) -> Properties {
        let mut all = HashMap::new();
        for (name, value) in properties {
            if let Some(value) = value {
                let value = OwnedVariant::try_from(value).expect("no descriptor");
                all.insert(name.to_owned(), value);
            }
        }
        all
    }

    #[test]
    fn what_connectivity_means() {
        for (level, checks, expected) in [
            (Some(4u32), None, Reading::Known(true)),
            (Some(4), Some(true), Reading::Known(true)),
            (Some(4), Some(false), Reading::Guess(true)),
            (Some(3), None, Reading::Known(false)),
            (Some(2), Some(true), Reading::Known(false)),
            (Some(1), Some(false), Reading::Known(false)),
            (Some(0), None, Reading::Unknown),
            (Some(99), None, Reading::Unknown),
            (None, None, Reading::Unknown),
        ] {
            let all = all([
                ("Connectivity", level.map(Variant::from)),
                ("ConnectivityCheckEnabled", checks.map(Variant::from)),
            ]);
            assert_eq!(connectivity(&all), expected, "{level:?} {checks:?}");
        }
        let all = all([("Connectivity", Some("full".into()))]);
        assert_eq!(connectivity(&all), Reading::Unknown, "of another type");
    }

    #[test]
    fn what_metered_means() {
        for (metered, expected, cost) in [
            (Some(1u32), Reading::Known(false), Some(true)),
            (Some(2), Reading::Known(true), Some(false)),
            (Some(3), Reading::Guess(false), Some(true)),
            (Some(4), Reading::Guess(true), Some(false)),
            (Some(0), Reading::Unknown, None),
            (Some(5), Reading::Unknown, None),
            (None, Reading::Unknown, None),
        ] {
            let all = all([("Metered", metered.map(Variant::from))]);
            assert_eq!(unmetered(&all), expected, "{metered:?}");
            assert_eq!(managed(&all).metered, cost, "{metered:?}");
        }
    }

    #[test]
    fn what_it_manages() {
        let path =
            ObjectPath::from_static_str("/org/freedesktop/NetworkManager/ActiveConnection/7");
        let path = path.expect("a path");
        let all = all([
            ("PrimaryConnection", Some(Variant::from(path.clone()))),
            ("Connectivity", Some(0u32.into())),
        ]);
        let expected = Managed {
            connection: Some(path.to_string()),
            connectivity: None,
            checks: true,
            metered: None,
        };
        assert_eq!(managed(&all), expected);
    }

    #[tokio::test]
    async fn a_machine_without_a_bus_is_asked_once() {
        let (reports, mut said) = tokio::sync::mpsc::unbounded_channel();
        let source = Source::NetworkManager;
        let says = Says {
            reporter: Reporter { source, reports },
            managed: watch::Sender::new(Word::Unheard),
            installed: watch::Sender::new(None),
        };
        let installed = says.installed.subscribe();
        // It stands still: whoever waits for another try waits for ever.
        let clock = Arc::new(ManualClock::new(jiff::Timestamp::UNIX_EPOCH));
        let address = "unix:path=/nonexistent/bus".to_owned();
        let run = run(Some(address), clock, says);
        let ended = tokio::time::timeout(Duration::from_secs(20), run).await;
        assert!(ended.is_ok(), "it tries again");
        for _ in 0..2 {
            let report = said.recv().await.map(|report| report.reading);
            assert_eq!(report, Some(Some(Reading::Unknown)));
        }
        assert_eq!(*installed.borrow(), Some(false));
    }
}
