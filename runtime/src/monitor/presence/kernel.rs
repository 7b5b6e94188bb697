//! What the kernel tells when a device leaves: a uevent, which comes while its folder in sysfs is
//! still there (<https://man7.org/linux/man-pages/man7/netlink.7.html>, `NETLINK_KOBJECT_UEVENT`).
//! A node may also be removed alone, so the folders of nodes are watched too.

use std::{
    collections::BTreeSet,
    ffi::OsStr,
    mem::MaybeUninit,
    os::{
        fd::{AsFd, BorrowedFd, OwnedFd},
        unix::ffi::OsStrExt,
    },
    path::{Path, PathBuf},
    sync::Arc,
};

use rustix::{
    fs::inotify::{self, CreateFlags, Reader, WatchFlags},
    io::Errno,
};
use tokio::sync::{mpsc, watch};

use super::Used;
use crate::{
    clock::{Bell, Keep, Watch},
    monitor::uevent::{self, LARGEST},
};

/// What was heard.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Heard {
    /// These are no more.
    Left(Vec<PathBuf>),
    /// Something may be no more.
    Look,
}

/// Tells of each of the devices that is not there any more, while any is in use. One may be told
/// several times.
pub(super) async fn watch(bell: &Bell, used: &mut watch::Receiver<Used>, gone: impl Fn(&Path)) {
    let (heard, mut words) = mpsc::unbounded_channel();
    let deaf = |error: &Errno| tracing::warn!(%error, "devices that leave are not all heard of");
    // One for all the time: what it said is not lost when other devices are used.
    let _uevents = uevents(bell, heard.clone()).inspect_err(deaf);
    let mut _nodes = Ok(None);
    let is_there = |path: &Path| !matches!(path.try_exists(), Ok(false));
    loop {
        let paths: Vec<PathBuf> = used.borrow_and_update().keys().cloned().collect();
        if paths.is_empty() {
            return;
        }
        _nodes = nodes(bell, &paths, heard.clone()).inspect_err(deaf);
        let mut word = Heard::Look;
        loop {
            for path in &paths {
                let left = matches!(&word, Heard::Left(left) if left.contains(path));
                if left || !is_there(path) {
                    gone(path);
                }
            }
            tokio::select! {
                biased;
                changed = used.changed() => match changed {
                    Ok(()) => break,
                    Err(_) => return,
                },
                // `heard` is here, so there is a next word.
                next = words.recv() => match next {
                    Some(next) => word = next,
                    None => return,
                },
            }
        }
    }
}

fn uevents(bell: &Bell, heard: mpsc::UnboundedSender<Heard>) -> Result<Watch, Errno> {
    let socket = uevent::open()?;
    Ok(bell.watch(Arc::new(socket), move |socket| hear(socket, &heard)))
}

/// Takes in what the kernel has to say until now.
pub(super) fn hear(socket: BorrowedFd<'_>, heard: &mpsc::UnboundedSender<Heard>) -> Keep {
    let mut buffer = [0; LARGEST];
    loop {
        let word = match uevent::receive(socket, &mut buffer) {
            Ok(length) => match word(&buffer[..length]) {
                Some(word) => word,
                None => continue,
            },
            // Words were lost.
            Err(Errno::NOBUFS) => Heard::Look,
            Err(Errno::AGAIN) => return Keep::Watching,
            Err(_) => return Keep::No,
        };
        if heard.send(word).is_err() {
            return Keep::No;
        }
    }
}

/// What a uevent says, if it matters here.
pub(super) fn word(uevent: &[u8]) -> Option<Heard> {
    // It has another folder, and the one before is gone by now.
    let moved = uevent.starts_with(b"move@/").then_some(Heard::Look);
    left(uevent).map(Heard::Left).or(moved)
}

/// The device that a uevent says is removed: its folder, and its node if it has one.
fn left(uevent: &[u8]) -> Option<Vec<PathBuf>> {
    let mut words = uevent.split(|byte| *byte == 0);
    let below = |root: &str, rest: &[u8]| Path::new(root).join(OsStr::from_bytes(rest));
    let folder = words.next()?.strip_prefix(b"remove@/")?;
    let mut paths = vec![below("/sys", folder)];
    let node = words.find_map(|word| word.strip_prefix(b"DEVNAME="));
    paths.extend(node.map(|node| below("/dev", node)));
    Some(paths)
}

fn nodes(
    bell: &Bell,
    paths: &[PathBuf],
    heard: mpsc::UnboundedSender<Heard>,
) -> Result<Option<Watch>, Errno> {
    let nodes = paths.iter().filter(|path| !path.starts_with("/sys"));
    let folders: BTreeSet<&Path> = nodes.filter_map(|node| node.parent()).collect();
    if folders.is_empty() {
        return Ok(None);
    }
    let events: OwnedFd = inotify::init(CreateFlags::CLOEXEC | CreateFlags::NONBLOCK)?;
    let leaves = WatchFlags::DELETE | WatchFlags::MOVED_FROM | WatchFlags::ONLYDIR;
    for folder in folders {
        match inotify::add_watch(&events, folder, leaves | WatchFlags::DELETE_SELF) {
            // It has left with its folder, which is seen at the first look.
            Ok(_) | Err(Errno::NOENT) => {}
            Err(error) => return Err(error),
        }
    }
    Ok(Some(bell.watch(Arc::new(events), move |events| {
        let keep = drain(events.as_fd());
        match heard.send(Heard::Look) {
            Ok(()) => keep,
            Err(_) => Keep::No,
        }
    })))
}

/// Throws away what is there: all of it means to look again.
fn drain(events: BorrowedFd<'_>) -> Keep {
    let mut buffer = [MaybeUninit::uninit(); 4096];
    let mut events = Reader::new(events, &mut buffer);
    loop {
        match events.next() {
            Ok(_) | Err(Errno::INTR) => {}
            Err(Errno::AGAIN) => return Keep::Watching,
            Err(_) => return Keep::No,
        }
    }
}
