//! Who answers on this machine at the moment: for a report, nothing is decided by it.

#[cfg(target_os = "linux")]
use std::time::Duration;

#[cfg(target_os = "linux")]
use tokio::time::timeout;
#[cfg(target_os = "linux")]
use zbus::{Connection, conn::Builder, fdo::DBusProxy, proxy::CacheProperties};

#[cfg(target_os = "linux")]
use super::bus;

/// Who is there.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Services {
    /// There may be a system bus.
    pub(crate) system_bus: bool,
    /// NetworkManager is installed, or a bus that does not answer may have it.
    pub(crate) may_know_metering: bool,
    pub(crate) network_manager: bool,
    /// NetworkManager tries whether the internet is reached.
    pub(crate) checks_connectivity: bool,
    pub(crate) upower: bool,
    pub(crate) power_profiles: bool,
    pub(crate) logind: bool,
}

#[cfg(test)]
impl Services {
    /// Everybody.
    pub(crate) const ALL: Self = Self {
        system_bus: true,
        may_know_metering: true,
        network_manager: true,
        checks_connectivity: true,
        upower: true,
        power_profiles: true,
        logind: true,
    };
}

/// A bus that does not answer in this time tells nothing.
#[cfg(target_os = "linux")]
const PATIENCE: Duration = Duration::from_secs(2);

#[cfg(target_os = "linux")]
const NETWORK_MANAGER: &str = "org.freedesktop.NetworkManager";

impl Services {
    /// Asks the bus at this address, or the system's; for 2 s at most. None of them is started.
    #[cfg(target_os = "linux")]
    pub(crate) async fn look(address: Option<&str>) -> Self {
        if !bus::may_be_there(address) {
            return Self::default();
        }
        let unknown = Self {
            system_bus: true,
            may_know_metering: true,
            ..Self::default()
        };
        match timeout(PATIENCE, listed(address)).await {
            Ok(Ok(found)) => found,
            Ok(Err(error)) => {
                tracing::debug!(%error, "the system bus does not tell who is there");
                unknown
            }
            Err(_) => unknown,
        }
    }

    /// There is nobody to ask yet.
    #[cfg(not(target_os = "linux"))]
    pub(crate) async fn look(_: Option<&str>) -> Self {
        Self::default()
    }
}

#[cfg(target_os = "linux")]
async fn listed(address: Option<&str>) -> zbus::Result<Services> {
    let builder = match address {
        Some(address) => Builder::address(address),
        None => Builder::system(),
    };
    let bus = builder.build().await?;
    let driver = DBusProxy::new(&bus).await?;
    let running = driver.list_names().await?;
    let installed = driver.list_activatable_names().await?;
    let runs = |name: &str| running.iter().any(|one| one.as_str() == name);
    let network_manager = runs(NETWORK_MANAGER);
    Ok(Services {
        system_bus: true,
        may_know_metering: network_manager
            || installed.iter().any(|one| one.as_str() == NETWORK_MANAGER),
        network_manager,
        checks_connectivity: network_manager && checks(&bus).await,
        upower: runs("org.freedesktop.UPower"),
        power_profiles: runs("org.freedesktop.UPower.PowerProfiles")
            || runs("net.hadess.PowerProfiles"),
        logind: runs("org.freedesktop.login1"),
    })
}

/// Versions that do not tell are older than the switch, and check if they can.
#[cfg(target_os = "linux")]
async fn checks(bus: &Connection) -> bool {
    let manager = zbus::proxy::Builder::<zbus::Proxy<'_>>::new(bus)
        .destination(NETWORK_MANAGER)
        .path("/org/freedesktop/NetworkManager")
        .interface(NETWORK_MANAGER)
        .cache_properties(CacheProperties::No)
        .build()
        .await;
    let Ok(manager) = manager else { return true };
    let checks = manager.get_property::<bool>("ConnectivityCheckEnabled");
    checks.await.unwrap_or(true)
}
