//! The changes of the system that can start a task.

/// A change of the system, as in Windows' `SystemTriggerType`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum SystemEvent {
    /// `sms_received`
    SmsReceived,
    /// `user_present`
    UserPresent,
    /// `user_away`
    UserAway,
    /// `network_state_change`
    NetworkStateChange,
    /// `control_channel_reset`; cannot be `once`.
    ControlChannelReset,
    /// `internet_available`
    InternetAvailable,
    /// `session_connected`
    SessionConnected,
    /// `servicing_complete`: the app was updated.
    ServicingComplete,
    /// `lock_screen_application_added`
    LockScreenApplicationAdded,
    /// `lock_screen_application_removed`
    LockScreenApplicationRemoved,
    /// `time_zone_change`: local time moved against UTC, daylight saving included.
    TimeZoneChange,
    /// `online_id_connected_state_change`
    OnlineIdConnectedStateChange,
    /// `work_cost_change`
    WorkCostChange,
    /// `power_state_change`
    PowerStateChange,
    /// `default_sign_in_account_change`
    DefaultSignInAccountChange,
}
