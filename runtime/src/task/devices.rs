//! What a `device` trigger tells its task.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// As many changes as one run is told; more is [`DeviceChanges::overflow`].
const MOST: usize = 256;

/// As many bytes of names and properties.
const MOST_BYTES: usize = 128 * 1024;

/// What became of devices, for `device(…)`.
///
/// One device that is plugged in makes several changes, of its parts; what comes within a short time
/// is told together, the oldest first, and so is what changed while an activation waited. At most
/// 256 changes and 128 KiB of them are listed. Windows:
/// [`DeviceWatcherTriggerDetails`](https://learn.microsoft.com/uwp/api/windows.devices.enumeration.devicewatchertriggerdetails).
///
/// ```
/// use bgtask::{DeviceAction, DeviceChanges, prelude::*};
///
/// #[background_task(trigger = device(add, subsystem = "block"))]
/// async fn back_up(seen: DeviceChanges) {
///     for device in seen.changes {
///         if let (DeviceAction::Add, Some(name)) = (device.action, device.devname) {
///             println!("/dev/{name}");
///         }
///     }
/// }
/// # fn main() {}
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct DeviceChanges {
    /// What changed, the oldest first.
    #[serde(default)]
    pub changes: Vec<DeviceEvent>,
    /// More changed than is listed: look at `/sys` itself. Also after `bgtask fire`.
    #[serde(default)]
    pub overflow: bool,
}

/// A change of one device, as the kernel tells it
/// (<https://www.kernel.org/doc/html/latest/core-api/kobject.html#uevents>).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DeviceEvent {
    /// What became of it.
    pub action: DeviceAction,
    /// Its kind: `usb`, `block`, `net`.
    pub subsystem: String,
    /// Where it is below `/sys`: `/devices/pci0000:00/…`.
    pub devpath: String,
    /// Its node below `/dev`, if it has one: `sdb1`, `bus/usb/001/004`. At the moment of `add` the
    /// node may not be there yet, or have other permissions than it will.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub devname: Option<String>,
    /// All that the kernel says of it, the above included: `DEVTYPE`, `PRODUCT`, `MAJOR`.
    #[serde(default)]
    pub properties: BTreeMap<String, String>,
}

/// What became of a device. Windows:
/// [`DeviceWatcherEventKind`](https://learn.microsoft.com/uwp/api/windows.devices.enumeration.devicewatchereventkind).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DeviceAction {
    /// It is there now.
    Add,
    /// It has changed: another medium, another name, a driver that was bound, on or off line. Which
    /// one is in the property `ACTION`.
    Update,
    /// It is gone.
    Remove,
}

impl DeviceChanges {
    /// Nothing is known but that something may have changed.
    pub(crate) fn unknown() -> Self {
        Self {
            changes: Vec::new(),
            overflow: true,
        }
    }

    #[cfg_attr(not(target_os = "linux"), allow(dead_code, reason = "no source yet"))]
    pub(crate) fn is_empty(&self) -> bool {
        self.changes.is_empty() && !self.overflow
    }

    /// Adds what changed later, as far as there is room.
    pub(crate) fn extend(&mut self, later: impl IntoIterator<Item = DeviceEvent>) {
        let mut bytes: usize = self.changes.iter().map(DeviceEvent::bytes).sum();
        for change in later {
            bytes += change.bytes();
            if self.changes.len() >= MOST || bytes > MOST_BYTES {
                self.overflow = true;
                return;
            }
            self.changes.push(change);
        }
    }
}

impl DeviceEvent {
    fn bytes(&self) -> usize {
        let properties = self.properties.iter();
        let properties = properties.map(|(key, value)| key.len() + value.len());
        let devname = self.devname.as_ref().map_or(0, String::len);
        self.subsystem.len() + self.devpath.len() + devname + properties.sum::<usize>()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn event(devpath: &str) -> DeviceEvent {
        DeviceEvent {
            action: DeviceAction::Add,
            subsystem: "usb".to_owned(),
            devpath: devpath.to_owned(),
            devname: None,
            properties: BTreeMap::new(),
        }
    }

    #[test]
    fn the_list_is_bounded_in_number_and_in_bytes() {
        let mut told = DeviceChanges::default();
        told.extend((0..MOST).map(|n| event(&n.to_string())));
        assert!(!told.overflow);
        told.extend([event("more")]);
        assert!(told.overflow);
        assert_eq!(told.changes.len(), MOST);

        let mut told = DeviceChanges::default();
        let mut long = event("");
        long.properties.insert("K".to_owned(), "v".repeat(9996));
        told.extend(vec![long; 20]);
        assert!(told.overflow);
        assert_eq!(told.changes.len(), MOST_BYTES / 10_000);
    }

    #[test]
    fn changes_are_kept_as_json_that_people_can_write() {
        let json = r#"{"changes":[{"action":"remove","subsystem":"usb","devpath":"/d","devname":"sdb","properties":{"ACTION":"remove"}}],"overflow":true}"#;
        let changes: DeviceChanges = serde_json::from_str(json).expect("changes");
        assert_eq!(changes.changes[0].action, DeviceAction::Remove);
        assert_eq!(serde_json::to_string(&changes).expect("JSON"), json);
        assert!(!changes.is_empty());
    }
}
