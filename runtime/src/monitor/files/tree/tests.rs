//! Real folders, and looks at them.

use std::{fs, thread};

use rustix::fs::{CWD, Mode, OFlags, mkdirat, openat};
use tempfile::TempDir;

use super::*;
use crate::FileChangeKind::{Created, Removed};

struct Bench {
    home: TempDir,
    tree: Tree,
}

impl Bench {
    fn new() -> Self {
        let home = TempDir::new().expect("a folder");
        let tree = Tree::new(home.path().to_owned(), true);
        Self { home, tree }
    }

    fn at(&self, path: &str) -> PathBuf {
        self.home.path().join(path)
    }

    fn write(&self, path: &str, content: &str) {
        fs::write(self.at(path), content).expect("written");
    }

    fn look(&mut self) -> Found {
        self.tree.look(&Dirty::everywhere(), None)
    }

    fn look_at(&mut self, path: &str) -> Found {
        let dirty = Dirty {
            all: false,
            paths: [self.at(path)].into(),
        };
        self.tree.look(&dirty, None)
    }

    /// Something changed, and nobody knows what.
    fn is_other(&mut self) -> bool {
        let changes = self.look().changes;
        assert_eq!(changes.changes, []);
        changes.overflow
    }
}

#[test]
fn a_large_folder_is_told_as_a_whole_when_something_changed() {
    let mut bench = Bench::new();
    bench.tree = bench.tree.with_most(4);
    for name in ["a", "b", "c"] {
        bench.write(name, "");
    }
    bench.look();
    fs::create_dir(bench.at("d")).expect("made");
    assert!(bench.is_other(), "it is large from now on");
    // Who looks from time to time finds nothing.
    assert!(!bench.is_other());
    assert!(!bench.is_other());
    bench.write("a", "longer");
    assert!(bench.is_other());
    assert!(!bench.is_other());
    fs::remove_file(bench.at("b")).expect("removed");
    assert!(bench.is_other(), "it is not large any more");
    bench.write("e", "");
    bench.tree.most = 9;
    let found = bench.look().changes;
    assert!(!found.overflow);
    let path = bench.at("e");
    let kinds: Vec<_> = found
        .changes
        .iter()
        .map(|one| (&one.path, &one.kind))
        .collect();
    assert_eq!(kinds, [(&path, &Created)]);
    let nothing = bench.tree.look(&Dirty::default(), None);
    assert!(nothing.changes.is_empty());
}

#[test]
fn in_a_large_folder_what_the_kernel_says_is_believed() {
    let mut bench = Bench::new();
    bench.tree = bench.tree.with_most(2);
    for name in ["a", "b", "c"] {
        bench.write(name, "");
    }
    bench.look();
    let found = bench.look_at("a").changes;
    assert!(found.overflow && found.changes.is_empty());
}

#[test]
fn a_number_that_is_given_again_is_no_rename() {
    let mut bench = Bench::new();
    bench.write("a", "1");
    bench.look();
    // On most file systems the next file has the number of the one before.
    fs::remove_file(bench.at("a")).expect("removed");
    bench.write("b", "12");
    let found = bench.look().changes.changes;
    let kinds: Vec<_> = found.iter().map(|change| &change.kind).collect();
    assert_eq!(kinds, [&Removed, &Created]);
}

#[test]
fn folders_may_be_as_deep_as_a_path() {
    let bench = Bench::new();
    let (home, mut tree) = (bench.home, bench.tree);
    let mut deep = home.path().to_owned();
    for _ in 0..1500 {
        deep.push("d");
        fs::create_dir(&deep).expect("made");
    }
    let little = thread::Builder::new().stack_size(256 << 10);
    let looks = little.spawn(move || {
        tree.look(&Dirty::everywhere(), None);
        fs::write(deep.join("file"), "").expect("written");
        let found = tree.look(&Dirty::everywhere(), None).changes;
        (tree.known.len(), found.changes.len())
    });
    let found = looks.expect("a thread").join().expect("no overflow");
    // The root is there as well.
    assert_eq!(found, (1502, 1));
    drop(home);
}

#[test]
fn what_cannot_be_seen_is_told_once() {
    let mut bench = Bench::new();
    let name = "n".repeat(250);
    let mut folder = openat(CWD, bench.home.path(), OFlags::PATH, Mode::empty()).expect("open");
    for _ in 0..17 {
        mkdirat(&folder, &*name, Mode::RWXU).expect("made");
        folder = openat(&folder, &*name, OFlags::PATH, Mode::empty()).expect("open");
    }
    let found = bench.look();
    assert_eq!(found.closed.len(), 1, "{:?}", found.closed);
    assert!(found.closed[0].as_os_str().len() > 4000);
    assert!(bench.look().closed.is_empty(), "again");
    // It goes with what it is in, and comes again.
    let aside = TempDir::new_in(bench.home.path().parent().expect("one")).expect("a folder");
    let other = aside.path().join("other");
    fs::rename(bench.at(&name), &other).expect("renamed");
    assert!(bench.look().closed.is_empty());
    fs::rename(&other, bench.at(&name)).expect("renamed");
    assert_eq!(bench.look().closed.len(), 1);
}

#[test]
fn a_folder_that_was_closed_is_looked_into_when_it_is_told() {
    let mut bench = Bench::new();
    fs::create_dir(bench.at("d")).expect("made");
    bench.look();
    bench.write("d/file", "");
    assert!(
        bench.look_at("d").changes.is_empty(),
        "it is watched itself"
    );
    bench.tree.closed.insert(bench.at("d"));
    let found = bench.look_at("d").changes.changes;
    let kinds: Vec<_> = found.iter().map(|change| &change.kind).collect();
    assert_eq!(kinds, [&Created]);
    assert!(bench.tree.closed.is_empty());
}

#[test]
fn the_sum_is_that_of_what_is_there_however_it_came_to_be() {
    let mut bench = Bench::new();
    fs::create_dir_all(bench.at("d/sub")).expect("made");
    bench.write("d/sub/a", "1");
    bench.write("b", "1");
    bench.look();
    let afresh = |bench: &Bench| {
        let mut tree = Tree::new(bench.home.path().to_owned(), true);
        tree.look(&Dirty::everywhere(), None);
        tree.sum()
    };
    let first = bench.tree.sum();
    assert_eq!(first, afresh(&bench));
    bench.write("b", "12");
    bench.look_at("b");
    assert_eq!(bench.tree.sum(), afresh(&bench));
    assert_ne!(bench.tree.sum(), first, "modified");
    fs::remove_file(bench.at("b")).expect("removed");
    bench.look_at("b");
    fs::rename(bench.at("d"), bench.at("e")).expect("renamed");
    bench.look_at("d");
    bench.look_at("e");
    assert_eq!(bench.tree.sum(), afresh(&bench));
    fs::rename(bench.at("e/sub/a"), bench.at("e/sub/c")).expect("renamed");
    let before = bench.tree.sum();
    bench.look_at("e/sub/a");
    bench.look_at("e/sub/c");
    assert_eq!(bench.tree.sum(), afresh(&bench));
    assert_ne!(bench.tree.sum(), before, "renamed");
}

#[test]
fn what_is_in_a_folder_is_known_without_what_is_below() {
    let mut bench = Bench::new();
    for folder in ["a", "a/b", "a/b/c", "a.b", "b"] {
        fs::create_dir(bench.at(folder)).expect("made");
    }
    bench.write("a/z", "");
    bench.write("a b", "");
    bench.look();
    let children = |folder: &str| bench.tree.children(&bench.at(folder));
    assert_eq!(children("a"), ["a/b", "a/z"].map(|name| bench.at(name)));
    let all = ["a", "a b", "a.b", "b"].map(|name| bench.at(name));
    assert_eq!(bench.tree.children(bench.home.path()), all);
    assert_eq!(children("b"), [] as [PathBuf; 0]);
}
