//! What starts a task.

use std::time::Duration;

use crate::SystemEvent;

/// The one kind of event that starts a registration's task.
///
/// The text form (`Display`, and `FromStr` back) is the grammar of the attribute:
/// `time(15)`, `cron("0 3 * * Mon-Fri", tz = "Europe/Berlin")`, `system(internet_available)`.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Trigger {
    /// `time(15)`: every 15 to 43200 minutes; with `once`, one time after that delay.
    Time {
        /// The period, or the delay of a one-shot, in minutes.
        minutes: u32,
        /// Fires one time only.
        once: bool,
    },
    /// `every("10s")`: a period finer than Windows allows.
    Every {
        /// The period, or the delay of a one-shot.
        period: Duration,
        /// Fires one time only.
        once: bool,
    },
    /// `cron("0 3 * * Mon-Fri", tz = "Europe/Berlin")`.
    Cron {
        /// Five fields: minute, hour, day of month, month, day of week.
        expression: String,
        /// IANA name of the zone; the system's zone when absent.
        tz: Option<String>,
    },
    /// `at("02:30", tz = "Europe/Berlin")`: each day at that civil time.
    At {
        /// The civil time of day.
        time: TimeOfDay,
        /// IANA name of the zone; the system's zone when absent.
        tz: Option<String>,
        /// Fires one time only.
        once: bool,
    },
    /// `maintenance(60)`: as `time`, only while on AC power.
    Maintenance {
        /// The period, or the delay of a one-shot, in minutes.
        minutes: u32,
        /// Fires one time only.
        once: bool,
    },
    /// `system(internet_available)`: a change of the system.
    System {
        /// Which change.
        event: SystemEvent,
        /// Fires one time only.
        once: bool,
    },
    /// `application`: requested by the app.
    Application,
    /// `media_processing`: requested by the app, with a slot of its own.
    MediaProcessing,
    /// `push`, `push("channel")`: a raw notification.
    Push {
        /// The channel, or the app's default channel.
        channel: Option<String>,
    },
    /// `socket`, `socket("tcp://127.0.0.1:7000")`: activity on a socket that the broker holds.
    Socket {
        /// Where the broker listens itself, `tcp://host:port`, `udp://host:port` or `unix:path`;
        /// without, only on what the app hands over.
        address: Option<String>,
    },
    /// `control_channel("id", keep_alive = 30)`.
    ControlChannel {
        /// Name of the channel, at most 64 characters.
        id: String,
        /// Keep-alive interval in minutes, 15 to 1439.
        keep_alive: u32,
    },
    /// `files("~/Pictures", recursive)`: changes below a folder.
    Files {
        /// The folder or file.
        path: String,
        /// Sub-folders too.
        recursive: bool,
    },
    /// `device(add | remove, subsystem = "usb")`.
    Device {
        /// Which changes count; never empty, in the order of [`DeviceChange`].
        changes: Vec<DeviceChange>,
        /// Only devices of this subsystem.
        subsystem: Option<String>,
    },
    /// `device_use`: an operation on a device, requested by the app.
    DeviceUse,
    /// `device_servicing`: a long operation on a device, requested by the app.
    DeviceServicing,
    /// `custom("name")`: raised by the app, the command or an event source.
    Custom {
        /// Name of the event.
        name: String,
    },
    /// `app_service("name")`: a connection of another program.
    AppService {
        /// Name of the service.
        name: String,
    },
    /// `toast_action`: a button of a notification.
    ToastAction,
    /// `startup`: the broker starts.
    Startup,
    /// `voip`: an incoming call.
    Voip,
}

/// A civil time of day, with seconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct TimeOfDay {
    /// 0 to 23.
    pub hour: u8,
    /// 0 to 59.
    pub minute: u8,
    /// 0 to 59.
    pub second: u8,
}

/// A kind of change of a device.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum DeviceChange {
    /// `add`
    Add,
    /// `update`
    Update,
    /// `remove`
    Remove,
}
