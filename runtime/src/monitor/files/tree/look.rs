//! One look: what is there is compared with what is known.

use std::{
    collections::{BTreeMap, HashMap, HashSet},
    fs, io,
    path::{Path, PathBuf},
};

use rustix::io::Errno;

use super::{Found, Identity, Stamp, Tree};
use crate::{
    FileChange, FileChangeKind, FileChanges,
    monitor::files::inotify::{Dirty, Watcher},
};

/// What changed since the last look, at these paths; from now on watched by `watcher`.
pub(super) fn look(tree: &mut Tree, dirty: &Dirty, watcher: Option<&Watcher>) -> Found {
    let (was_large, were_closed) = (tree.large, tree.closed.clone());
    if dirty.all {
        // It may be smaller by now, and open.
        tree.large = false;
        tree.closed.clear();
    }
    let before = tree.sum;
    let mut look = Look {
        tree,
        watcher,
        to_list: Vec::new(),
        gone: BTreeMap::new(),
        come: BTreeMap::new(),
        modified: Vec::new(),
        sum: 0,
        unwatched: None,
    };
    if dirty.all {
        look.watch_way();
        let root = look.tree.root.clone();
        look.at(&root, true);
    } else {
        dirty.paths.iter().for_each(|path| look.at(path, false));
    }
    let is_other = match dirty.all {
        true => {
            look.tree.sum = look.sum;
            look.sum != before
        }
        false => !dirty.is_empty(),
    };
    let mut found = look.found();
    let closed = tree.closed.iter();
    found.closed = closed
        .filter(|path| !were_closed.contains(*path))
        .cloned()
        .collect();
    if was_large || tree.large {
        found.changes = FileChanges {
            overflow: is_other,
            ..FileChanges::default()
        };
    }
    found
}

/// One look.
struct Look<'l> {
    tree: &'l mut Tree,
    watcher: Option<&'l Watcher>,
    /// Folders whose content is still to be compared: they may be as deep as somebody likes.
    to_list: Vec<PathBuf>,
    gone: BTreeMap<PathBuf, Stamp>,
    come: BTreeMap<PathBuf, Stamp>,
    modified: Vec<PathBuf>,
    /// Of all that was seen.
    sum: u64,
    unwatched: Option<Errno>,
}

impl Look<'_> {
    /// Watches each step on the way to the root, from the top: where one is missing, the one
    /// above it tells when it comes.
    fn watch_way(&mut self) {
        let Some(watcher) = self.watcher else {
            return;
        };
        watcher.leave_steps();
        let root = self.tree.root.clone();
        // A link on the way leads along another way.
        let real = fs::canonicalize(&root).ok().filter(|real| *real != root);
        for way in [Some(root), real].into_iter().flatten() {
            let mut steps: Vec<&Path> = way.ancestors().collect();
            steps.reverse();
            for step in steps {
                if let (Some(above), Some(name)) = (step.parent(), step.file_name()) {
                    let watched = watcher.step(above, name);
                    self.note(above, watched);
                }
            }
        }
    }

    fn note(&mut self, folder: &Path, watched: Result<(), Errno>) {
        match watched {
            // What is gone or closed to us is told by the folder above, when it is not any more.
            Ok(()) | Err(Errno::NOENT | Errno::NOTDIR) => {}
            Err(Errno::ACCESS | Errno::NAMETOOLONG) => self.closes(folder),
            Err(error) => self.unwatched = Some(error),
        }
    }

    /// Nobody sees what is there.
    fn closes(&mut self, path: &Path) {
        self.tree.closed.insert(path.to_owned());
    }

    /// Compares what is at a path; with `deep` also below it, where nothing tells.
    fn at(&mut self, path: &Path, deep: bool) {
        self.compare(path, deep);
        while let Some(folder) = self.to_list.pop() {
            self.list(&folder);
        }
    }

    fn compare(&mut self, path: &Path, deep: bool) {
        let is_root = path == self.tree.root;
        let read = match is_root {
            true => fs::metadata(path),
            false => fs::symlink_metadata(path),
        };
        let now = match read {
            Ok(metadata) => Some(Stamp::of(&metadata)),
            Err(error) if is_gone(&error) => None,
            // It may be there or not: what is known stays.
            Err(_) => return self.closes(path),
        };
        let was_closed = self.tree.closed.remove(path);
        if let Some(now) = &now {
            self.sum = self.sum.wrapping_add(now.part(path));
        }
        match (self.tree.known.get(path), now) {
            (None, None) => {}
            (None, Some(now)) => self.comes(path, now),
            (Some(_), None) => self.goes(path),
            (Some(before), Some(now)) if before.is_folder && now.is_folder => {
                let is_other = before.identity != now.identity;
                if is_other {
                    self.remember(path, now);
                    self.leave(path);
                }
                if deep || is_other || was_closed {
                    self.to_list.push(path.to_owned());
                }
            }
            (Some(before), Some(now)) if before.is_folder != now.is_folder => {
                self.goes(path);
                self.comes(path, now);
            }
            (Some(before), Some(now)) => {
                if *before != now {
                    self.remember(path, now);
                    self.modified.push(path.to_owned());
                }
            }
        }
    }

    fn comes(&mut self, path: &Path, stamp: Stamp) {
        let is_folder = stamp.is_folder;
        self.remember(path, stamp.clone());
        if !self.tree.large {
            self.come.insert(path.to_owned(), stamp);
        }
        if is_folder {
            self.to_list.push(path.to_owned());
        }
    }

    fn goes(&mut self, path: &Path) {
        for path in self.tree.below(path) {
            if let Some(stamp) = self.tree.known.remove(&path) {
                self.tree.closed.remove(&path);
                self.tree.sum = self.tree.sum.wrapping_sub(stamp.part(&path));
                self.gone.insert(path, stamp);
            }
        }
        self.leave(path);
    }

    fn remember(&mut self, path: &Path, stamp: Stamp) {
        let tree = &mut *self.tree;
        let is_new = !tree.known.contains_key(path);
        if !tree.large && is_new && tree.known.len() >= tree.most {
            let most = tree.most;
            tracing::warn!(path = %tree.root.display(), most, "too many files to tell which change");
            tree.large = true;
            tree.known.retain(|_, stamp| stamp.is_folder);
            self.come.clear();
        }
        if stamp.is_folder || !tree.large {
            let part = stamp.part(path);
            let before = tree.known.insert(path.to_owned(), stamp);
            let before = before.map_or(0, |before| before.part(path));
            tree.sum = tree.sum.wrapping_sub(before).wrapping_add(part);
        }
    }

    fn leave(&self, path: &Path) {
        if let Some(watcher) = self.watcher {
            watcher.leave(path);
        }
    }

    /// Compares what a folder holds. It is watched first and read then, so that nothing happens in
    /// between unseen.
    fn list(&mut self, folder: &Path) {
        if !self.tree.lists(folder) {
            return;
        }
        if let Some(watcher) = self.watcher {
            let watched = watcher.folder(folder);
            self.note(folder, watched);
        }
        let read = fs::read_dir(folder).and_then(|entries| {
            let paths = entries.map(|entry| Ok(entry?.path()));
            paths.collect::<io::Result<HashSet<PathBuf>>>()
        });
        let there = match read {
            Ok(there) => there,
            Err(error) if is_gone(&error) => return,
            Err(_) => return self.closes(folder),
        };
        for path in self.tree.children(folder) {
            if !there.contains(&path) {
                self.goes(&path);
            }
        }
        for path in &there {
            self.compare(path, true);
        }
    }

    fn found(mut self) -> Found {
        let mut changes = FileChanges::default();
        let renamed = self.renamed();
        let renamed = renamed.into_iter().map(|(from, path)| FileChange {
            path,
            kind: FileChangeKind::Renamed { from },
        });
        let gone = self
            .gone
            .into_keys()
            .map(change_to(&FileChangeKind::Removed));
        let come = self
            .come
            .into_keys()
            .map(change_to(&FileChangeKind::Created));
        self.modified.sort_unstable();
        let modified = self.modified.into_iter();
        let modified = modified.map(change_to(&FileChangeKind::Modified));
        changes.extend(gone.chain(renamed).chain(come).chain(modified));
        Found {
            changes,
            unwatched: self.unwatched,
            closed: Vec::new(),
        }
    }

    /// Takes out of what is gone and what came what is the same, from where and to where. What
    /// came along with a folder is not told.
    fn renamed(&mut self) -> Vec<(PathBuf, PathBuf)> {
        let gone = self.gone.iter();
        let places: HashMap<&Identity, &PathBuf> =
            gone.map(|(path, stamp)| (&stamp.identity, path)).collect();
        let mut moved = BTreeMap::new();
        for (path, stamp) in &self.come {
            let from = places.get(&stamp.identity).copied();
            if let Some(from) = from.filter(|from| stamp.is_moved(&self.gone[*from])) {
                moved.insert(path.clone(), from.clone());
            }
        }
        for (path, from) in &moved {
            self.gone.remove(from);
            self.come.remove(path);
        }
        let came_along = |path: &Path, from: &Path| {
            let (folder, folder_from) = (path.parent(), from.parent());
            let moved = folder.and_then(|folder| moved.get(folder));
            moved.is_some()
                && moved.map(PathBuf::as_path) == folder_from
                && path.file_name() == from.file_name()
        };
        let alone = moved.iter().filter(|(path, from)| !came_along(path, from));
        alone
            .map(|(path, from)| (from.clone(), path.clone()))
            .collect()
    }
}

fn change_to(kind: &FileChangeKind) -> impl Fn(PathBuf) -> FileChange {
    let kind = kind.clone();
    move |path| FileChange {
        path,
        kind: kind.clone(),
    }
}

fn is_gone(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::NotFound | io::ErrorKind::NotADirectory
    )
}
