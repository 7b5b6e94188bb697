//! NetworkManager's word on connectivity, from the system bus.

use std::sync::Arc;

use super::Reporter;
use crate::{
    clock::Clock,
    monitor::{
        Reading,
        properties::{Object, Properties, follow},
    },
};

const NETWORK_MANAGER: Object = Object {
    name: "org.freedesktop.NetworkManager",
    path: "/org/freedesktop/NetworkManager",
    interface: "org.freedesktop.NetworkManager",
};

/// Reports for as long as there is a bus. A machine without one is asked once.
pub(super) async fn run(address: Option<String>, clock: Arc<dyn Clock>, reporter: Reporter) {
    follow(address.as_deref(), &*clock, &[NETWORK_MANAGER], |all| {
        let properties = all.first().and_then(Option::as_ref);
        reporter.internet(properties.map_or(Reading::Unknown, reading));
    })
    .await;
}

/// `NMConnectivityState`: 0 unknown, 1 none, 2 portal, 3 limited, 4 full. Full without a check
/// only says that there is a default route.
/// <https://networkmanager.dev/docs/api/latest/nm-dbus-types.html#NMConnectivityState>
fn reading(properties: &Properties) -> Reading {
    let connectivity = properties.get("Connectivity");
    let connectivity = connectivity.and_then(|value| u32::try_from(value).ok());
    let checks = properties.get("ConnectivityCheckEnabled");
    // Versions that do not tell are older than the switch, and check if they can.
    let checks = checks.and_then(|value| bool::try_from(value).ok()) != Some(false);
    match connectivity {
        Some(4) if checks => Reading::Known(true),
        Some(4) => Reading::Guess(true),
        Some(1..=3) => Reading::Known(false),
        _ => Reading::Unknown,
    }
}

#[cfg(test)]
mod tests {
    use std::{collections::HashMap, time::Duration};

    use zbus::wire::{OwnedVariant, Variant};

    use super::*;
    use crate::clock::ManualClock;

    #[test]
    fn what_connectivity_means() {
        for (connectivity, checks, expected) in [
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
            let mut all = HashMap::new();
            let mut put = |name: &str, value: Variant<'static>| {
                all.insert(
                    name.to_owned(),
                    OwnedVariant::try_from(value).expect("no descriptor"),
                );
            };
            if let Some(connectivity) = connectivity {
                put("Connectivity", Variant::from(connectivity));
            }
            if let Some(checks) = checks {
                put("ConnectivityCheckEnabled", Variant::from(checks));
            }
            assert_eq!(reading(&all), expected, "{connectivity:?} {checks:?}");
        }
        let text = Variant::from("full");
        let text = OwnedVariant::try_from(text).expect("no descriptor");
        let all = HashMap::from([("Connectivity".to_owned(), text)]);
        assert_eq!(reading(&all), Reading::Unknown, "of another type");
    }

    #[tokio::test]
    async fn a_machine_without_a_bus_is_asked_once() {
        let (reports, mut said) = tokio::sync::mpsc::unbounded_channel();
        let source = crate::monitor::hub::Source::NetworkManager;
        let reporter = Reporter { source, reports };
        // It stands still: whoever waits for another try waits for ever.
        let clock = Arc::new(ManualClock::new(jiff::Timestamp::UNIX_EPOCH));
        let address = "unix:path=/nonexistent/bus".to_owned();
        let run = run(Some(address), clock, reporter);
        let ended = tokio::time::timeout(Duration::from_secs(20), run).await;
        assert!(ended.is_ok(), "it tries again");
        let report = said.recv().await.map(|report| report.reading);
        assert_eq!(report, Some(Reading::Unknown));
    }
}
