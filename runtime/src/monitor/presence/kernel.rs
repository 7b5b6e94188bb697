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
    net::{
        AddressFamily, RecvFlags, SocketFlags, SocketType, bind,
        netlink::{KOBJECT_UEVENT, SocketAddrNetlink},
        recv, socket_with,
    },
};
use tokio::sync::mpsc;

use crate::clock::{Bell, Keep, Watch};

/// The group that the kernel itself sends to; only root may send there as well.
const KERNEL: u32 = 1;

/// The kernel's own limit of a uevent is 2 KiB and a path.
const LONGEST: usize = 8 * 1024;

/// What was heard.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Heard {
    /// These are no more.
    Left(Vec<PathBuf>),
    /// Something may be no more.
    Look,
}

/// Tells of each of the devices that is not there any more, for as long as it is polled. One may be
/// told several times.
pub(super) async fn watch(bell: &Bell, paths: &[PathBuf], gone: impl Fn(&Path)) {
    let (heard, mut words) = mpsc::unbounded_channel();
    let deaf = |error: &Errno| tracing::warn!(%error, "devices that leave are not all heard of");
    let _uevents = uevents(bell, heard.clone()).inspect_err(deaf);
    let _nodes = nodes(bell, paths, heard.clone()).inspect_err(deaf);
    let is_there = |path: &Path| !matches!(path.try_exists(), Ok(false));
    let mut word = Heard::Look;
    loop {
        for path in paths {
            let left = matches!(&word, Heard::Left(left) if left.contains(path));
            if left || !is_there(path) {
                gone(path);
            }
        }
        // `heard` is here, so there is a next word.
        match words.recv().await {
            Some(next) => word = next,
            None => return,
        }
    }
}

fn uevents(bell: &Bell, heard: mpsc::UnboundedSender<Heard>) -> Result<Watch, Errno> {
    let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
    let (family, kind) = (AddressFamily::NETLINK, SocketType::DGRAM);
    let socket = socket_with(family, kind, flags, Some(KOBJECT_UEVENT))?;
    bind(&socket, &SocketAddrNetlink::new(0, KERNEL))?;
    Ok(bell.watch(Arc::new(socket), move |socket| {
        let mut buffer = [0; LONGEST];
        loop {
            let word = match recv(socket, &mut buffer, RecvFlags::empty()) {
                Ok((_, length)) => match left(&buffer[..length]) {
                    Some(paths) => Heard::Left(paths),
                    None => continue,
                },
                // Words were lost.
                Err(Errno::NOBUFS) => Heard::Look,
                Err(Errno::INTR) => continue,
                Err(Errno::AGAIN) => return Keep::Watching,
                Err(_) => return Keep::No,
            };
            if heard.send(word).is_err() {
                return Keep::No;
            }
        }
    }))
}

/// The device that a uevent says is removed: its folder, and its node if it has one.
pub(super) fn left(uevent: &[u8]) -> Option<Vec<PathBuf>> {
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
