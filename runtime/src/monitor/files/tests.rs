//! Real folders and the kernel's real inotify; only the time to wait is turned by hand.

use std::fs;

use bgtask_model::Trigger;
use jiff::Timestamp;
use tempfile::TempDir;
use tokio::{sync::mpsc, task::JoinHandle};

use super::*;
use crate::{
    FileChange,
    FileChangeKind::{self, Created, Modified, Removed, Renamed},
    clock::ManualClock,
    monitor::{
        Change,
        sources::{self, Sources, Surroundings},
    },
};

struct Bench {
    clock: Arc<ManualClock>,
    sources: Sources,
    folders: Shared,
    told: mpsc::UnboundedReceiver<Change>,
    home: TempDir,
    serves: JoinHandle<()>,
}

impl Drop for Bench {
    fn drop(&mut self) {
        self.serves.abort();
    }
}

impl Bench {
    fn new() -> Self {
        let clock = Arc::new(ManualClock::new(Timestamp::UNIX_EPOCH));
        let home = TempDir::new().expect("a folder");
        let (changes, told) = mpsc::unbounded_channel();
        let folders = Shared::default();
        let (sources, serve) = sources::start(Surroundings {
            home: Some(home.path().to_owned()),
            clock: clock.clone(),
            bell: Some(Bell::start().expect("a thread")),
            changes,
            folders: folders.clone(),
        });
        Self {
            clock,
            sources,
            folders,
            told,
            home,
            serves: tokio::spawn(serve),
        }
    }

    /// One that watches a folder in the home.
    async fn watching(path: &str, recursive: bool, before: impl FnOnce(&Self)) -> Self {
        let bench = Self::new();
        before(&bench);
        bench.watch(path, recursive).await;
        bench
    }

    async fn watch(&self, path: &str, recursive: bool) {
        let path = format!("~/{path}");
        let trigger = Trigger::Files { path, recursive };
        self.sources.want([trigger].into()).await;
    }

    fn at(&self, path: &str) -> PathBuf {
        self.home.path().join(path)
    }

    fn make(&self, folder: &str) {
        fs::create_dir_all(self.at(folder)).expect("a folder");
    }

    fn write(&self, path: &str, content: &str) {
        fs::write(self.at(path), content).expect("written");
    }

    fn rename(&self, from: &str, to: &str) {
        fs::rename(self.at(from), self.at(to)).expect("renamed");
    }

    /// The next that is told, time passing as it has to.
    async fn next(&mut self) -> FileChanges {
        loop {
            tokio::select! {
                biased;
                change = self.told.recv() => {
                    if let Some(Change::Looked { .. }) = change {
                        continue;
                    }
                    let Some(Change::Raised { details, .. }) = change else {
                        panic!("told {change:?}");
                    };
                    return details.files.expect("changes of files");
                }
                () = self.clock.waiting(1) => {
                    self.clock.advance(burst::QUIET);
                    tokio::task::yield_now().await;
                }
            }
        }
    }

    /// As lines, paths within the home: `created a/b`.
    async fn lines(&mut self) -> Vec<String> {
        let told = self.next().await;
        assert!(!told.overflow, "{told:?}");
        told.changes
            .iter()
            .map(|change| self.line(change))
            .collect()
    }

    fn line(&self, change: &FileChange) -> String {
        let inside = |path: &Path| {
            let inside = path.strip_prefix(self.home.path()).expect("in the home");
            inside.display().to_string()
        };
        let path = inside(&change.path);
        match &change.kind {
            Created => format!("created {path}"),
            Modified => format!("modified {path}"),
            Removed => format!("removed {path}"),
            Renamed { from } => format!("renamed {} {path}", inside(from)),
        }
    }

    /// Nothing else was told before this.
    async fn is_told_next(&mut self, kind: FileChangeKind, path: &str) {
        let path = self.at(path);
        let changes = vec![FileChange { path, kind }];
        assert_eq!(self.next().await.changes, changes);
    }
}

#[tokio::test]
async fn what_was_there_before_is_not_told_and_a_burst_is_told_at_once() {
    let mut bench = Bench::watching("d", false, |bench| {
        bench.make("d/sub");
        bench.write("d/old", "1");
        bench.write("d/other", "1");
    })
    .await;
    for n in 0..10 {
        bench.write(&format!("d/{n}"), "");
    }
    bench.write("d/old", "12");
    fs::remove_file(bench.at("d/other")).expect("removed");
    bench.write("d/brief", "");
    fs::remove_file(bench.at("d/brief")).expect("removed");
    // Not in this folder.
    bench.write("d/sub/in", "");
    bench.write("beside", "");
    let mut lines = vec!["removed d/other".to_owned()];
    lines.extend((0..10).map(|n| format!("created d/{n}")));
    lines.push("modified d/old".to_owned());
    assert_eq!(bench.lines().await, lines);
    bench.write("d/sub/in", "more");
    bench.write("d/last", "");
    bench.is_told_next(Created, "d/last").await;
}

#[tokio::test]
async fn what_is_renamed_is_told_with_where_it_was() {
    let mut bench = Bench::watching("d", true, |bench| {
        bench.make("d/album");
        bench.make("elsewhere");
        bench.write("d/a", "1");
        bench.write("d/album/1", "1");
        bench.write("d/album/2", "2");
        bench.write("d/leaves", "1");
        bench.write("elsewhere/comes", "1");
    })
    .await;
    bench.rename("d/a", "d/album/a");
    bench.rename("d/album", "d/trip");
    bench.rename("d/trip/2", "d/two");
    bench.rename("d/leaves", "elsewhere/leaves");
    bench.rename("elsewhere/comes", "d/comes");
    let lines = [
        "removed d/leaves",
        "renamed d/album d/trip",
        "renamed d/a d/trip/a",
        "renamed d/album/2 d/two",
        "created d/comes",
    ];
    assert_eq!(bench.lines().await, lines);
    // It is still watched, under its new name.
    bench.write("d/trip/new", "");
    bench.is_told_next(Created, "d/trip/new").await;
}

#[tokio::test]
async fn an_atomic_save_is_one_modification_of_what_is_saved() {
    let mut bench = Bench::watching("d/config", false, |bench| {
        bench.make("d");
        bench.write("d/config", "same");
    })
    .await;
    bench.write("d/.config.tmp", "same");
    bench.rename("d/.config.tmp", "d/config");
    bench.is_told_next(Modified, "d/config").await;
    // The file that is there now is watched, and nothing beside it.
    bench.write("d/beside", "");
    bench.write("d/config", "longer");
    bench.is_told_next(Modified, "d/config").await;
}

#[tokio::test]
async fn a_folder_is_followed_when_it_comes_goes_and_comes_again() {
    let mut bench = Bench::watching("a/b/c", true, |_| {}).await;
    bench.make("a/b/c/deep");
    bench.write("a/b/c/deep/1", "");
    let lines = [
        "created a/b/c",
        "created a/b/c/deep",
        "created a/b/c/deep/1",
    ];
    assert_eq!(bench.lines().await, lines);
    fs::remove_dir_all(bench.at("a")).expect("removed");
    let lines = [
        "removed a/b/c",
        "removed a/b/c/deep",
        "removed a/b/c/deep/1",
    ];
    assert_eq!(bench.lines().await, lines);
    bench.make("a/b/c");
    bench.is_told_next(Created, "a/b/c").await;
    bench.write("a/b/c/2", "");
    bench.is_told_next(Created, "a/b/c/2").await;
    // Another one in its place, with a folder above it.
    bench.make("x/b/c");
    bench.write("x/b/c/3", "");
    bench.rename("a", "y");
    bench.rename("x", "a");
    assert_eq!(bench.lines().await, ["removed a/b/c/2", "created a/b/c/3"]);
    bench.write("a/b/c/3", "more");
    bench.is_told_next(Modified, "a/b/c/3").await;
}

#[tokio::test]
async fn a_path_may_be_a_link_and_links_below_it_are_not_followed() {
    use std::os::unix::fs::symlink;

    let mut bench = Bench::watching("link", true, |bench| {
        bench.make("one");
        bench.make("two");
        bench.make("outside");
        bench.write("two/2", "");
        symlink(bench.at("outside"), bench.at("one/out")).expect("a link");
        symlink(bench.at("one"), bench.at("link")).expect("a link");
    })
    .await;
    bench.write("outside/1", "");
    bench.write("one/1", "");
    bench.is_told_next(Created, "link/1").await;
    fs::remove_file(bench.at("link")).expect("removed");
    symlink(bench.at("two"), bench.at("link")).expect("a link");
    let lines = ["removed link/1", "removed link/out", "created link/2"];
    assert_eq!(bench.lines().await, lines);
    bench.write("two/3", "");
    bench.is_told_next(Created, "link/3").await;
}

#[tokio::test]
async fn files_of_a_new_folder_are_told_however_fast_they_are_made() {
    let mut bench = Bench::watching("d", true, |bench| bench.make("d")).await;
    for n in 0..20 {
        bench.make(&format!("d/{n}/a/b"));
        bench.write(&format!("d/{n}/a/b/file"), "");
    }
    let mut told = Vec::new();
    while told.len() < 80 {
        told.extend(bench.lines().await);
    }
    for n in 0..20 {
        assert!(
            told.contains(&format!("created d/{n}/a/b/file")),
            "{told:?}"
        );
    }
    assert_eq!(told.len(), 80, "each once: {told:?}");
}

#[tokio::test]
async fn nothing_is_lost_when_the_kernels_queue_overruns() {
    let limit = fs::read_to_string("/proc/sys/fs/inotify/max_queued_events").expect("a limit");
    let limit: usize = limit.trim().parse().expect("a number");
    let bench = Bench::new();
    bench.make("d");
    bench.write("d/0", "");
    bench.write("d/1", "");
    let bell = Bell::start().expect("a thread");
    let watcher = bench.folders.watcher(&bell).expect("a watcher");
    let mut tree = Tree::new(bench.at("d"), false);
    tree.look(&Dirty::everywhere(), Some(&watcher));
    {
        let _unread = watcher.unread();
        // The kernel joins events only while they are the same as the last one.
        for n in 0..=limit {
            bench.write(&format!("d/{}", n % 2), "");
        }
        bench.write("d/after", "");
    }
    let dirty = watcher.take();
    assert_eq!(dirty, Dirty::everywhere());
    let found = tree.look(&dirty, Some(&watcher)).changes;
    let lines: Vec<_> = found.changes.iter().map(|one| bench.line(one)).collect();
    let expected = ["created d/after", "modified d/0", "modified d/1"];
    assert_eq!(lines, expected);
}

#[tokio::test]
async fn what_changed_while_nobody_watched_is_told_as_a_whole() {
    let mut bench = Bench::new();
    bench.make("d");
    let path = bench.at("d").display().to_string();
    let trigger = Trigger::Files {
        path: path.clone(),
        recursive: false,
    };
    let (changes, told) = mpsc::unbounded_channel();
    bench.told = told;
    // It was told that it listens; then it failed, and here it is started again.
    let teller = Teller::of(trigger, changes);
    teller.listens();
    let place = Place {
        path,
        recursive: false,
        home: None,
        bell: Some(Bell::start().expect("a thread")),
        shared: Shared::default(),
    };
    let watches = tokio::spawn(watch(place, bench.clock.clone(), teller));
    let told = bench.next().await;
    assert!(told.overflow && told.changes.is_empty(), "{told:?}");
    bench.write("d/new", "");
    bench.is_told_next(Created, "d/new").await;
    watches.abort();
}

#[tokio::test]
async fn what_cannot_be_watched_is_looked_at() {
    let mut tree = Tree::new("/nowhere".into(), false);
    let looking = |watcher| Looking {
        tree: Tree::new("/nowhere".into(), false),
        watcher,
    };
    let clock = ManualClock::new(Timestamp::UNIX_EPOCH);
    let alone = looking(None);
    let (dirty, ()) = tokio::join!(alone.wait(&clock, true), async {
        clock.waiting(1).await;
        clock.advance(LOOK_AGAIN);
    });
    assert_eq!(dirty, Dirty::everywhere());
    assert!(tree.look(&dirty, None).changes.is_empty());

    // The limit of watches is reached: one more look, and what rings rings.
    let bell = Bell::start().expect("a thread");
    let watcher = Shared::default().watcher(&bell).expect("a watcher");
    let partly = looking(Some(watcher));
    let (dirty, ()) = tokio::join!(partly.wait(&clock, false), async {
        clock.waiting(1).await;
        clock.advance(LOOK_AGAIN);
    });
    assert_eq!(dirty, Dirty::everywhere());
}

#[tokio::test]
async fn folders_share_one_instance_that_ends_with_the_last_of_them() {
    let bench = Bench::new();
    bench.make("a");
    bench.make("b");
    let files = |path: &str| Trigger::Files {
        path: format!("~/{path}"),
        recursive: true,
    };
    bench.sources.want([files("a"), files("b")].into()).await;
    let shared = bench.folders.0.lock().expect("whole").clone();
    let one = shared.upgrade().expect("open");
    assert_eq!(one.watchers(), 2);
    drop(one);
    bench.sources.want([].into()).await;
    while shared.strong_count() > 0 {
        tokio::task::yield_now().await;
    }
}

#[test]
fn the_home_is_named_by_a_tilde() {
    let home = Some(Path::new("/users/ada"));
    assert_eq!(absolute("~", home), Ok("/users/ada".into()));
    assert_eq!(absolute("~/a/b", home), Ok("/users/ada/a/b".into()));
    assert_eq!(absolute("/a/~", home), Ok("/a/~".into()));
    assert!(absolute("~/a", None).is_err());
    assert_eq!(absolute("/a", None), Ok("/a".into()));
}
