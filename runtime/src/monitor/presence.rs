//! Whether the devices that tasks work on are still there. Nothing is watched while none is in use.

#[cfg(target_os = "linux")]
mod kernel;
#[cfg(all(test, target_os = "linux"))]
mod tests;

use std::{
    collections::BTreeMap,
    fs, io,
    os::unix::fs::FileTypeExt,
    path::{Path, PathBuf},
    sync::Arc,
};

use tokio::{
    sync::watch,
    task::{AbortHandle, JoinHandle},
};

use super::{Change, Changes};
use crate::{Code, Error, Result, clock::Bell};

/// The devices in use, and by how many.
type Used = BTreeMap<PathBuf, usize>;

/// Says which devices are in use; [`Change::DeviceGone`] tells of each that leaves. Dropping it
/// ends the watch.
#[derive(Debug)]
pub(crate) struct Presence {
    used: Arc<watch::Sender<Used>>,
    watching: AbortHandle,
}

/// A device is in use until this is dropped.
#[derive(Debug)]
pub(crate) struct InUse {
    used: Arc<watch::Sender<Used>>,
    path: PathBuf,
}

impl Presence {
    /// On the current tokio runtime.
    pub(crate) fn start(bell: Arc<Bell>, changes: Changes) -> Self {
        let (used, told) = watch::channel(Used::new());
        let watching: JoinHandle<()> = tokio::spawn(run(bell, told, changes));
        Self {
            used: Arc::new(used),
            watching: watching.abort_handle(),
        }
    }

    /// Watches a device, by what [`resolve`] gave. One that has left already is told as well.
    pub(crate) fn take(&self, path: &Path) -> InUse {
        self.used.send_modify(|used| {
            *used.entry(path.to_owned()).or_default() += 1;
        });
        InUse {
            used: Arc::clone(&self.used),
            path: path.to_owned(),
        }
    }
}

impl Drop for Presence {
    fn drop(&mut self) {
        self.watching.abort();
    }
}

impl Drop for InUse {
    fn drop(&mut self) {
        self.used.send_modify(|used| {
            if let Some(count) = used.get_mut(&self.path) {
                *count -= 1;
                if *count == 0 {
                    used.remove(&self.path);
                }
            }
        });
    }
}

async fn run(bell: Arc<Bell>, mut used: watch::Receiver<Used>, changes: Changes) {
    let is_any = |used: &Used| !used.is_empty();
    // Once nobody is left who could use one, it fails.
    while used.wait_for(is_any).await.is_ok() && used.has_changed().is_ok() {
        watch_all(&bell, &mut used, &changes).await;
    }
}

#[cfg(target_os = "linux")]
async fn watch_all(bell: &Bell, used: &mut watch::Receiver<Used>, changes: &Changes) {
    kernel::watch(bell, used, |path| {
        // The broker is gone: there is nobody to tell.
        let _ = changes.send(Change::DeviceGone(path.to_owned()));
    })
    .await;
}

/// A task that needs a device is refused here.
#[cfg(not(target_os = "linux"))]
async fn watch_all(_: &Bell, used: &mut watch::Receiver<Used>, _: &Changes) {
    let _ = used.changed().await;
}

/// The device that an id means: a node below `/dev`, or a device's folder below `/sys`, through
/// symbolic links such as those of `/dev/disk/by-id` and `/sys/class`.
///
/// # Errors
///
/// [`Code::UnknownDevice`]: nothing is there, or it is no device.
pub(crate) fn resolve(id: &Path) -> Result<PathBuf> {
    let no_device = |what: &str| {
        Error::new(
            Code::UnknownDevice,
            format!("the device `{}` {what}", id.display()),
        )
        .remedy("name its node, `/dev/ttyUSB0`, or its folder, `/sys/class/net/eth0`")
    };
    if !id.is_absolute() {
        return Err(no_device("is not the path of one"));
    }
    let path = fs::canonicalize(id).map_err(|error| {
        let there_is_none = error.kind() == io::ErrorKind::NotFound;
        let what = match there_is_none {
            true => "is not there",
            false => "cannot be looked at",
        };
        no_device(what).source(error)
    })?;
    let is_device = if path.starts_with("/dev") {
        fs::metadata(&path).is_ok_and(|found| {
            let kind = found.file_type();
            kind.is_char_device() || kind.is_block_device()
        })
    } else {
        // Each device of the kernel's has one, and nothing else there does.
        path.starts_with("/sys/devices") && path.join("uevent").is_file()
    };
    match is_device {
        true => Ok(path),
        false => Err(no_device("is none")),
    }
}
