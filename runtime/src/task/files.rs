//! What a `files` trigger tells its task.

use std::{
    collections::HashMap,
    path::{Path, PathBuf},
};

use serde::{Deserialize, Serialize};

/// As many changes as one run is told; more is [`FileChanges::overflow`].
const MOST: usize = 1000;

/// As many bytes of paths.
const MOST_BYTES: usize = 128 * 1024;

/// What changed below the path of `files(…)` since the last run was told.
///
/// What happens in a short time is told together, the oldest first; so is what changed while an
/// activation waited. A file that is saved by renaming a new one over it is modified, once.
///
/// At most 1000 changes and 128 KiB of paths are listed. Windows: the list is that of
/// [`StorageLibraryChangeReader`](https://learn.microsoft.com/uwp/api/windows.storage.storagelibrarychangereader),
/// `overflow` is its `ChangeTrackingLost`.
///
/// ```
/// use bgtask::{FileChangeKind, FileChanges, prelude::*};
///
/// #[background_task(trigger = files("~/Pictures", recursive))]
/// async fn index(seen: FileChanges) {
///     if seen.overflow {
///         return reindex_everything();
///     }
///     for change in seen.changes {
///         match change.kind {
///             FileChangeKind::Removed => forget(&change.path),
///             _ => read(&change.path),
///         }
///     }
/// }
/// # fn reindex_everything() {}
/// # fn forget(_: &std::path::Path) {}
/// # fn read(_: &std::path::Path) {}
/// # fn main() {}
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct FileChanges {
    /// What changed, the oldest first. A path may be there more than once.
    #[serde(default)]
    pub changes: Vec<FileChange>,
    /// More changed than is listed: look at the folder itself. Also after `bgtask fire`, for a path
    /// that is no UTF-8, and when something changed while nobody watched: the app did not run.
    #[serde(default)]
    pub overflow: bool,
}

/// A change of one file or folder. Windows:
/// [`StorageLibraryChange`](https://learn.microsoft.com/uwp/api/windows.storage.storagelibrarychange).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FileChange {
    /// Its path now; the last one of what was removed.
    pub path: PathBuf,
    /// What became of it.
    pub kind: FileChangeKind,
}

/// What became of a file or folder. Windows:
/// [`StorageLibraryChangeType`](https://learn.microsoft.com/uwp/api/windows.storage.storagelibrarychangetype).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum FileChangeKind {
    /// It was not there before: made, or moved here from elsewhere.
    Created,
    /// Its content was written and closed, or replaced. Folders are not modified.
    Modified,
    /// It is not there any more: removed, or moved elsewhere.
    Removed,
    /// It had another path below the same folder; what a renamed folder holds came along, and is
    /// not listed. The content may be another as well.
    Renamed {
        /// The path before.
        from: PathBuf,
    },
}

impl FileChanges {
    /// Nothing is known but that something may have changed.
    pub(crate) fn unknown() -> Self {
        Self {
            changes: Vec::new(),
            overflow: true,
        }
    }

    #[cfg_attr(not(target_os = "linux"), allow(dead_code, reason = "no source yet"))]
    pub(crate) fn is_empty(&self) -> bool {
        self.changes.is_empty() && !self.overflow
    }

    /// Adds what changed later, as far as there is room.
    pub(crate) fn extend(&mut self, later: impl IntoIterator<Item = FileChange>) {
        let mut bytes: usize = self.changes.iter().map(FileChange::bytes).sum();
        let mut last: HashMap<PathBuf, usize> = HashMap::new();
        for (index, change) in self.changes.iter().enumerate() {
            last.insert(change.path.clone(), index);
        }
        for change in later {
            let before = last.get(&change.path).map(|at| &self.changes[*at].kind);
            let is_told = change.kind == FileChangeKind::Modified
                && before.is_some_and(|before| *before != FileChangeKind::Removed);
            if is_told {
                continue;
            }
            bytes += change.bytes();
            // Details are kept as JSON, which has no other text.
            if self.changes.len() >= MOST || bytes > MOST_BYTES || !change.is_text() {
                self.overflow = true;
                return;
            }
            last.insert(change.path.clone(), self.changes.len());
            self.changes.push(change);
        }
    }
}

impl FileChange {
    fn paths(&self) -> impl Iterator<Item = &Path> {
        let from = match &self.kind {
            FileChangeKind::Renamed { from } => Some(from.as_path()),
            _ => None,
        };
        std::iter::once(self.path.as_path()).chain(from)
    }

    fn bytes(&self) -> usize {
        self.paths().map(|path| path.as_os_str().len()).sum()
    }

    fn is_text(&self) -> bool {
        self.paths().all(|path| path.to_str().is_some())
    }
}

#[cfg(test)]
mod tests {
    use std::{ffi::OsStr, os::unix::ffi::OsStrExt};

    use super::*;
    use FileChangeKind::{Created, Modified, Removed, Renamed};

    fn change(path: &str, kind: FileChangeKind) -> FileChange {
        let path = PathBuf::from(path);
        FileChange { path, kind }
    }

    fn told(list: Vec<FileChange>) -> FileChanges {
        let mut told = FileChanges::default();
        told.extend(list);
        told
    }

    #[test]
    fn what_is_told_as_changed_is_not_told_as_modified_again() {
        let from = PathBuf::from("/o");
        let renamed = Renamed { from };
        let list = vec![
            change("/a", Modified),
            change("/a", Modified),
            change("/b", Created),
            change("/b", Modified),
            change("/n", renamed.clone()),
            change("/n", Modified),
            change("/c", Removed),
            change("/c", Created),
            change("/c", Modified),
            change("/d", Removed),
            change("/d", Modified),
        ];
        let kept = vec![
            change("/a", Modified),
            change("/b", Created),
            change("/n", renamed),
            change("/c", Removed),
            change("/c", Created),
            change("/d", Removed),
            change("/d", Modified),
        ];
        let told = told(list);
        assert_eq!(told.changes, kept);
        assert!(!told.overflow);
        let mut more = told;
        more.extend([change("/a", Modified), change("/a", Removed)]);
        assert_eq!(more.changes.last(), Some(&change("/a", Removed)));
        assert_eq!(more.changes.len(), kept.len() + 1);
    }

    #[test]
    fn the_list_is_bounded_in_number_and_in_bytes() {
        let many = |count: usize| (0..count).map(|n| change(&format!("/{n}"), Created));
        assert!(!told(many(MOST).collect()).overflow);
        let over = told(many(MOST + 1).collect());
        assert!(over.overflow);
        assert_eq!(over.changes.len(), MOST);

        let long = |n: usize| change(&format!("/{n}{}", "x".repeat(4000)), Created);
        let over = told((0..40).map(long).collect());
        assert!(over.overflow);
        assert_eq!(over.changes.len(), MOST_BYTES / 4002);
    }

    #[test]
    fn a_path_that_is_no_text_is_an_overflow_and_the_rest_is_kept() {
        let path = PathBuf::from(OsStr::from_bytes(b"/\xff"));
        let kind = Created;
        let told = told(vec![change("/a", Created), FileChange { path, kind }]);
        assert!(told.overflow);
        assert_eq!(told.changes, [change("/a", Created)]);
        assert!(serde_json::to_string(&told).is_ok());
    }

    #[test]
    fn changes_are_kept_as_json_that_people_can_write() {
        let json = r#"{"changes":[{"path":"/a","kind":"created"},{"path":"/c","kind":{"renamed":{"from":"/b"}}}],"overflow":false}"#;
        let changes: FileChanges = serde_json::from_str(json).expect("changes");
        let from = PathBuf::from("/b");
        let listed = [change("/a", Created), change("/c", Renamed { from })];
        assert_eq!(changes.changes, listed);
        assert_eq!(serde_json::to_string(&changes).expect("JSON"), json);
        assert!(
            serde_json::from_str::<FileChanges>("{}")
                .expect("none")
                .is_empty()
        );
    }
}
