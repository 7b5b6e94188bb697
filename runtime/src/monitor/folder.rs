//! Files in a folder, heard of by the kernel.
//!
//! The folder is watched and not a file: replacing a link or renaming over it is not seen by a watch
//! of the file itself (<https://man7.org/linux/man-pages/man7/inotify.7.html>).

use std::{mem::MaybeUninit, os::fd::BorrowedFd, path::Path, sync::Arc};

use rustix::{
    fs::inotify::{self, CreateFlags, ReadFlags, Reader, WatchFlags},
    io::Errno,
};
use tokio::sync::Notify;

use crate::clock::{Bell, Keep, Watch};

/// Rings when one of these files is made, written, replaced or removed.
pub(super) fn watch(
    bell: &Bell,
    folder: &Path,
    names: &[&str],
    rung: &Arc<Notify>,
) -> Result<Watch, Errno> {
    let fd = inotify::init(CreateFlags::CLOEXEC | CreateFlags::NONBLOCK)?;
    let flags = WatchFlags::CREATE
        | WatchFlags::DELETE
        | WatchFlags::MOVE
        | WatchFlags::CLOSE_WRITE
        | WatchFlags::ONLYDIR;
    inotify::add_watch(&fd, folder, flags)?;
    let names: Vec<Vec<u8>> = names.iter().map(|name| name.as_bytes().to_vec()).collect();
    let rung = Arc::clone(rung);
    Ok(bell.watch(Arc::new(fd), move |fd| read(fd, &names, &rung)))
}

fn read(fd: BorrowedFd<'_>, names: &[Vec<u8>], rung: &Notify) -> Keep {
    let mut buffer = [MaybeUninit::uninit(); 4096];
    let mut events = Reader::new(fd, &mut buffer);
    loop {
        match events.next() {
            Ok(event) => {
                let name = event.file_name().map(|name| name.to_bytes());
                let counts = name.is_some_and(|name| names.iter().any(|one| one == name));
                if counts || event.events().contains(ReadFlags::QUEUE_OVERFLOW) {
                    rung.notify_one();
                }
            }
            Err(Errno::AGAIN) => return Keep::Watching,
            Err(Errno::INTR) => {}
            Err(_) => return Keep::No,
        }
    }
}
