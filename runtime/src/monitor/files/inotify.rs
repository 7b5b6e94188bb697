//! One inotify instance for all folders of the process: a user may have no more than 128
//! (<https://man7.org/linux/man-pages/man7/inotify.7.html>).
//!
//! What it says is only where to look: what changed is found by comparing. So neither an overrun
//! of its queue nor events of a folder that was not watched yet are lost.

use std::{
    collections::{BTreeSet, HashMap},
    ffi::{OsStr, OsString},
    mem::MaybeUninit,
    os::{
        fd::{AsFd, BorrowedFd, OwnedFd},
        unix::ffi::OsStrExt,
    },
    path::{Path, PathBuf},
    sync::{Arc, Mutex, MutexGuard, PoisonError, Weak},
};

use rustix::{
    fs::inotify::{self, CreateFlags, ReadFlags, Reader, WatchFlags},
    io::Errno,
};
use tokio::sync::Notify;

use crate::clock::{Bell, Keep, Watch};

/// More names than this to look at, and everything is looked at.
const MOST_NAMES: usize = 10_000;

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
            Some(inotify) => inotify.drain(),
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
        Watcher {
            inotify: Arc::clone(self),
            id,
            watched,
        }
    }

    #[cfg(test)]
    pub(super) fn watchers(&self) -> usize {
        self.state().watchers.len()
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes in what the kernel has to say until now.
    fn drain(&self) -> Keep {
        let mut buffer = [MaybeUninit::uninit(); 8192];
        // Held while reading, so that nobody sees half of what was read.
        let mut state = self.state();
        let fd: BorrowedFd<'_> = self.fd.as_fd();
        let mut events = Reader::new(fd, &mut buffer);
        loop {
            match events.next() {
                Ok(event) => {
                    let name = event
                        .file_name()
                        .map(|name| OsStr::from_bytes(name.to_bytes()));
                    state.take(event.wd(), event.events(), name);
                }
                Err(Errno::AGAIN) => return Keep::Watching,
                Err(Errno::INTR) => {}
                Err(error) => {
                    tracing::warn!(%error, "folders are no longer watched");
                    return Keep::No;
                }
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
        let Some(folders) = self.folders.get(&wd) else {
            return;
        };
        for folder in folders {
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
            self.folders.remove(&wd);
        }
    }
}

/// Watches folders, until it is dropped.
pub(super) struct Watcher {
    inotify: Arc<Inotify>,
    id: u64,
    watched: Arc<Watched>,
}

impl Watcher {
    /// Watches what is in a folder. Again, it does nothing.
    pub(super) fn folder(&self, path: &Path) -> Result<(), Errno> {
        self.add(path, None)
    }

    /// Watches one name in a folder, which is a step on the way to what matters.
    pub(super) fn step(&self, path: &Path, name: &OsStr) -> Result<(), Errno> {
        self.add(path, Some(name.to_owned()))
    }

    fn add(&self, path: &Path, step: Option<OsString>) -> Result<(), Errno> {
        let flags = WatchFlags::CREATE
            | WatchFlags::DELETE
            | WatchFlags::MOVE
            | WatchFlags::CLOSE_WRITE
            | WatchFlags::DELETE_SELF
            | WatchFlags::MOVE_SELF
            | WatchFlags::ONLYDIR;
        // Held from before there is a watch until it is known whose it is.
        let mut state = self.inotify.state();
        let wd = inotify::add_watch(&self.inotify.fd, path, flags)?;
        state.folders.entry(wd).or_default().insert(Folder {
            watcher: self.id,
            path: path.to_owned(),
            step,
        });
        Ok(())
    }

    /// No longer watches a folder and what is below it.
    pub(super) fn leave(&self, path: &Path) {
        self.retain(|folder| !folder.path.starts_with(path));
    }

    /// No longer watches steps.
    pub(super) fn leave_steps(&self) {
        self.retain(|folder| folder.step.is_none());
    }

    fn retain(&self, keep: impl Fn(&Folder) -> bool) {
        let mut state = self.inotify.state();
        state.folders.retain(|wd, folders| {
            folders.retain(|folder| folder.watcher != self.id || keep(folder));
            if folders.is_empty() {
                // It may be gone already.
                let _ = inotify::remove_watch(&self.inotify.fd, *wd);
            }
            !folders.is_empty()
        });
    }

    /// Waits until there is somewhere to look.
    pub(super) async fn rung(&self) {
        loop {
            self.watched.rung.notified().await;
            // What it rang for may have been looked at.
            if !self.watched.dirty().is_empty() {
                return;
            }
        }
    }

    /// Rings when there is more.
    pub(super) fn bell(&self) -> &Notify {
        &self.watched.rung
    }

    /// Keeps what the kernel says from being read.
    #[cfg(test)]
    pub(super) fn unread(&self) -> impl Drop + '_ {
        self.inotify.state()
    }

    /// Where to look, all that happened until now included.
    pub(super) fn take(&self) -> Dirty {
        self.inotify.drain();
        std::mem::take(&mut *self.watched.dirty())
    }
}

impl Drop for Watcher {
    fn drop(&mut self) {
        self.retain(|_| false);
        self.inotify.state().watchers.remove(&self.id);
    }
}
