//! What stands behind `trigger =`: the one kind of event that starts the task.

words! {
    /// `time(15)`, `time(15, once)`: every so many minutes; with `once`, one time after so many.
    ///
    /// 15 to 43200 minutes, which are 30 days, as a number or a constant of type `u32`. They count
    /// from when the task is registered, and from due time to due time: nothing drifts, and a
    /// restart of the app does not begin them anew. [`every`] is finer.
    ///
    /// * Gives [`ScheduledTime`](crate::ScheduledTime).
    /// * A run is told to end after 25 s, unless `timeout` says otherwise.
    /// * Due times that passed while the computer or the app was off: one run catches up, unless
    ///   `missed` says otherwise.
    /// * Windows: [`TimeTrigger`](https://learn.microsoft.com/uwp/api/windows.applicationmodel.background.timetrigger),
    ///   which may be up to 15 minutes late.
    ///
    /// ```
    /// # use bgtask::prelude::*;
    /// #[background_task(trigger = time(15))]
    /// async fn sync_mail() {}
    /// ```
    time

    /// `every("10s")`, `every("90s", once)`: every so long; with `once`, one time after so long.
    ///
    /// A duration of 1 ms to ten years, in quotes and with units: `"250ms"`, `"10s"`, `"1h 30m"`.
    /// It counts as [`time`] does.
    ///
    /// * Gives [`ScheduledTime`](crate::ScheduledTime).
    /// * A run is told to end after 10 minutes, unless `timeout` says otherwise. A due time that
    ///   comes while it runs is skipped, unless `overlap` says otherwise.
    /// * Due times that passed while the computer or the app was off: one run catches up, unless
    ///   `missed` says otherwise.
    /// * Windows: none, its shortest period is 15 minutes
    ///   ([`TimeTrigger`](https://learn.microsoft.com/uwp/api/windows.applicationmodel.background.timetrigger)).
    ///
    /// ```
    /// # use bgtask::prelude::*;
    /// #[background_task(trigger = every("10s"))]
    /// async fn poll() {}
    /// ```
    every

    /// `cron("0 3 * * Mon-Fri")`, `cron("0 3 * * *", tz = "Europe/Berlin")`: at the times of a
    /// cron expression.
    ///
    /// Five fields: minute, hour, day of month, month, day of week. A field has numbers or English
    /// names, lists `1,15`, ranges `Mon-Fri`, steps `*/10`, and for days `L`, `15W` and `Fri#2`;
    /// what would never fire is refused by the compiler. `tz` is the IANA name of a zone; without
    /// it the system's zone counts, also after it changed. A time that a clock change leaves out
    /// comes at the end of the gap, a daily one that is repeated comes once.
    ///
    /// * Gives [`ScheduledTime`](crate::ScheduledTime).
    /// * A run is told to end after 10 minutes, unless `timeout` says otherwise.
    /// * Due times that passed while the computer or the app was off: one run catches up, unless
    ///   `missed` says otherwise.
    /// * Windows: none; the fields are those of [crontab](https://man7.org/linux/man-pages/man5/crontab.5.html).
    ///
    /// ```
    /// # use bgtask::prelude::*;
    /// #[background_task(trigger = cron("0 3 * * Mon-Fri", tz = "Europe/Berlin"))]
    /// async fn report() {}
    /// ```
    cron

    /// `at("02:30")`, `at("02:30", tz = "Europe/Berlin")`, `at("02:30", once)`: each day at that
    /// time; with `once`, the next time only.
    ///
    /// A 24-hour clock, `"02:30"` or `"02:30:15"`. `tz` is the IANA name of a zone; without it the
    /// system's zone counts, also after it changed. A time that a clock change leaves out comes at
    /// the end of the gap, one that it repeats comes once.
    ///
    /// * Gives [`ScheduledTime`](crate::ScheduledTime).
    /// * A run is told to end after 10 minutes, unless `timeout` says otherwise.
    /// * Due times that passed while the computer or the app was off: one run catches up, unless
    ///   `missed` says otherwise.
    /// * Windows: none among background tasks; the Task Scheduler has
    ///   [daily triggers](https://learn.microsoft.com/windows/win32/taskschd/dailytrigger).
    ///
    /// ```
    /// # use bgtask::prelude::*;
    /// #[background_task(trigger = at("02:30"))]
    /// async fn back_up() {}
    /// ```
    at

    /// `maintenance(60)`, `maintenance(60, once)`: as `time`, but only on AC power; losing it ends
    /// the run.
    ///
    /// What is due while the computer runs on its battery waits; a run that loses the mains is asked
    /// to stop with [`Abort`](crate::CancelReason::Abort). It is possible on Linux, where the power is
    /// known as for the condition [`ac_power`](super::condition::ac_power).
    ///
    /// 15 to 43200 minutes, as a number or a constant of type `u32`.
    ///
    /// * Gives [`ScheduledTime`](crate::ScheduledTime).
    /// * A run is told to end after 10 minutes, unless `timeout` says otherwise.
    /// * Windows: [`MaintenanceTrigger`](https://learn.microsoft.com/uwp/api/windows.applicationmodel.background.maintenancetrigger).
    ///
    /// ```
    /// # use bgtask::prelude::*;
    /// #[background_task(trigger = maintenance(60))]
    /// async fn compact() {}
    /// ```
    maintenance

    /// `system(internet_available)`, `system(time_zone_change, once)`: a change of the system; with
    /// `once`, the first one only.
    ///
    /// The [events](super::event) have a page each, which says what it gives and whether this
    /// version has a source for it.
    ///
    /// * A run is told to end after 25 s, unless `timeout` says otherwise.
    /// * Windows: [`SystemTrigger`](https://learn.microsoft.com/uwp/api/windows.applicationmodel.background.systemtrigger).
    ///
    /// ```
    /// # use bgtask::prelude::*;
    /// #[background_task(trigger = system(internet_available))]
    /// async fn send_outbox() {}
    /// ```
    system

    /// `application`: when the app requests it, with arguments and a typed result.
    ///
    /// The app calls [`TaskHandle::request`](crate::TaskHandle::request). While a run is active the
    /// answer is [`CurrentlyRunning`](crate::RequestOutcome::CurrentlyRunning), unless `overlap` is
    /// stated. A condition holds a request as it holds any other activation.
    ///
    /// * Gives [`Args<T>`](crate::Args).
    /// * A run is told to end after 10 minutes, unless `timeout` says otherwise.
    /// * Windows: [`ApplicationTrigger`](https://learn.microsoft.com/uwp/api/windows.applicationmodel.background.applicationtrigger).
    ///
    /// ```
    /// # use bgtask::prelude::*;
    /// #[background_task(trigger = application)]
    /// async fn double(Args(n): Args<u32>) -> u32 {
    ///     n * 2
    /// }
    /// ```
    application

    /// `media_processing`: as `application`, for work on media; one such task in an app.
    ///
    /// The app calls [`TaskHandle::request`](crate::TaskHandle::request). It has a slot of its own:
    /// runs of `application` tasks do not count, and while one of its own is active the answer is
    /// [`CurrentlyRunning`](crate::RequestOutcome::CurrentlyRunning), unless `overlap` is stated.
    ///
    /// * Gives [`Args<T>`](crate::Args).
    /// * A run is told to end after 10 minutes, unless `timeout` says otherwise.
    /// * A second one in the same crate does not compile; one that another crate or a builder adds
    ///   is refused ([`TriggerLimitExceeded`](crate::Code::TriggerLimitExceeded)).
    /// * Windows: [`MediaProcessingTrigger`](https://learn.microsoft.com/uwp/api/windows.applicationmodel.background.mediaprocessingtrigger).
    ///
    /// ```
    /// # use bgtask::prelude::*;
    /// #[background_task(trigger = media_processing)]
    /// async fn transcode(Args(_file): Args<String>) {}
    /// ```
    media_processing

    /// `push`, `push("news")`: a raw notification, on the app's default channel or a named one.
    ///
    /// Notifications come from `bgtask push`, from [`App::push`](crate::App::push), and from a
    /// [`RawSource`](crate::RawSource) of the app's own; [the guide](crate::guide::push) tells how.
    ///
    /// * Gives [`RawNotification`](crate::RawNotification).
    /// * A run is told to end after 25 s, unless `timeout` says otherwise. Each notification counts:
    ///   up to 10,000 wait, unless `pending` or `overlap` says otherwise, and what comes then is
    ///   refused, which its sender is told.
    /// * Windows: [`PushNotificationTrigger`](https://learn.microsoft.com/uwp/api/windows.applicationmodel.background.pushnotificationtrigger).
    ///
    /// ```
    /// # use bgtask::prelude::*;
    /// #[background_task(trigger = push("news"))]
    /// async fn show_news(news: bgtask::RawNotification) {
    ///     println!("{:?}", news.content());
    /// }
    /// ```
    push

    /// `socket`, `socket("tcp://127.0.0.1:7000")`, `socket("unix:/run/app.sock")`: activity on a socket
    /// that is watched while nobody works on it.
    ///
    /// A plain `socket` takes what the app hands over, with
    /// [`TaskHandle::transfer`](crate::TaskHandle::transfer): connections, listeners, sockets for
    /// packets. With an address, `tcp://host:port`, `udp://host:port` or `unix:path`, with a port of 0
    /// to 65535, the app listens there itself as well. [The guide](crate::guide::sockets) tells what
    /// becomes of a socket.
    ///
    /// * Gives [`SocketActivity`](crate::SocketActivity).
    /// * A run is told to end after 25 s, unless `timeout` says otherwise. Each firing counts, and a
    ///   socket fires once until it is given back.
    /// * Windows: [`SocketActivityTrigger`](https://learn.microsoft.com/uwp/api/windows.applicationmodel.background.socketactivitytrigger).
    ///
    /// ```
    /// # use bgtask::prelude::*;
    /// #[background_task(trigger = socket("tcp://127.0.0.1:7000"))]
    /// async fn answer(mut activity: bgtask::SocketActivity) -> std::io::Result<()> {
    ///     let connection: tokio::net::TcpStream = activity.take()?;
    ///     // … read what is there …
    ///     activity.give_back(connection)
    /// }
    /// ```
    socket

    /// `control_channel("chat", keep_alive = 30)`: activity on a connection that is kept open.
    ///
    /// As [`socket`], for one connection, which the app hands over under the channel's id: the task
    /// starts when something came, when the connection was closed, and when nothing came for so many
    /// minutes, to tell the server that somebody is there.
    ///
    /// An id of up to 64 characters, and a `keep_alive` of 15 to 1439 minutes, as a number or a
    /// constant of type `u32`.
    ///
    /// * Gives [`SocketActivity`](crate::SocketActivity).
    /// * A run is told to end after 25 s, unless `timeout` says otherwise.
    /// * Windows: [`ControlChannelTrigger`](https://learn.microsoft.com/uwp/api/windows.networking.sockets.controlchanneltrigger),
    ///   whose two triggers, of the keep-alive and of what is pushed, are two reasons here.
    ///
    /// ```
    /// # use bgtask::{SocketReason, prelude::*};
    /// use tokio::{io::AsyncWriteExt, net::TcpStream};
    ///
    /// #[background_task(trigger = control_channel("chat", keep_alive = 30))]
    /// async fn receive(mut activity: bgtask::SocketActivity) -> std::io::Result<()> {
    ///     let mut server: TcpStream = activity.take()?;
    ///     if activity.reason == SocketReason::KeepAlive {
    ///         server.write_all(b"still there\n").await?;
    ///     }
    ///     activity.give_back(server)
    /// }
    /// ```
    control_channel

    /// `files("~/Pictures")`, `files("~/Pictures", recursive)`: changes of a file or in a folder;
    /// with `recursive`, in its sub-folders too.
    ///
    /// The path starts with `/`, or with `~/`, the user's home. It need not be there: it is watched
    /// from when it comes, and again when it comes back. A path that is a link is followed; links in the
    /// folder, and what is in sub-folders without `recursive`, are not.
    ///
    /// A task may take [`FileChanges`](crate::FileChanges): what was created, modified, removed and
    /// renamed. A file counts as modified when who wrote it closes it, or another one takes its place.
    /// A burst is told together, when it is over for 200 ms, and every 2 s while it lasts. An
    /// activation that waits is replaced by one that tells its changes as well; with `pending = queue(n)`
    /// each tells its own. After a fire that was suppressed the next one has `overflow`.
    ///
    /// * That something changed while the app did not run is told when it starts, by `overflow`. What
    ///   changes while the registration is disabled is not seen.
    /// * Where the limit of watches is reached (`fs.inotify.max_user_watches`), folders are looked at each
    ///   minute, and the log says so. What other machines change on a network's file system is not seen.
    /// * What the user may not read is not seen, and the log names it; nor is a file system that is mounted
    ///   in the folder later on.
    /// * Of a folder with more than 100,000 files it is known that something changed, not what.
    /// * A run is told to end after 25 s, unless `timeout` says otherwise.
    /// * Windows: [`StorageLibraryContentChangedTrigger`](https://learn.microsoft.com/uwp/api/windows.applicationmodel.background.storagelibrarycontentchangedtrigger),
    ///   which tells that a folder changed, and [`StorageLibraryChangeTrackerTrigger`](https://learn.microsoft.com/uwp/api/windows.applicationmodel.background.storagelibrarychangetrackertrigger).
    ///
    /// ```
    /// # use bgtask::prelude::*;
    /// use bgtask::FileChanges;
    ///
    /// #[background_task(trigger = files("~/Pictures", recursive))]
    /// async fn index(seen: FileChanges) {
    ///     println!("{} changes", seen.changes.len());
    /// }
    /// ```
    files

    /// `device(add | remove)`, `device(add | update, subsystem = "usb")`: devices that come, change
    /// or go.
    ///
    /// One or more of `add`, `update` and `remove`, joined by `|`; `subsystem` names the kind
    /// of device, all kinds without it: `usb`, `block`, `net`, the names in `/sys/class` and `/sys/bus`.
    ///
    /// A task may take [`DeviceChanges`](crate::DeviceChanges): what the kernel told of each. A burst is
    /// told together, as for [`files`]. What the kernel tells comes before udev has set the permissions
    /// of the device's node.
    ///
    /// * What comes and goes while the app does not run is not seen.
    /// * A run is told to end after 25 s, unless `timeout` says otherwise.
    /// * Windows: [`DeviceWatcherTrigger`](https://learn.microsoft.com/uwp/api/windows.applicationmodel.background.devicewatchertrigger).
    ///
    /// ```
    /// # use bgtask::prelude::*;
    /// use bgtask::DeviceChanges;
    ///
    /// #[background_task(trigger = device(add | remove, subsystem = "usb"))]
    /// async fn list_drives(seen: DeviceChanges) {
    ///     println!("{:?}", seen.changes);
    /// }
    /// ```
    device

    /// `device_use`: an operation on a device, when the app requests it.
    ///
    /// The app calls [`TaskHandle::request_device`](crate::TaskHandle::request_device) with the path
    /// of the device's node or folder; that it is there is looked at. The run ends with the device,
    /// and with the app.
    ///
    /// * Gives [`DeviceDetails`](crate::DeviceDetails) and [`Args<T>`](crate::Args).
    /// * `host = process` only, and without a condition. A second one in the same crate does not
    ///   compile; one that another crate or a builder adds is refused.
    /// * A run is told to end after 10 minutes, unless `timeout` says otherwise.
    /// * Windows: [`DeviceUseTrigger`](https://learn.microsoft.com/uwp/api/windows.applicationmodel.background.deviceusetrigger).
    ///
    /// ```
    /// # use bgtask::prelude::*;
    /// #[background_task(trigger = device_use, host = process)]
    /// async fn read_watch(_device: bgtask::DeviceDetails) {}
    /// ```
    device_use

    /// `device_servicing`: a long operation on a device, such as an update of its firmware, when
    /// the app requests it.
    ///
    /// The app calls [`TaskHandle::request_servicing`](crate::TaskHandle::request_servicing), and is
    /// answered with [`LowBattery`](crate::DeviceRequestOutcome::LowBattery) where the machine runs
    /// on a battery of 33 percent or less. The run ends with the device, and with the app.
    ///
    /// * Gives [`DeviceDetails`](crate::DeviceDetails) and [`Args<T>`](crate::Args).
    /// * `host = process` only.
    /// * A run is told to end after 30 minutes, unless `timeout` says otherwise.
    /// * Windows: [`DeviceServicingTrigger`](https://learn.microsoft.com/uwp/api/windows.applicationmodel.background.deviceservicingtrigger).
    ///
    /// ```
    /// # use bgtask::prelude::*;
    /// #[background_task(trigger = device_servicing, host = process)]
    /// async fn update_firmware(_device: bgtask::DeviceDetails) {}
    /// ```
    device_servicing

    /// `custom("visitor")`: when that event is raised, with [`App::raise`](crate::App::raise), by
    /// `bgtask raise`, or by an [`EventSource`](crate::EventSource).
    ///
    /// A name of up to 200 characters; every task with this name fires. It is the way to connect
    /// any source of your own: [`AppBuilder::event_source`](crate::AppBuilder::event_source) keeps one
    /// running.
    ///
    /// * Gives [`Args<T>`](crate::Args): what the event was raised with.
    /// * A run is told to end after 25 s, unless `timeout` says otherwise. One more activation
    ///   waits while it runs, unless `overlap` says otherwise.
    /// * Windows: [`CustomSystemEventTrigger`](https://learn.microsoft.com/uwp/api/windows.applicationmodel.background.customsystemeventtrigger),
    ///   which drivers raise.
    ///
    /// ```
    /// # use bgtask::prelude::*;
    /// #[background_task(trigger = custom("visitor"))]
    /// async fn greet(Args(_name): Args<String>) {}
    /// ```
    custom

    /// `app_service("echo")`: another program of the user connects to the service of this name.
    ///
    /// It does so with [`Client::connect_service`](crate::Client::connect_service), over the app's
    /// control socket. Each connection has a run of its own, which answers its requests until one of
    /// both goes. In this version it runs in the app's own process: with `host = process` it is not
    /// registered. An app serves a name with one task.
    ///
    /// * Gives [`ServiceConnection`](crate::ServiceConnection).
    /// * A run may take as long as it likes, unless `timeout` says otherwise. 64 callers are served at
    ///   once, unless `overlap` says otherwise, and others wait for their turn.
    /// * Windows: [`AppServiceTriggerDetails`](https://learn.microsoft.com/uwp/api/windows.applicationmodel.appservice.appservicetriggerdetails).
    ///
    /// ```
    /// # use bgtask::prelude::*;
    /// #[background_task(trigger = app_service("echo"))]
    /// async fn echo(mut caller: bgtask::ServiceConnection) -> bgtask::Result<()> {
    ///     while let Some(request) = caller.next().await {
    ///         let text: String = request.message()?;
    ///         request.reply(text)?;
    ///     }
    ///     Ok(())
    /// }
    /// ```
    app_service

    /// `toast_action`: the user pressed a button of a notification of the desktop, or the
    /// notification itself.
    ///
    /// The app shows it, with [`App::show_toast`](crate::App::show_toast), and says what its parts are
    /// for. It is heard of by the process that showed it, while that runs. Where nobody shows
    /// notifications with buttons, as `org.freedesktop.Notifications` on the session bus, the
    /// registration is refused.
    ///
    /// * Gives [`ToastAction`](crate::ToastAction), which also `bgtask fire` takes, as JSON.
    /// * A run is told to end after 25 s, unless `timeout` says otherwise. Each press counts: up to
    ///   10,000 wait, unless `pending` or `overlap` says otherwise.
    /// * Windows: [`ToastNotificationActionTrigger`](https://learn.microsoft.com/uwp/api/windows.applicationmodel.background.toastnotificationactiontrigger).
    ///
    /// ```
    /// # use bgtask::prelude::*;
    /// #[background_task(trigger = toast_action)]
    /// async fn answer(pressed: bgtask::ToastAction) {
    ///     println!("{}", pressed.argument);
    /// }
    /// ```
    toast_action

    /// `startup`: each time the app's broker starts, which is when the app does.
    ///
    /// * A run may take as long as it likes, unless `timeout` says otherwise: this is the place for
    ///   work that goes on as long as the app.
    /// * Windows: [background applications](https://learn.microsoft.com/previous-versions/windows/iot-core/develop-your-app/backgroundapplications)
    ///   of IoT Core, which start with the machine.
    ///
    /// ```
    /// # use bgtask::prelude::*;
    /// #[background_task(trigger = startup)]
    /// async fn watch_sensor() {}
    /// ```
    startup

    /// `voip`: an incoming call.
    ///
    /// This version has no source for it: a task with it is refused when it is registered. Until
    /// then, raise a [`custom`] event from a source of your own.
    ///
    /// * `host = process` only.
    /// * A run is told to end after 25 s, unless `timeout` says otherwise.
    /// * Windows: [`VoipPhoneCallCoordinator`](https://learn.microsoft.com/uwp/api/windows.applicationmodel.calls.voipphonecallcoordinator).
    ///
    /// ```
    /// # use bgtask::prelude::*;
    /// #[background_task(trigger = voip, host = process)]
    /// async fn ring() {}
    /// ```
    voip
}
