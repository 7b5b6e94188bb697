//! `device(add | remove, subsystem = "usb")`: what the kernel tells of devices.

use std::{
    collections::BTreeMap,
    os::fd::BorrowedFd,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use bgtask_model::DeviceChange;
use rustix::io::Errno;
use tokio::sync::Notify;

use super::{
    burst,
    sources::Teller,
    uevent::{self, LARGEST},
};
use crate::{
    Details, DeviceAction, DeviceChanges, DeviceEvent,
    clock::{Bell, Clock, Keep},
};

/// Which changes count.
#[derive(Clone, Debug)]
pub(super) struct Filter {
    pub(super) changes: Vec<DeviceChange>,
    pub(super) subsystem: Option<String>,
}

impl Filter {
    fn takes(&self, event: &DeviceEvent) -> bool {
        let change = match event.action {
            DeviceAction::Add => DeviceChange::Add,
            DeviceAction::Update => DeviceChange::Update,
            DeviceAction::Remove => DeviceChange::Remove,
        };
        let of_kind = |subsystem: &String| *subsystem == event.subsystem;
        self.changes.contains(&change) && self.subsystem.as_ref().is_none_or(of_kind)
    }
}

/// What the kernel told, and nobody was told yet.
struct Heard {
    changes: Mutex<Result<DeviceChanges, Errno>>,
    rung: Notify,
}

impl Default for Heard {
    fn default() -> Self {
        Self {
            changes: Mutex::new(Ok(DeviceChanges::default())),
            rung: Notify::new(),
        }
    }
}

impl Heard {
    fn changes(&self) -> MutexGuard<'_, Result<DeviceChanges, Errno>> {
        // No code of others runs under the lock, so it is whole.
        self.changes.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Tells what changes.
pub(super) async fn watch(
    filter: Filter,
    bell: Option<Arc<Bell>>,
    clock: Arc<dyn Clock>,
    teller: Teller,
) -> Result<(), String> {
    let bell = bell.ok_or("nothing listens to the kernel")?;
    let heard = Arc::new(Heard::default());
    let socket = uevent::open().map_err(|error| error.to_string())?;
    let _watch = bell.watch(Arc::new(socket), {
        let heard = Arc::clone(&heard);
        move |socket| hear(socket, &filter, &heard)
    });
    if teller.has_listened() {
        // Meanwhile nobody heard what the kernel told.
        if let Ok(changes) = &mut *heard.changes() {
            changes.overflow = true;
        }
        heard.rung.notify_one();
    }
    teller.listens();
    loop {
        heard.rung.notified().await;
        burst::over(&*clock, &heard.rung).await;
        let changes = std::mem::replace(&mut *heard.changes(), Ok(DeviceChanges::default()));
        let changes = changes.map_err(|error| error.to_string())?;
        if !changes.is_empty() {
            teller.raise(Details {
                device: Some(changes),
                ..Details::default()
            });
        }
    }
}

/// Takes in what the kernel has to say until now.
fn hear(socket: BorrowedFd<'_>, filter: &Filter, heard: &Heard) -> Keep {
    let mut buffer = [0; LARGEST];
    loop {
        let event = match uevent::receive(socket, &mut buffer) {
            Ok(length) => parse(&buffer[..length]).filter(|event| filter.takes(event)),
            Err(Errno::AGAIN) => return Keep::Watching,
            // Overrun: what was told is lost.
            Err(Errno::NOBUFS) => {
                if let Ok(changes) = &mut *heard.changes() {
                    changes.overflow = true;
                }
                heard.rung.notify_one();
                continue;
            }
            Err(error) => {
                *heard.changes() = Err(error);
                heard.rung.notify_one();
                return Keep::No;
            }
        };
        if let (Some(event), Ok(changes)) = (event, &mut *heard.changes()) {
            changes.extend([event]);
            heard.rung.notify_one();
        }
    }
}

/// `add@/devices/…\0ACTION=add\0DEVPATH=/devices/…\0SUBSYSTEM=usb\0…`
fn parse(message: &[u8]) -> Option<DeviceEvent> {
    let mut parts = message.split(|byte| *byte == 0);
    // udev's own messages begin otherwise.
    parts.next().filter(|header| header.contains(&b'@'))?;
    let mut properties = BTreeMap::new();
    for part in parts {
        let text = String::from_utf8_lossy(part);
        if let Some((key, value)) = text.split_once('=') {
            properties.insert(key.to_owned(), value.to_owned());
        }
    }
    let get = |key: &str| properties.get(key).cloned();
    Some(DeviceEvent {
        action: match get("ACTION")?.as_str() {
            "add" => DeviceAction::Add,
            "remove" => DeviceAction::Remove,
            _ => DeviceAction::Update,
        },
        subsystem: get("SUBSYSTEM")?,
        devpath: get("DEVPATH")?,
        devname: get("DEVNAME"),
        properties,
    })
}

#[cfg(test)]
mod tests;
