//! What stands in `trigger = system(…)`: the change of the system that starts the task.

words! {
    /// `system(sms_received)`, `system(sms_received, once)`: a message (SMS) was received by the
    /// modem.
    ///
    /// This version has no source for it: a task with it is refused when it is registered. Until
    /// then, raise a [`custom`](super::trigger::custom) event from a source of your own.
    ///
    /// * A run is told to end after 25 s, unless `timeout` says otherwise.
    /// * Windows: `SmsReceived` of
    ///   [`SystemTriggerType`](https://learn.microsoft.com/uwp/api/windows.applicationmodel.background.systemtriggertype).
    ///
    /// ```
    /// # use bgtask::prelude::*;
    /// #[background_task(trigger = system(sms_received))]
    /// async fn read_message() {}
    /// ```
    sms_received

    /// `system(user_present)`, `system(user_present, once)`: the user is back.
    ///
    /// It is the change of the condition [`user_present`](super::condition::user_present), and known
    /// from the same. What was not known before is no change, so the start of the app is none.
    ///
    /// * A run is told to end after 25 s, unless `timeout` says otherwise.
    /// * Windows: `UserPresent` of
    ///   [`SystemTriggerType`](https://learn.microsoft.com/uwp/api/windows.applicationmodel.background.systemtriggertype).
    ///
    /// ```
    /// # use bgtask::prelude::*;
    /// #[background_task(trigger = system(user_present))]
    /// async fn refresh() {}
    /// ```
    user_present

    /// `system(user_away)`, `system(user_away, once)`: the user has gone away.
    ///
    /// It is the change of the condition
    /// [`user_not_present`](super::condition::user_not_present), and known from the same. What was not
    /// known before is no change, so the start of the app is none.
    ///
    /// * A run is told to end after 25 s, unless `timeout` says otherwise.
    /// * Windows: `UserAway` of
    ///   [`SystemTriggerType`](https://learn.microsoft.com/uwp/api/windows.applicationmodel.background.systemtriggertype).
    ///
    /// ```
    /// # use bgtask::prelude::*;
    /// #[background_task(trigger = system(user_away))]
    /// async fn tidy_up() {}
    /// ```
    user_away

    /// `system(network_state_change)`, `system(network_state_change, once)`: the network changed:
    /// its cost, or what it reaches.
    ///
    /// It is watched on Linux, while a task needs it. These are changes: what leaves the computer goes
    /// another way, which the kernel's default routes and NetworkManager's connection tell; more or
    /// less can be reached; the network is metered, or no longer is, of which only NetworkManager
    /// knows. Several at once are one change. A loss that is shorter than 2 s is none, and neither is
    /// what was not known before, so the start of the app is none.
    ///
    /// For the internet alone there is [`internet_available`].
    ///
    /// * Gives [`NetworkDetails`](crate::NetworkDetails): which of these changed.
    /// * A run is told to end after 25 s, unless `timeout` says otherwise.
    /// * Windows: `NetworkStateChange` of
    ///   [`SystemTriggerType`](https://learn.microsoft.com/uwp/api/windows.applicationmodel.background.systemtriggertype).
    ///
    /// ```
    /// # use bgtask::prelude::*;
    /// #[background_task(trigger = system(network_state_change))]
    /// async fn check_network() {}
    /// ```
    network_state_change

    /// `system(control_channel_reset)`: a control channel was reset. It cannot be `once`.
    ///
    /// This version has no source for it: a task with it is refused when it is registered. Until
    /// then, raise a [`custom`](super::trigger::custom) event from a source of your own.
    ///
    /// * A run is told to end after 25 s, unless `timeout` says otherwise.
    /// * Windows: `ControlChannelReset` of
    ///   [`SystemTriggerType`](https://learn.microsoft.com/uwp/api/windows.applicationmodel.background.systemtriggertype).
    ///
    /// ```
    /// # use bgtask::prelude::*;
    /// #[background_task(trigger = system(control_channel_reset))]
    /// async fn reconnect() {}
    /// ```
    control_channel_reset

    /// `system(internet_available)`, `system(internet_available, once)`: the internet can be
    /// reached, and could not before.
    ///
    /// On Linux NetworkManager says so, where it runs; without it a usable default route in the
    /// kernel's tables is taken for the internet, which is a guess. A loss that is shorter than 2 s
    /// is no change, and neither is the start of the app. Nothing reports it on other systems yet.
    ///
    /// * Gives [`NetworkDetails`](crate::NetworkDetails): who said so, and whether it is a guess.
    /// * A run is told to end after 25 s, unless `timeout` says otherwise.
    /// * Windows: `InternetAvailable` of
    ///   [`SystemTriggerType`](https://learn.microsoft.com/uwp/api/windows.applicationmodel.background.systemtriggertype).
    ///
    /// ```
    /// # use bgtask::prelude::*;
    /// #[background_task(trigger = system(internet_available))]
    /// async fn send_outbox() {}
    /// ```
    internet_available

    /// `system(session_connected)`, `system(session_connected, once)`: the user's session is
    /// connected.
    ///
    /// It is the change of the condition [`session_connected`](super::condition::session_connected),
    /// and known from the same. What was not known before is no change: an app that the user's log-in
    /// starts takes [`startup`](super::trigger::startup).
    ///
    /// * A run is told to end after 25 s, unless `timeout` says otherwise.
    /// * Windows: `SessionConnected` of
    ///   [`SystemTriggerType`](https://learn.microsoft.com/uwp/api/windows.applicationmodel.background.systemtriggertype).
    ///
    /// ```
    /// # use bgtask::prelude::*;
    /// #[background_task(trigger = system(session_connected))]
    /// async fn greet() {}
    /// ```
    session_connected

    /// `system(servicing_complete)`, `system(servicing_complete, once)`: the app was updated. Fires
    /// at the first launch of another build of the program, before anything else starts, also for
    /// a task that is new in that build; not at the very first launch. A build is known by the id
    /// that its linker wrote, or else by its tasks and the versions of their packages.
    ///
    /// * A run is told to end after 25 s, unless `timeout` says otherwise.
    /// * Windows: `ServicingComplete` of
    ///   [`SystemTriggerType`](https://learn.microsoft.com/uwp/api/windows.applicationmodel.background.systemtriggertype).
    ///
    /// ```
    /// # use bgtask::prelude::*;
    /// #[background_task(trigger = system(servicing_complete))]
    /// async fn migrate() {}
    /// ```
    servicing_complete

    /// `system(lock_screen_application_added)`, `system(lock_screen_application_added, once)`: the
    /// app was put on the lock screen.
    ///
    /// This version has no source for it: a task with it is refused when it is registered. Until
    /// then, raise a [`custom`](super::trigger::custom) event from a source of your own.
    ///
    /// * A run is told to end after 25 s, unless `timeout` says otherwise.
    /// * Windows: `LockScreenApplicationAdded` of
    ///   [`SystemTriggerType`](https://learn.microsoft.com/uwp/api/windows.applicationmodel.background.systemtriggertype).
    ///
    /// ```
    /// # use bgtask::prelude::*;
    /// #[background_task(trigger = system(lock_screen_application_added))]
    /// async fn show_badge() {}
    /// ```
    lock_screen_application_added

    /// `system(lock_screen_application_removed)`, `system(lock_screen_application_removed, once)`:
    /// the app was taken off the lock screen.
    ///
    /// This version has no source for it: a task with it is refused when it is registered. Until
    /// then, raise a [`custom`](super::trigger::custom) event from a source of your own.
    ///
    /// * A run is told to end after 25 s, unless `timeout` says otherwise.
    /// * Windows: `LockScreenApplicationRemoved` of
    ///   [`SystemTriggerType`](https://learn.microsoft.com/uwp/api/windows.applicationmodel.background.systemtriggertype).
    ///
    /// ```
    /// # use bgtask::prelude::*;
    /// #[background_task(trigger = system(lock_screen_application_removed))]
    /// async fn hide_badge() {}
    /// ```
    lock_screen_application_removed

    /// `system(time_zone_change)`, `system(time_zone_change, once)`: the system's time zone, or its
    /// offset from UTC, changes; daylight saving counts.
    ///
    /// On Linux `/etc/localtime` is watched, and the zone's own clock changes are waited for. Where
    /// the variable `TZ` is set, it names the zone.
    ///
    /// * A run is told to end after 25 s, unless `timeout` says otherwise.
    /// * Windows: `TimeZoneChange` of
    ///   [`SystemTriggerType`](https://learn.microsoft.com/uwp/api/windows.applicationmodel.background.systemtriggertype),
    ///   only if local time moves.
    ///
    /// ```
    /// # use bgtask::prelude::*;
    /// #[background_task(trigger = system(time_zone_change))]
    /// async fn move_appointments() {}
    /// ```
    time_zone_change

    /// `system(online_id_connected_state_change)`, `system(online_id_connected_state_change,
    /// once)`: the online account that the user's account is connected to changes.
    ///
    /// This version has no source for it: a task with it is refused when it is registered. Until
    /// then, raise a [`custom`](super::trigger::custom) event from a source of your own.
    ///
    /// * A run is told to end after 25 s, unless `timeout` says otherwise.
    /// * Windows: `OnlineIdConnectedStateChange` of
    ///   [`SystemTriggerType`](https://learn.microsoft.com/uwp/api/windows.applicationmodel.background.systemtriggertype).
    ///
    /// ```
    /// # use bgtask::prelude::*;
    /// #[background_task(trigger = system(online_id_connected_state_change))]
    /// async fn sign_in() {}
    /// ```
    online_id_connected_state_change

    /// `system(work_cost_change)`, `system(work_cost_change, once)`: the cost of work in the
    /// background changes.
    ///
    /// It is watched on Linux, while a task needs it. The costs are those of
    /// [`WorkCost`](crate::WorkCost): low on mains, medium on the battery, high when that is low or
    /// while energy is saved. What was not known before is no change.
    ///
    /// * A run is told to end after 25 s, unless `timeout` says otherwise.
    /// * Windows: `BackgroundWorkCostChange` of
    ///   [`SystemTriggerType`](https://learn.microsoft.com/uwp/api/windows.applicationmodel.background.systemtriggertype).
    ///
    /// ```
    /// # use bgtask::prelude::*;
    /// #[background_task(trigger = system(work_cost_change))]
    /// async fn adapt() {}
    /// ```
    work_cost_change

    /// `system(power_state_change)`, `system(power_state_change, once)`: the state of the battery
    /// changes.
    ///
    /// It is watched on Linux, while a task needs it. These are changes: the computer runs on its
    /// battery, or no longer does; the battery has less than 20 %, or no longer has; energy is saved,
    /// or no longer is. Several at once are one change, and what was not known before is none.
    ///
    /// * A run is told to end after 25 s, unless `timeout` says otherwise.
    /// * Windows: `PowerStateChange` of
    ///   [`SystemTriggerType`](https://learn.microsoft.com/uwp/api/windows.applicationmodel.background.systemtriggertype).
    ///
    /// ```
    /// # use bgtask::prelude::*;
    /// #[background_task(trigger = system(power_state_change))]
    /// async fn save_power() {}
    /// ```
    power_state_change

    /// `system(default_sign_in_account_change)`, `system(default_sign_in_account_change, once)`:
    /// the default account for signing in changes.
    ///
    /// This version has no source for it: a task with it is refused when it is registered. Until
    /// then, raise a [`custom`](super::trigger::custom) event from a source of your own.
    ///
    /// * A run is told to end after 25 s, unless `timeout` says otherwise.
    /// * Windows: `DefaultSignInAccountChange` of
    ///   [`SystemTriggerType`](https://learn.microsoft.com/uwp/api/windows.applicationmodel.background.systemtriggertype).
    ///
    /// ```
    /// # use bgtask::prelude::*;
    /// #[background_task(trigger = system(default_sign_in_account_change))]
    /// async fn switch_account() {}
    /// ```
    default_sign_in_account_change
}
