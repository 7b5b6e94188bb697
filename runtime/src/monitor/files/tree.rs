//! What is below a path, and what changed there between two looks.

mod look;
#[cfg(test)]
mod tests;

use std::{
    collections::{BTreeMap, BTreeSet},
    fs::Metadata,
    hash::{DefaultHasher, Hash, Hasher},
    ops::Bound,
    os::unix::fs::MetadataExt,
    path::{Path, PathBuf},
    time::SystemTime,
};

use rustix::io::Errno;

use super::inotify::{Dirty, Watcher};
use crate::FileChanges;

/// Of a larger folder only its folders are remembered: that something changed is known, not what.
const MOST: usize = 100_000;

/// What tells a file, or one state of it, from another.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Stamp {
    is_folder: bool,
    identity: Identity,
    size: u64,
    modified: Option<SystemTime>,
}

/// Numbers of inodes are given again, times of birth are not; but not every file system has those.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Identity {
    device: u64,
    inode: u64,
    born: Option<SystemTime>,
}

impl Stamp {
    fn of(metadata: &Metadata) -> Self {
        Self {
            is_folder: metadata.is_dir(),
            identity: Identity {
                device: metadata.dev(),
                inode: metadata.ino(),
                born: metadata.created().ok(),
            },
            size: metadata.len(),
            modified: metadata.modified().ok(),
        }
    }

    /// What a path with this adds to a sum. Numbers of devices and inodes are left out, which are
    /// others after a restart; and a folder is what is in it.
    fn part(&self, path: &Path) -> u64 {
        let mut hasher = DefaultHasher::new();
        (path, self.is_folder).hash(&mut hasher);
        if !self.is_folder {
            (self.size, self.modified).hash(&mut hasher);
        }
        hasher.finish()
    }

    /// Whether this is what had the other one elsewhere.
    fn is_moved(&self, before: &Self) -> bool {
        let same = self.is_folder == before.is_folder && self.identity == before.identity;
        let told_apart = self.identity.born.is_some() || self.is_folder;
        same && (told_apart || (self.size, self.modified) == (before.size, before.modified))
    }
}

/// What was there at the last look.
#[derive(Debug)]
pub(super) struct Tree {
    root: PathBuf,
    recursive: bool,
    most: usize,
    known: BTreeMap<PathBuf, Stamp>,
    /// There are more files than are remembered.
    large: bool,
    /// Of all that was there, as far as it is remembered; of a large folder, at the last look
    /// everywhere.
    sum: u64,
    /// What is there, and nobody may look into.
    closed: BTreeSet<PathBuf>,
}

/// What a look found.
#[derive(Debug, Default)]
pub(super) struct Found {
    pub(super) changes: FileChanges,
    /// Why a folder is not watched: it has to be looked at again.
    pub(super) unwatched: Option<Errno>,
    /// What is in these is not seen, which was not so at the last look.
    pub(super) closed: Vec<PathBuf>,
}

impl Tree {
    pub(super) fn new(root: PathBuf, recursive: bool) -> Self {
        Self {
            root,
            recursive,
            most: MOST,
            known: BTreeMap::new(),
            large: false,
            sum: 0,
            closed: BTreeSet::new(),
        }
    }

    #[cfg(test)]
    pub(super) fn with_most(self, most: usize) -> Self {
        Self { most, ..self }
    }

    /// What changed since the last look, at these paths; from now on watched by `watcher`. The
    /// first look is everywhere.
    pub(super) fn look(&mut self, dirty: &Dirty, watcher: Option<&Watcher>) -> Found {
        look::look(self, dirty, watcher)
    }

    /// Another one says that something changed, also since another start of the program.
    pub(super) const fn sum(&self) -> u64 {
        self.sum
    }

    fn lists(&self, folder: &Path) -> bool {
        self.recursive || folder == self.root
    }

    /// What is known below a path, itself included.
    fn below(&self, path: &Path) -> Vec<PathBuf> {
        let from = self.known.range(path.to_owned()..);
        let below = from.map(|(path, _)| path);
        below
            .take_while(|other| other.starts_with(path))
            .cloned()
            .collect()
    }

    /// What is known to be in a folder, without what is in the folders there.
    fn children(&self, folder: &Path) -> Vec<PathBuf> {
        let mut children = Vec::new();
        let mut from = Bound::Excluded(folder.to_owned());
        while let Some((child, _)) = self.known.range((from, Bound::Unbounded)).next()
            && child.parent() == Some(folder)
        {
            // No name has this end: what is below comes before it, what is beside after it.
            let mut end = child.clone().into_os_string();
            end.push("\0");
            from = Bound::Excluded(end.into());
            children.push(child.clone());
        }
        children
    }
}
