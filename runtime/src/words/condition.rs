//! What stands behind `condition =`: the facts that have to hold before the task starts, joined by
//! `&&`, `||`, `!` and parentheses.
//!
//! What fired is held until its condition is known to hold: while nothing is known of a fact, the
//! task waits. A condition of your own is the path of a function with
//! [`background_condition`](macro@crate::background_condition), of at least two words:
//! `self::vpn_up`.

words! {
    /// `internet`: the internet can be reached.
    ///
    /// On Linux NetworkManager says so, where it runs; without it a usable default route in the
    /// kernel's tables is taken for the internet, which is a guess. A loss that is shorter than 2 s
    /// is not noticed. Nothing reports it on other systems yet, and what is not known holds the
    /// task.
    ///
    /// Windows: `InternetAvailable` of
    /// [`SystemConditionType`](https://learn.microsoft.com/uwp/api/windows.applicationmodel.background.systemconditiontype).
    ///
    /// ```
    /// # use bgtask::prelude::*;
    /// #[background_task(trigger = every("1h"), condition = internet)]
    /// async fn upload() {}
    /// ```
    internet

    /// `no_internet`: the internet cannot be reached, the opposite of `internet`.
    ///
    /// It is as [`internet`] in all else: while nothing is known of the
    /// internet, neither of them holds.
    ///
    /// Windows: `InternetNotAvailable` of
    /// [`SystemConditionType`](https://learn.microsoft.com/uwp/api/windows.applicationmodel.background.systemconditiontype).
    ///
    /// ```
    /// # use bgtask::prelude::*;
    /// #[background_task(trigger = every("1h"), condition = no_internet)]
    /// async fn rebuild_cache() {}
    /// ```
    no_internet

    /// `user_present`: the user is there.
    ///
    /// On Linux logind says so, and it is asked only while a task needs it: one of the user's sessions
    /// is in front, neither idle nor locked. When a session is idle is for the desktop to tell. One on
    /// a terminal tells nobody, and is looked at every minute. Without logind nobody knows, which
    /// holds the task; without a system bus nobody ever will, and the task is refused.
    ///
    /// Windows: `UserPresent` of
    /// [`SystemConditionType`](https://learn.microsoft.com/uwp/api/windows.applicationmodel.background.systemconditiontype).
    ///
    /// ```
    /// # use bgtask::prelude::*;
    /// #[background_task(trigger = every("1h"), condition = user_present)]
    /// async fn ask_for_review() {}
    /// ```
    user_present

    /// `user_not_present`: the user is away, the opposite of `user_present`.
    ///
    /// It is as [`user_present`] in all else: while nobody knows, neither of them holds. A user who is
    /// not logged in is away.
    ///
    /// Windows: `UserNotPresent` of
    /// [`SystemConditionType`](https://learn.microsoft.com/uwp/api/windows.applicationmodel.background.systemconditiontype).
    ///
    /// ```
    /// # use bgtask::prelude::*;
    /// #[background_task(trigger = every("1h"), condition = user_not_present)]
    /// async fn index() {}
    /// ```
    user_not_present

    /// `session_connected`: the user has a session.
    ///
    /// On Linux logind says so, and it is asked only while a task needs it: the user has a session, in
    /// front or behind another user's, that is not about to close. Without logind its files in
    /// `/run/systemd/users` are taken for a guess, and where there are none nobody has a session.
    /// A user whose services linger after the log-out has none either.
    ///
    /// Windows: `SessionConnected` of
    /// [`SystemConditionType`](https://learn.microsoft.com/uwp/api/windows.applicationmodel.background.systemconditiontype).
    ///
    /// ```
    /// # use bgtask::prelude::*;
    /// #[background_task(trigger = every("1h"), condition = session_connected)]
    /// async fn refresh() {}
    /// ```
    session_connected

    /// `session_disconnected`: the user has no session, the opposite of `session_connected`.
    ///
    /// It is as [`session_connected`] in all else.
    ///
    /// Windows: `SessionDisconnected` of
    /// [`SystemConditionType`](https://learn.microsoft.com/uwp/api/windows.applicationmodel.background.systemconditiontype).
    ///
    /// ```
    /// # use bgtask::prelude::*;
    /// #[background_task(trigger = every("1h"), condition = session_disconnected)]
    /// async fn tidy_up() {}
    /// ```
    session_disconnected

    /// `unmetered`: the network costs nothing by volume.
    ///
    /// On Linux NetworkManager says what the network costs, or guesses it, and [`internet`] has to hold
    /// too: a network that reaches nothing is none. While NetworkManager does not know, the task waits.
    /// Where there is none nobody ever will, and the task is refused, unless the user lets such
    /// networks pass: `unknown_metering = "allow"` in [their file](crate::access), which is then taken
    /// for a guess.
    ///
    /// Windows: `FreeNetworkAvailable` of
    /// [`SystemConditionType`](https://learn.microsoft.com/uwp/api/windows.applicationmodel.background.systemconditiontype).
    ///
    /// ```
    /// # use bgtask::prelude::*;
    /// #[background_task(trigger = every("1h"), condition = unmetered)]
    /// async fn download() {}
    /// ```
    unmetered

    /// `free_network`: another word for `unmetered`.
    ///
    /// It is written back as [`unmetered`], in the manifest for
    /// example.
    ///
    /// Windows: `FreeNetworkAvailable` of
    /// [`SystemConditionType`](https://learn.microsoft.com/uwp/api/windows.applicationmodel.background.systemconditiontype),
    /// which it is named after.
    ///
    /// ```
    /// # use bgtask::prelude::*;
    /// #[background_task(trigger = every("1h"), condition = free_network)]
    /// async fn download() {}
    /// ```
    free_network

    /// `work_cost_not_high`: work in the background does not cost much.
    ///
    /// On mains the cost is low; on the battery it is medium, and high when that has less than 20 % or
    /// while the energy saver is on ([`WorkCost`](crate::WorkCost)). It is known on Linux, from what
    /// [`ac_power`], [`battery_not_low`] and [`energy_saver_off`] are known from.
    ///
    /// Windows: `BackgroundWorkCostNotHigh` of
    /// [`SystemConditionType`](https://learn.microsoft.com/uwp/api/windows.applicationmodel.background.systemconditiontype).
    ///
    /// ```
    /// # use bgtask::prelude::*;
    /// #[background_task(trigger = every("1h"), condition = work_cost_not_high)]
    /// async fn index() {}
    /// ```
    work_cost_not_high

    /// `ac_power`: the computer is not running on its battery.
    ///
    /// It is watched on Linux, and only while a task needs it: UPower says so where it runs, else the
    /// kernel's power supplies, which are looked at every 30 s if there is a battery.
    /// A computer without a battery, or of which nobody knows one, is on AC power; the latter is a
    /// guess. Tasks with `trigger = maintenance(…)` have this condition too.
    ///
    /// Windows: none among conditions; the app asks `PowerSupplyStatus` of
    /// [`PowerManager`](https://learn.microsoft.com/uwp/api/windows.system.power.powermanager).
    ///
    /// ```
    /// # use bgtask::prelude::*;
    /// #[background_task(trigger = every("1h"), condition = ac_power)]
    /// async fn compact() {}
    /// ```
    ac_power

    /// `battery_above(30)`: the battery is charged to more than so many percent.
    ///
    /// It is watched on Linux, and only while a task needs it: UPower says so where it runs, else the
    /// kernel's power supplies, which are looked at every 30 s if there is a battery.
    /// A computer without a battery on AC power is as one with a full one.
    ///
    /// 0 to 99 percent, as a number or a constant of type `u32`.
    ///
    /// Windows: none among conditions; the app asks `RemainingChargePercent` of
    /// [`PowerManager`](https://learn.microsoft.com/uwp/api/windows.system.power.powermanager).
    ///
    /// ```
    /// # use bgtask::prelude::*;
    /// #[background_task(trigger = every("1h"), condition = battery_above(30))]
    /// async fn transcode() {}
    /// ```
    battery_above

    /// `battery_not_low`: the battery is not low.
    ///
    /// It is not low on AC power, and with 20 % or more.
    ///
    /// It is watched on Linux, and only while a task needs it: UPower says so where it runs, else the
    /// kernel's power supplies, which are looked at every 30 s if there is a battery.
    ///
    /// Windows: none; Android:
    /// [`setRequiresBatteryNotLow`](https://developer.android.com/reference/android/app/job/JobInfo.Builder#setRequiresBatteryNotLow(boolean)).
    ///
    /// ```
    /// # use bgtask::prelude::*;
    /// #[background_task(trigger = every("1h"), condition = battery_not_low)]
    /// async fn sync_photos() {}
    /// ```
    battery_not_low

    /// `storage_not_low`: there is space left on the disk.
    ///
    /// On Linux the file systems of the app's store and of the user's home are looked at, each minute,
    /// once a task needs it. One is low, as on Android, with less than 500 MiB for the user, or less
    /// than 5 % where that is less; and then until there is a quarter more, so that it does not swing.
    ///
    /// Windows: none; Android:
    /// [`setRequiresStorageNotLow`](https://developer.android.com/reference/android/app/job/JobInfo.Builder#setRequiresStorageNotLow(boolean)).
    ///
    /// ```
    /// # use bgtask::prelude::*;
    /// #[background_task(trigger = every("1h"), condition = storage_not_low)]
    /// async fn download() {}
    /// ```
    storage_not_low

    /// `memory_not_low`: nothing waits for memory.
    ///
    /// On Linux the kernel tells when tasks waited for memory for 150 ms of the last 2 s, because it
    /// had to be freed or read in again first
    /// ([pressure stall information](https://docs.kernel.org/accounting/psi.html)). Memory is low from
    /// then on, until 10 s passed in which the kernel told nothing and tasks waited for less than
    /// 2.5 % of the time; only meanwhile is it looked at. In a service of systemd that is given a file
    /// to watch, [`MEMORY_PRESSURE_WATCH`](https://systemd.io/MEMORY_PRESSURE/), it is the pressure in
    /// that service. A kernel without it is refused; one that tells nothing to users, before 6.5, is
    /// looked at every 10 s, and memory is low from 5 % of the time.
    ///
    /// Windows: none among conditions; the app asks
    /// [`CreateMemoryResourceNotification`](https://learn.microsoft.com/windows/win32/api/memoryapi/nf-memoryapi-creatememoryresourcenotification)
    /// or [`AppMemoryUsageLevel`](https://learn.microsoft.com/uwp/api/windows.system.appmemoryusagelevel).
    ///
    /// ```
    /// # use bgtask::prelude::*;
    /// #[background_task(trigger = every("1h"), condition = memory_not_low)]
    /// async fn index() {}
    /// ```
    memory_not_low

    /// `device_idle`: the computer has nothing to do for its user.
    ///
    /// On Linux logind says so, and it is asked only while a task needs it: for 30 minutes every
    /// session of every user was idle, and nobody asked that the computer be kept busy, as a film
    /// does. A computer that nobody has logged in to idles. Without logind nobody knows, which holds
    /// the task; without a system bus nobody ever will, and the task is refused.
    ///
    /// Windows: none; Android:
    /// [`setRequiresDeviceIdle`](https://developer.android.com/reference/android/app/job/JobInfo.Builder#setRequiresDeviceIdle(boolean)).
    ///
    /// ```
    /// # use bgtask::prelude::*;
    /// #[background_task(trigger = every("1h"), condition = device_idle)]
    /// async fn index() {}
    /// ```
    device_idle

    /// `load_below(0.8)`: the load of each core is less than that.
    ///
    /// On Linux it is the average of the last minute that the kernel keeps of threads that run, want to,
    /// or wait for a disk, divided by the number of processors. It is looked at every 30 s, once a task
    /// needs it, so it is for work that can wait, and none that is over in a moment. The app's own work
    /// counts too: with `cancel_on_condition_loss` a task may stop itself.
    ///
    /// It takes a load per core of 0.001 to 100, with at most three decimals.
    ///
    /// Windows: none.
    ///
    /// ```
    /// # use bgtask::prelude::*;
    /// #[background_task(trigger = every("1h"), condition = load_below(0.8))]
    /// async fn render() {}
    /// ```
    load_below

    /// `energy_saver_off`: the system does not save energy at the moment.
    ///
    /// It is watched on Linux, and only while a task needs it: the daemon of power profiles says so,
    /// and energy is saved while its profile is `power-saver`. Where there is no such service nothing
    /// saves energy, which is a guess.
    ///
    /// Windows: none among conditions; the app asks `EnergySaverStatus` of
    /// [`PowerManager`](https://learn.microsoft.com/uwp/api/windows.system.power.powermanager).
    ///
    /// ```
    /// # use bgtask::prelude::*;
    /// #[background_task(trigger = every("1h"), condition = energy_saver_off)]
    /// async fn prefetch() {}
    /// ```
    energy_saver_off
}
