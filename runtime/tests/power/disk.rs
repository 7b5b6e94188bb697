//! What is on a disk, and what may be on it after a power cut.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    io::Write as _,
    os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _},
    path::{Path, PathBuf},
};

use crate::{
    Result,
    random::Random,
    recording::{Change, Step},
};

/// What a disk writes whole, or not at all.
const SECTOR: usize = 512;

/// The victim's files: what is surely on the disk, and what came after. That directories are
/// written in order, and at once, is taken for granted, as journaling file systems do it.
#[derive(Debug, Default)]
pub(crate) struct Disk {
    directories: BTreeSet<PathBuf>,
    synced: BTreeMap<PathBuf, Vec<u8>>,
    unsynced: BTreeMap<PathBuf, Vec<Change>>,
}

impl Disk {
    pub(crate) fn take(&mut self, step: &Step) {
        match step {
            Step::File(path, Change::Create) => {
                self.synced.entry(path.clone()).or_default();
            }
            Step::File(path, Change::Sync) => {
                // Directories are synced too.
                if let Some(file) = self.synced.get_mut(path) {
                    for change in self.unsynced.remove(path).unwrap_or_default() {
                        apply(file, &change, &mut |_| true);
                    }
                }
            }
            Step::File(path, change) => {
                let changes = self.unsynced.entry(path.clone()).or_default();
                changes.push(change.clone());
            }
            Step::Directory(path) => {
                self.directories.insert(path.clone());
            }
            Step::Rename(from, to) => {
                let file = self.synced.remove(from).unwrap_or_default();
                self.synced.insert(to.clone(), file);
                let changes = self.unsynced.remove(from).unwrap_or_default();
                self.unsynced.insert(to.clone(), changes);
            }
            Step::Remove(path) => {
                self.synced.remove(path);
                self.unsynced.remove(path);
            }
            Step::Said(_) => {}
        }
    }

    /// Puts into `directory` what a cut at this moment could leave.
    pub(crate) fn cut(&self, directory: &Path, random: &mut Random) -> Result<()> {
        let mut left = self.synced.clone();
        // Of what was not synced: nothing, some, most, or all.
        let share = [0, 30, 70, 100][random.below(4) as usize];
        // Of a write: the whole, or some of its sectors.
        let whole = [100, 100, 60][random.below(3) as usize];
        for (path, changes) in &self.unsynced {
            let file = left.entry(path.clone()).or_default();
            for change in changes {
                if random.below(100) < share {
                    apply(file, change, &mut |_| random.below(100) < whole);
                }
            }
        }
        for path in &self.directories {
            let mut private = fs::DirBuilder::new();
            private.recursive(true).mode(0o700);
            private.create(directory.join(path))?;
        }
        for (path, bytes) in left {
            // Shared memory, made anew from the log.
            if path.to_string_lossy().ends_with("-shm") {
                continue;
            }
            let mut private = fs::OpenOptions::new();
            private.write(true).create_new(true).mode(0o600);
            private.open(directory.join(path))?.write_all(&bytes)?;
        }
        Ok(())
    }
}

/// Changes a file; of a write, only the sectors that `written` says.
fn apply(file: &mut Vec<u8>, change: &Change, written: &mut dyn FnMut(usize) -> bool) {
    match change {
        Change::Create | Change::Sync => {}
        Change::Length(length) => file.resize(place(*length), 0),
        Change::Write { at, data } => {
            let (from, to) = (place(*at), place(*at) + data.len());
            let mut start = from;
            while start < to {
                let end = ((start / SECTOR + 1) * SECTOR).min(to);
                if written(start) {
                    if file.len() < end {
                        file.resize(end, 0);
                    }
                    file[start..end].copy_from_slice(&data[start - from..end - from]);
                }
                start = end;
            }
        }
    }
}

fn place(at: u64) -> usize {
    usize::try_from(at).unwrap_or(usize::MAX)
}
