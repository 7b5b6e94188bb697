//! Who watches folders.

use std::{
    collections::BTreeMap,
    ffi::{OsStr, OsString},
    path::{Path, PathBuf},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use rustix::{
    fs::inotify::{self, WatchFlags},
    io::Errno,
};
use tokio::{runtime::Handle, sync::Notify};

use super::{Dirty, Folder, Inotify, Watched};

/// Whoever looks reads no more often, so that a folder in which all changes all the time is looked
/// at.
const MOST_TURNS: usize = 100;

/// Watches folders, until it is dropped.
pub(in crate::monitor::files) struct Watcher {
    inotify: Arc<Inotify>,
    id: u64,
    watched: Arc<Watched>,
    own: Mutex<Own>,
}

/// The watches of a watcher: in a folder, all names or one.
pub(super) type Own = BTreeMap<Key, i32>;

pub(super) type Key = (PathBuf, Option<OsString>);

impl Watcher {
    pub(super) fn new(inotify: Arc<Inotify>, id: u64, watched: Arc<Watched>) -> Self {
        Self {
            inotify,
            id,
            watched,
            own: Mutex::default(),
        }
    }

    /// Watches what is in a folder. Again, it does nothing. What happens there from now on is told;
    /// what happened before it returns may not be.
    pub(in crate::monitor::files) fn folder(&self, path: &Path) -> Result<(), Errno> {
        self.add(path, None, || self.ask(path))
    }

    /// Watches one name in a folder, which is a step on the way to what matters.
    pub(in crate::monitor::files) fn step(&self, path: &Path, name: &OsStr) -> Result<(), Errno> {
        self.add(path, Some(name), || self.ask(path))
    }

    /// Asks for a watch. A file system may take its time to find the folder.
    pub(super) fn ask(&self, path: &Path) -> Result<i32, Errno> {
        let flags = WatchFlags::CREATE
            | WatchFlags::DELETE
            | WatchFlags::MOVE
            | WatchFlags::CLOSE_WRITE
            | WatchFlags::ATTRIB
            | WatchFlags::DELETE_SELF
            | WatchFlags::MOVE_SELF
            | WatchFlags::ONLYDIR;
        inotify::add_watch(&self.inotify.fd, path, flags)
    }

    pub(super) fn add(
        &self,
        path: &Path,
        step: Option<&OsStr>,
        ask: impl Fn() -> Result<i32, Errno>,
    ) -> Result<(), Errno> {
        loop {
            self.inotify.state().asked += 1;
            // Nobody waits for it.
            let asked = ask();
            let mut state = self.inotify.state();
            state.asked -= 1;
            let has_ended = asked.is_ok_and(|wd| state.ended.contains(&wd));
            if state.asked == 0 {
                state.ended.clear();
            }
            if has_ended {
                // Another watcher had it, and left the folder meanwhile.
                continue;
            }
            let wd = asked?;
            let folder = Folder {
                watcher: self.id,
                path: path.to_owned(),
                step: step.map(OsStr::to_owned),
            };
            let key = (folder.path.clone(), folder.step.clone());
            if let Some(before) = self.own().insert(key, wd).filter(|before| *before != wd) {
                state.leave(&self.inotify.fd, before, &folder);
            }
            state.folders.entry(wd).or_default().insert(folder);
            return Ok(());
        }
    }

    /// No longer watches a folder and what is below it.
    pub(in crate::monitor::files) fn leave(&self, path: &Path) {
        let below: Vec<_> = {
            let own = self.own();
            let from = own.range((path.to_owned(), None)..);
            let below = from.take_while(|((other, _), _)| other.starts_with(path));
            below.map(|(key, _)| key.clone()).collect()
        };
        self.leave_these(below);
    }

    /// No longer watches steps.
    pub(in crate::monitor::files) fn leave_steps(&self) {
        let steps: Vec<_> = {
            let own = self.own();
            let steps = own.keys().filter(|(_, step)| step.is_some());
            steps.cloned().collect()
        };
        self.leave_these(steps);
    }

    fn leave_these(&self, keys: Vec<Key>) {
        let mut own = self.own();
        let left = keys.into_iter().filter_map(|key| {
            let wd = own.remove(&key)?;
            Some((wd, self.name(key)))
        });
        let left = left.collect();
        drop(own);
        self.inotify.leave(left);
    }

    fn name(&self, (path, step): Key) -> Folder {
        Folder {
            watcher: self.id,
            path,
            step,
        }
    }

    pub(super) fn own(&self) -> MutexGuard<'_, Own> {
        self.own.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits until there is somewhere to look.
    pub(in crate::monitor::files) async fn rung(&self) {
        loop {
            self.watched.rung.notified().await;
            // What it rang for may have been looked at.
            if !self.watched.dirty().is_empty() {
                return;
            }
        }
    }

    /// Rings when there is more.
    pub(in crate::monitor::files) fn bell(&self) -> &Notify {
        &self.watched.rung
    }

    /// Keeps what the kernel says from being read.
    #[cfg(test)]
    pub(in crate::monitor::files) fn unread(&self) -> impl Drop + '_ {
        self.inotify.state()
    }

    /// Where to look, all that happened until now included.
    pub(in crate::monitor::files) fn take(&self) -> Dirty {
        for _ in 0..MOST_TURNS {
            // Whoever watches the descriptor says so if it is of no use any more.
            if !matches!(self.inotify.drain(), Ok(false)) {
                break;
            }
        }
        std::mem::take(&mut *self.watched.dirty())
    }
}

impl Drop for Watcher {
    fn drop(&mut self) {
        self.inotify.state().watchers.remove(&self.id);
        let own = std::mem::take(&mut *self.own());
        let left = own.into_iter().map(|(key, wd)| (wd, self.name(key)));
        let left: Vec<_> = left.collect();
        let inotify = Arc::clone(&self.inotify);
        let leave = move || inotify.leave(left);
        // They may be many: whoever drops it does not wait.
        match Handle::try_current() {
            Ok(runtime) => drop(runtime.spawn_blocking(leave)),
            Err(_) => leave(),
        }
    }
}
