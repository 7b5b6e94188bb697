//! `files("~/Pictures", recursive)`: what changes below a path. The kernel says where to look, and
//! what changed is found by comparing with the last look: so events that it lost, and files that
//! were made before their new folder could be watched, are told all the same.

mod inotify;
#[cfg(test)]
mod tests;
mod tree;

use std::{
    path::{Path, PathBuf},
    sync::{Arc, Mutex, PoisonError, Weak},
    time::Duration,
};

use rustix::io::Errno;

use self::{
    inotify::{Dirty, Inotify, Watcher},
    tree::{Found, Tree},
};
use super::{burst, sources::Teller};
use crate::{
    Details, FileChanges,
    clock::{Bell, Clock},
};

/// How often what cannot be watched is looked at.
const LOOK_AGAIN: Duration = Duration::from_secs(60);

/// The one inotify instance of the process, while somebody needs it.
#[derive(Clone, Default)]
pub(super) struct Shared(Arc<Mutex<Weak<Inotify>>>);

impl Shared {
    fn watcher(&self, bell: &Bell) -> Result<Watcher, Errno> {
        // A panic under the lock leaves nothing half done.
        let mut shared = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let inotify = match shared.upgrade() {
            Some(inotify) => inotify,
            None => Inotify::open(bell)?,
        };
        *shared = Arc::downgrade(&inotify);
        Ok(inotify.watcher())
    }
}

/// The path that a declaration means: `~` is the user's home.
///
/// # Errors
///
/// Nothing says where that is.
fn absolute(path: &str, home: Option<&Path>) -> Result<PathBuf, String> {
    let Some(rest) = path.strip_prefix('~') else {
        return Ok(PathBuf::from(path));
    };
    let home = home.ok_or("`HOME` is not set, so `~` means nothing")?;
    Ok(home.join(rest.trim_start_matches('/')))
}

/// Where and how to watch.
pub(super) struct Place {
    pub(super) path: String,
    pub(super) recursive: bool,
    pub(super) home: Option<PathBuf>,
    pub(super) bell: Option<Arc<Bell>>,
    pub(super) shared: Shared,
}

/// Tells what changes.
pub(super) async fn watch(
    place: Place,
    clock: Arc<dyn Clock>,
    teller: Teller,
) -> Result<(), String> {
    let path = absolute(&place.path, place.home.as_deref())?;
    // It was told that this is watched, and meanwhile nobody did.
    let missed = teller.has_listened();
    let mut seen = teller.recalled();
    let mut warned = false;
    let mut looking = Looking {
        tree: Tree::new(path.clone(), place.recursive),
        watcher: None,
    };
    let mut dirty = Dirty::everywhere();
    let mut first = true;
    loop {
        let mut unwatched = None;
        if let (None, Some(bell)) = (&looking.watcher, &place.bell) {
            match place.shared.watcher(bell) {
                Ok(watcher) => looking.watcher = Some(watcher),
                Err(error) => unwatched = Some(error),
            }
        }
        let found: Found;
        (looking, found) = looking.look(dirty).await?;
        unwatched = unwatched.or(found.unwatched);
        if let (Some(error), false) = (unwatched, warned) {
            let path = path.display();
            tracing::warn!(%path, %error, again = ?LOOK_AGAIN, "not all folders can be watched: they are looked at");
        }
        warned = unwatched.is_some();
        if let Some(closed) = found.closed.first() {
            let (path, number) = (closed.display(), found.closed.len());
            tracing::warn!(%path, number, "what may not be read is not watched");
        }
        let sum = looking.tree.sum();
        let changes = match first {
            true => FileChanges {
                overflow: missed || seen.is_some_and(|seen| seen != sum),
                ..FileChanges::default()
            },
            false => found.changes,
        };
        if !changes.is_empty() {
            teller.raise(details(changes));
        }
        if seen.replace(sum) != Some(sum) {
            teller.looked(sum);
        }
        if first {
            teller.listens();
        }
        first = false;
        let is_watched = unwatched.is_none() && looking.watcher.is_some();
        dirty = looking.wait(&*clock, is_watched).await;
    }
}

fn details(changes: FileChanges) -> Details {
    Details {
        files: Some(changes),
        ..Details::default()
    }
}

/// What was seen, and who tells that there is more to see.
struct Looking {
    tree: Tree,
    /// `None`: there is no inotify to be had.
    watcher: Option<Watcher>,
}

impl Looking {
    /// Looks, on a thread that may block.
    async fn look(mut self, mut dirty: Dirty) -> Result<(Self, Found), String> {
        let look = move || {
            if let Some(watcher) = &self.watcher {
                dirty.join(watcher.take());
            }
            let found = self.tree.look(&dirty, self.watcher.as_ref());
            (self, found)
        };
        let looked = tokio::task::spawn_blocking(look).await;
        looked.map_err(|error| error.to_string())
    }

    /// Waits until there is something to look at, and until it is quiet.
    async fn wait(&self, clock: &dyn Clock, is_watched: bool) -> Dirty {
        let Some(watcher) = &self.watcher else {
            clock.awake(LOOK_AGAIN).await;
            return Dirty::everywhere();
        };
        let rung = async {
            watcher.rung().await;
            burst::over(clock, watcher.bell()).await;
            Dirty::default()
        };
        if is_watched {
            return rung.await;
        }
        tokio::select! {
            dirty = rung => dirty,
            () = clock.awake(LOOK_AGAIN) => Dirty::everywhere(),
        }
    }
}
