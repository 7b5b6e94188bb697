//! What a fired trigger says about its firing.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

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
