use std::{cell::Cell, fs, os::unix::fs::PermissionsExt};

use tempfile::TempDir;

use super::*;

fn open() -> (Arc<Bell>, Arc<Inotify>, TempDir) {
    let bell = Bell::start().expect("a thread");
    let inotify = Inotify::open(&bell).expect("an instance");
    (bell, inotify, TempDir::new().expect("a folder"))
}

impl Inotify {
    /// Nobody but who takes reads what the kernel says.
    fn unheard(&self) {
        *self.watch.lock().expect("whole") = None;
    }
}

fn at(paths: impl IntoIterator<Item = PathBuf>) -> Dirty {
    Dirty {
        all: false,
        paths: paths.into_iter().collect(),
    }
}

#[test]
fn nobody_waits_while_a_file_system_takes_its_time() {
    let (_bell, inotify, folder) = open();
    inotify.unheard();
    let watcher = inotify.watcher();
    let asked = Cell::new(0);
    let ask = || {
        asked.set(asked.get() + 1);
        assert!(inotify.state.try_lock().is_ok(), "somebody waits");
        watcher.ask(folder.path())
    };
    assert_eq!(watcher.add(folder.path(), None, ask), Ok(()));
    assert_eq!(asked.get(), 1);
}

#[test]
fn a_watch_that_another_gave_up_meanwhile_is_asked_for_again() {
    let (_bell, inotify, folder) = open();
    let (one, other) = (inotify.watcher(), inotify.watcher());
    one.folder(folder.path()).expect("watched");
    let ask = || {
        let asked = other.ask(folder.path());
        one.leave(folder.path());
        asked
    };
    assert_eq!(other.add(folder.path(), None, ask), Ok(()));
    let file = folder.path().join("file");
    fs::write(&file, "").expect("written");
    assert_eq!(other.take(), at([file]));
    assert!(one.take().is_empty());
    assert!(inotify.state().ended.is_empty(), "nobody asks any more");
}

#[test]
fn others_have_their_turn_while_much_changes() {
    let (_bell, inotify, folder) = open();
    inotify.unheard();
    let watcher = inotify.watcher();
    watcher.folder(folder.path()).expect("watched");
    let files = (0..MOST_READ).map(|n| folder.path().join(n.to_string()));
    let files: Vec<PathBuf> = files.collect();
    for file in &files {
        // It is made, and it is written.
        fs::write(file, "").expect("written");
    }
    assert_eq!(inotify.drain(), Ok(false), "a part of it");
    assert_eq!(watcher.take(), at(files), "all of it");
    assert_eq!(inotify.drain(), Ok(true));
}

#[test]
fn what_is_left_is_a_folder_with_all_below_it_and_nothing_beside_it() {
    let (_bell, inotify, folder) = open();
    let watcher = inotify.watcher();
    let of = |name: &str| folder.path().join(name);
    for name in ["a", "a/b", "a b", "ab"] {
        fs::create_dir(of(name)).expect("made");
    }
    for name in ["a", "a/b", "a b", "ab"] {
        watcher.folder(&of(name)).expect("watched");
    }
    watcher.leave(&of("a"));
    for name in ["a/1", "a/b/2", "a b/3", "ab/4"] {
        fs::write(of(name), "").expect("written");
    }
    assert_eq!(watcher.take(), at(["a b/3", "ab/4"].map(of)));
    assert_eq!(watcher.own().len(), 2);
    assert_eq!(inotify.state().folders.len(), 2);
}

#[test]
fn what_may_be_read_from_now_on_is_told() {
    let (_bell, inotify, folder) = open();
    let watcher = inotify.watcher();
    let closed = folder.path().join("closed");
    fs::create_dir(&closed).expect("made");
    watcher.folder(folder.path()).expect("watched");
    fs::set_permissions(&closed, fs::Permissions::from_mode(0o700)).expect("set");
    assert_eq!(watcher.take(), at([closed]));
}
