//! NetworkManager's word on connectivity, from the system bus.
//!
//! Its signals are only bells: each one reads everything again. Cached properties are stale after
//! the provider restarts (<https://github.com/z-galaxy/zbus/issues/1172>), so nothing is cached.
//! NetworkManager is never started by asking it.

use std::{collections::HashMap, io::ErrorKind, sync::Arc, time::Duration};

use futures_util::{FutureExt, Stream, StreamExt, stream};
use zbus::{
    Connection, MatchRule, MessageStream, Proxy,
    conn::Builder,
    message::Type,
    proxy::{CacheProperties, MethodFlags},
    wire::OwnedVariant,
};

use super::Reporter;
use crate::{
    clock::{Clock, within},
    monitor::Reading,
};

const NAME: &str = "org.freedesktop.NetworkManager";
const PATH: &str = "/org/freedesktop/NetworkManager";
const PROPERTIES: &str = "org.freedesktop.DBus.Properties";

/// A bus or a provider that does not answer in this time is not there.
const PATIENCE: Duration = Duration::from_secs(2);

/// Waits before the bus is tried again: the first, and the longest.
const RECONNECT: (Duration, Duration) = (Duration::from_secs(1), Duration::from_secs(60));

/// A provider has its name some time before it answers.
const NOT_READY: Duration = Duration::from_millis(100);
const ATTEMPTS: u32 = 5;

/// Reports for as long as there is a bus. A machine without one is asked once.
pub(super) async fn run(address: Option<String>, clock: Arc<dyn Clock>, reporter: Reporter) {
    let mut wait = RECONNECT.0;
    let mut first = true;
    loop {
        match within(&*clock, PATIENCE, Bus::connect(address.as_deref())).await {
            Some(Ok(mut bus)) => {
                (wait, first) = (RECONNECT.0, false);
                bus.follow(&*clock, &reporter).await;
                tracing::warn!("the connection to the system bus is lost");
            }
            Some(Err(error)) if first && is_absent(&error) => {
                tracing::debug!(%error, "no system bus");
                reporter.internet(Reading::Unknown);
                return;
            }
            Some(Err(error)) => tracing::debug!(%error, retry = ?wait, "no system bus"),
            None => tracing::debug!(retry = ?wait, "the system bus does not answer"),
        }
        reporter.internet(Reading::Unknown);
        clock.awake(wait).await;
        wait = (wait * 2).min(RECONNECT.1);
    }
}

/// Whether there is no socket, or none for us, so that nobody will ever answer.
fn is_absent(error: &zbus::Error) -> bool {
    match error {
        zbus::Error::Connection(error, _) => matches!(
            error.kind(),
            ErrorKind::NotFound | ErrorKind::PermissionDenied
        ),
        zbus::Error::Address(_) => true,
        _ => false,
    }
}

/// A connection, subscribed before anything is read.
struct Bus {
    properties: Proxy<'static>,
    bells: Box<dyn Stream<Item = ()> + Send + Unpin>,
}

impl Bus {
    async fn connect(address: Option<&str>) -> zbus::Result<Self> {
        let builder = match address {
            Some(address) => Builder::address(address),
            None => Builder::system(),
        };
        let bus = builder.build().await?;
        let changed = MatchRule::builder()
            .msg_type(Type::Signal)
            .path(PATH)
            .interface(PROPERTIES)
            .member("PropertiesChanged")
            .build()?;
        let owner = MatchRule::builder()
            .msg_type(Type::Signal)
            .sender("org.freedesktop.DBus")
            .interface("org.freedesktop.DBus")
            .member("NameOwnerChanged")
            .arg(0, NAME)
            .build()?;
        let changed = MessageStream::for_match_rule(changed, &bus, None).await?;
        let owner = MessageStream::for_match_rule(owner, &bus, None).await?;
        Ok(Self {
            properties: properties(&bus).await?,
            bells: Box::new(stream::select(changed, owner).map(drop)),
        })
    }

    /// Reports until the connection is lost.
    async fn follow(&mut self, clock: &dyn Clock, reporter: &Reporter) {
        loop {
            reporter.internet(read(&self.properties, clock).await);
            if self.bells.next().await.is_none() {
                return;
            }
            // One reading answers all that rang so far.
            while let Some(Some(())) = self.bells.next().now_or_never() {}
        }
    }
}

async fn read(properties: &Proxy<'_>, clock: &dyn Clock) -> Reading {
    for attempt in 0..ATTEMPTS {
        let call = properties.call_with_flags::<_, _, HashMap<String, OwnedVariant>>(
            "GetAll",
            MethodFlags::NO_AUTO_START,
            &(NAME,),
        );
        match within(clock, PATIENCE, call).await {
            Some(Ok(Some(all))) => return reading(&all),
            Some(Err(zbus::Error::FDO(error))) if is_not_ready(&error) => {
                clock.awake(NOT_READY * 2u32.pow(attempt)).await;
            }
            Some(Err(error)) => {
                tracing::debug!(%error, "NetworkManager is not there");
                return Reading::Unknown;
            }
            Some(Ok(None)) | None => return Reading::Unknown,
        }
    }
    Reading::Unknown
}

async fn properties(bus: &Connection) -> zbus::Result<Proxy<'static>> {
    zbus::proxy::Builder::new(bus)
        .destination(NAME)
        .path(PATH)
        .interface(PROPERTIES)
        .cache_properties(CacheProperties::No)
        .build()
        .await
}

/// It owns its name, but its objects are still missing.
fn is_not_ready(error: &zbus::fdo::Error) -> bool {
    use zbus::fdo::Error::{UnknownInterface, UnknownMethod, UnknownObject};
    matches!(
        error,
        UnknownMethod(_) | UnknownObject(_) | UnknownInterface(_)
    )
}

/// `NMConnectivityState`: 0 unknown, 1 none, 2 portal, 3 limited, 4 full. Full without a check
/// only says that there is a default route.
/// <https://networkmanager.dev/docs/api/latest/nm-dbus-types.html#NMConnectivityState>
fn reading(properties: &HashMap<String, OwnedVariant>) -> Reading {
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
    use zbus::wire::Variant;

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
