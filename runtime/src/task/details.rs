//! What a fired trigger says about its firing.

use std::{path::PathBuf, time::Duration};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::{
    DeviceChanges, FileChanges, RawNotification, ServiceDetails, SocketDetails, ToastAction,
};

/// What an activation carries to its body (Windows: `TriggerDetails`). Stored and sent as JSON.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Details {
    /// When the trigger fired.
    #[serde(default)]
    pub fired: Timestamp,
    /// The due time that fired, for time kinds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub scheduled: Option<Timestamp>,
    /// The arguments of a request or of a raised event.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub arguments: Option<serde_json::Value>,
    /// What changed, for network events.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub network: Option<NetworkDetails>,
    /// What changed, for `files`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub files: Option<FileChanges>,
    /// What changed, for `device`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub device: Option<DeviceChanges>,
    /// The device that a request is about.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub device_use: Option<DeviceDetails>,
    /// What was pushed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub push: Option<RawNotification>,
    /// What was pressed, for `toast_action`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub toast: Option<ToastAction>,
    /// The connection, for `app_service`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub service: Option<ServiceDetails>,
    /// The socket that fired.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub socket: Option<SocketDetails>,
}

impl Details {
    /// Whether it tells what changed since the last one: none can take the place of another
    /// unless it follows it.
    pub(crate) const fn is_cumulative(&self) -> bool {
        self.files.is_some() || self.device.is_some()
    }

    /// Tells what `earlier` told as well.
    pub(crate) fn follow(&mut self, earlier: &Self) {
        if let Some(mut files) = earlier.files.clone() {
            let later = self.files.take().unwrap_or_else(FileChanges::unknown);
            files.overflow |= later.overflow;
            files.extend(later.changes);
            self.files = Some(files);
        }
        if let Some(mut device) = earlier.device.clone() {
            let later = self.device.take().unwrap_or_else(DeviceChanges::unknown);
            device.overflow |= later.overflow;
            device.extend(later.changes);
            self.device = Some(device);
        }
    }

    /// Tells that something changed which is told nowhere.
    pub(crate) fn overflow(&mut self) {
        if let Some(files) = &mut self.files {
            files.overflow = true;
        }
        if let Some(device) = &mut self.device {
            device.overflow = true;
        }
    }
}

/// The due time that started a run of `time`, `every`, `cron`, `at` or `maintenance`; it may lie
/// well before now when the task was held or the time was missed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ScheduledTime(
    /// The due time.
    pub Timestamp,
);

/// What is known of the network, and what of it changed, when `system(internet_available)` or
/// `system(network_state_change)` fires.
///
/// Windows: `NetworkStateChangeEventDetails`
/// ([page](https://learn.microsoft.com/uwp/api/windows.networking.connectivity.networkstatechangeeventdetails)).
///
/// ```
/// use bgtask::{NetworkDetails, prelude::*};
///
/// #[background_task(trigger = system(network_state_change))]
/// async fn adapt(network: NetworkDetails) {
///     if network.cost_changed {
///         // Look again at what may be downloaded.
///     }
/// }
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct NetworkDetails {
    /// Who said so: `network_manager`, `netlink`.
    pub source: String,
    /// Whether that is known or a guess (a route exists, nothing was tried).
    pub guess: bool,
    /// What leaves the computer goes another way: out of another interface, to another gateway, by
    /// another connection, or no longer at all. Windows: `HasNewInternetConnectionProfile`.
    #[serde(default)]
    pub connection_changed: bool,
    /// More or less can be reached. Windows: `HasNewNetworkConnectivityLevel`.
    #[serde(default)]
    pub connectivity_changed: bool,
    /// The network is metered, or no longer is. Windows: `HasNewConnectionCost`.
    #[serde(default)]
    pub cost_changed: bool,
}

/// The device that a run of `device_use` or `device_servicing` was requested for.
///
/// Windows: [`DeviceUseDetails`](https://learn.microsoft.com/uwp/api/windows.devices.background.deviceusedetails)
/// and [`DeviceServicingDetails`](https://learn.microsoft.com/uwp/api/windows.devices.background.deviceservicingdetails).
///
/// ```
/// use bgtask::{DeviceDetails, prelude::*};
///
/// #[background_task(trigger = device_use, host = process)]
/// fn read_log(device: DeviceDetails) -> std::io::Result<String> {
///     std::fs::read_to_string(&device.path)
/// }
/// # fn main() {}
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DeviceDetails {
    /// The id that the request named.
    pub id: PathBuf,
    /// What it means: a node below `/dev`, or a folder below `/sys/devices`, without symbolic links.
    pub path: PathBuf,
    /// How long the app expects the work to take, if it said so. It limits nothing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expected: Option<Duration>,
}
