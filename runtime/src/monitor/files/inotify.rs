//! One inotify instance for all folders of the process: a user may have no more than 128
//! (<https://man7.org/linux/man-pages/man7/inotify.7.html>).
//!
//! What it says is only where to look: what changed is found by comparing. So neither an overrun
//! of its queue nor events of a folder that was not watched yet are lost.

#[cfg(test)]
mod tests;
mod watcher;

use std::{
    collections::{BTreeSet, HashMap, HashSet},
    ffi::{OsStr, OsString},
    mem::MaybeUninit,
    os::{
        fd::{AsFd, BorrowedFd, OwnedFd},
        unix::ffi::OsStrExt,
    },
    path::PathBuf,
    sync::{Arc, Mutex, MutexGuard, PoisonError, Weak},
};

use rustix::{
    fs::inotify::{self, CreateFlags, ReadFlags, Reader},
    io::Errno,
};
use tokio::sync::Notify;

pub(super) use self::watcher::Watcher;
use crate::clock::{Bell, Keep, Watch};

/// More names than this to look at, and everything is looked at.
const MOST_NAMES: usize = 10_000;

/// So much of the kernel's is read at once: others wait on the same thread.
const MOST_READ: usize = 1000;

/// So many folders are left at once: others wait for the lock.
const MOST_LEFT: usize = 1000;

/// Where somebody has to look.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Dirty {
    /// Everywhere.
    pub(super) all: bool,
    /// At these.
    pub(super) paths: BTreeSet<PathBuf>,
}

impl Dirty {
    pub(super) fn is_empty(&self) -> bool {
        !self.all && self.paths.is_empty()
    }

    pub(super) fn everywhere() -> Self {
        Self {
            all: true,
            paths: BTreeSet::new(),
        }
    }

    /// And there.
    pub(super) fn join(&mut self, other: Self) {
        self.all |= other.all;
        other.paths.into_iter().for_each(|path| self.add(path));
    }

    fn add(&mut self, path: PathBuf) {
        self.paths.insert(path);
        if self.all || self.paths.len() > MOST_NAMES {
            *self = Self::everywhere();
        }
    }
}

/// The instance. Shared by all that watch folders, and closed with the last of them.
pub(super) struct Inotify {
    fd: Arc<OwnedFd>,
    state: Mutex<State>,
    /// Dropped with it.
    watch: Mutex<Option<Watch>>,
}

#[derive(Default)]
struct State {
    next: u64,
    folders: HashMap<i32, BTreeSet<Folder>>,
    watchers: HashMap<u64, Arc<Watched>>,
    /// So many watches are being asked for, which may take its time.
    asked: usize,
    /// The watches that ended meanwhile.
    ended: HashSet<i32>,
}

/// A folder that a watcher watches.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Folder {
    watcher: u64,
    path: PathBuf,
    /// Only this name counts, and what happens to it means to look everywhere.
    step: Option<OsString>,
}

#[derive(Default)]
struct Watched {
    dirty: Mutex<Dirty>,
    rung: Notify,
}

impl Watched {
    fn dirty(&self) -> MutexGuard<'_, Dirty> {
        // No code of others runs under the lock, so it is whole.
        self.dirty.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Inotify {
    pub(super) fn open(bell: &Bell) -> Result<Arc<Self>, Errno> {
        let fd = inotify::init(CreateFlags::CLOEXEC | CreateFlags::NONBLOCK)?;
        let inotify = Arc::new(Self {
            fd: Arc::new(fd),
            state: Mutex::default(),
            watch: Mutex::default(),
        });
        let rung: Weak<Self> = Arc::downgrade(&inotify);
        let watch = bell.watch(Arc::clone(&inotify.fd), move |_| match rung.upgrade() {
            // What is left rings again.
            Some(inotify) => match inotify.drain() {
                Ok(_) => Keep::Watching,
                Err(error) => {
                    tracing::warn!(%error, "folders are no longer watched");
                    Keep::No
                }
            },
            None => Keep::No,
        });
        *inotify.watch.lock().unwrap_or_else(PoisonError::into_inner) = Some(watch);
        Ok(inotify)
    }

    /// Somebody who watches folders.
    pub(super) fn watcher(self: &Arc<Self>) -> Watcher {
        let mut state = self.state();
        let id = state.next;
        state.next += 1;
        let watched = Arc::new(Watched::default());
        state.watchers.insert(id, Arc::clone(&watched));
        Watcher::new(Arc::clone(self), id, watched)
    }

    #[cfg(test)]
    pub(super) fn watchers(&self) -> usize {
        self.state().watchers.len()
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes in what the kernel has to say until now, or a part of it: whether that was all.
    fn drain(&self) -> Result<bool, Errno> {
        let mut buffer = [MaybeUninit::uninit(); 8192];
        // Held while reading, so that nobody sees half of what was read.
        let mut state = self.state();
        let fd: BorrowedFd<'_> = self.fd.as_fd();
        let mut events = Reader::new(fd, &mut buffer);
        let mut read = 0;
        // What is in the buffer is ours alone.
        while read < MOST_READ || !events.is_buffer_empty() {
            match events.next() {
                Ok(event) => {
                    let name = event
                        .file_name()
                        .map(|name| OsStr::from_bytes(name.to_bytes()));
                    state.take(event.wd(), event.events(), name);
                    read += 1;
                }
                Err(Errno::AGAIN) => return Ok(true),
                Err(Errno::INTR) => {}
                Err(error) => return Err(error),
            }
        }
        Ok(false)
    }

    /// Leaves folders.
    fn leave(&self, left: Vec<(i32, Folder)>) {
        for some in left.chunks(MOST_LEFT) {
            let mut state = self.state();
            for (wd, folder) in some {
                state.leave(&self.fd, *wd, folder);
            }
        }
    }
}

impl State {
    fn take(&mut self, wd: i32, events: ReadFlags, name: Option<&OsStr>) {
        if events.contains(ReadFlags::QUEUE_OVERFLOW) {
            tracing::warn!("more changed than the kernel keeps: folders are read again");
            for watched in self.watchers.values() {
                *watched.dirty() = Dirty::everywhere();
                watched.rung.notify_one();
            }
            return;
        }
        for folder in self.folders.get(&wd).into_iter().flatten() {
            let Some(watched) = self.watchers.get(&folder.watcher) else {
                continue;
            };
            match (&folder.step, name) {
                (Some(step), Some(name)) if step != name => continue,
                (Some(_), _) => *watched.dirty() = Dirty::everywhere(),
                (None, Some(name)) => watched.dirty().add(folder.path.join(name)),
                (None, None) => watched.dirty().add(folder.path.clone()),
            }
            watched.rung.notify_one();
        }
        if events.contains(ReadFlags::IGNORED) {
            self.ends(wd);
        }
    }

    fn leave(&mut self, fd: &OwnedFd, wd: i32, folder: &Folder) {
        let Some(folders) = self.folders.get_mut(&wd) else {
            return;
        };
        folders.remove(folder);
        if folders.is_empty() {
            self.ends(wd);
            // It may be gone already.
            let _ = inotify::remove_watch(fd, wd);
        }
    }

    /// A watch is no more. Its number is not soon given again.
    fn ends(&mut self, wd: i32) {
        self.folders.remove(&wd);
        if self.asked > 0 {
            self.ended.insert(wd);
        }
    }
}
