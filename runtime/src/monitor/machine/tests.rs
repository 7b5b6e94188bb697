//! Against a file system of our own, in a namespace, and files like the kernel's.

use std::{fs, path::Path, time::Duration};

use bgtask_model::Predicate::{self, LoadBelow, MemoryNotLow, StorageNotLow};
use jiff::Timestamp;
use tokio::sync::Notify;

use super::*;
use crate::{
    Reading::{Known, Unknown},
    clock::ManualClock,
    monitor::{
        Monitors,
        bench::{PATIENCE, Told, declared, in_namespace, run},
        demand::Need,
    },
};

/// Monitors whose time stands still.
fn start(storage: &[&Path], proc: &Path) -> (Arc<ManualClock>, Monitors, Told) {
    let clock = Arc::new(ManualClock::new(Timestamp::UNIX_EPOCH));
    let (sender, told) = Told::listen();
    let config = MonitorConfig {
        etc: "/nonexistent".into(),
        tz: None,
        network: false,
        network_manager: false,
        system_bus: Some("unix:path=/nonexistent/bus".to_owned()),
        storage: storage.iter().map(|&place| place.to_owned()).collect(),
        proc: proc.to_owned(),
        pressure: proc.join("memory"),
        ..MonitorConfig::default()
    };
    let monitors = Monitors::start(sender, clock.clone(), None, config);
    (clock, monitors, told)
}

fn need(monitors: &Monitors, condition: &str) {
    monitors.demand().need(&declared("startup", condition));
}

const NOWHERE: &str = "/nonexistent";

#[test]
fn a_disk_that_fills_up_is_low() {
    in_namespace(
        "mount",
        module_path!(),
        "a_disk_that_fills_up_is_low",
        async || {
            let folder = tempfile::tempdir().expect("a folder");
            let [disk, other] = ["disk", "other"].map(|name| folder.path().join(name));
            for disk in [&disk, &other] {
                fs::create_dir(disk).expect("made");
                let at = disk.to_str().expect("plain text");
                // 5 % of it are 51.2 KiB.
                let mount = ["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", at];
                run("util-linux", &mount);
            }
            let file = disk.join("file");
            let keep = |kib: usize| fs::write(&file, vec![1; (1024 - kib) << 10]).expect("written");
            keep(52);
            let (clock, monitors, mut told) =
                start(&[NOWHERE.as_ref(), &disk, &other], NOWHERE.as_ref());
            need(&monitors, "storage_not_low");
            told.until(StorageNotLow, Known(true), "file_system").await;
            keep(48);
            clock.waiting(1).await;
            clock.advance(Duration::from_secs(59));
            assert!(told.changes.try_recv().is_err(), "too early");
            clock.advance(Duration::from_secs(1));
            told.until(StorageNotLow, Known(false), "file_system").await;
            keep(64);
            clock.waiting(1).await;
            clock.advance(Duration::from_secs(60));
            told.until(StorageNotLow, Known(true), "file_system").await;
            for disk in [disk, other] {
                run(
                    "util-linux",
                    &["umount", disk.to_str().expect("plain text")],
                );
            }
        },
    );
}

#[tokio::test]
async fn where_there_is_no_disk_nobody_knows() {
    let (clock, monitors, mut told) = start(&[NOWHERE.as_ref()], NOWHERE.as_ref());
    need(&monitors, "storage_not_low");
    clock.waiting(1).await;
    let other = Predicate::AcPower;
    monitors.inject(&other, Known(true));
    told.until(other, Known(true), "injected").await;
    assert_eq!(told.last(&StorageNotLow), None);
}

/// What the kernel writes of two processors.
fn load(proc: &Path, average: &str) {
    let text = format!("{average} 0.50 0.40 2/345 6789\n");
    fs::write(proc.join("loadavg"), text).expect("written");
    let processor = |number| format!("processor\t: {number}\nmodel name\t: a\n\n");
    let text = processor(0) + &processor(1);
    fs::write(proc.join("cpuinfo"), text).expect("written");
}

#[tokio::test]
async fn the_load_is_that_of_each_processor() {
    let proc = tempfile::tempdir().expect("a folder");
    let (clock, monitors, mut told) = start(&[], proc.path());
    load(proc.path(), "1.59");
    need(&monitors, "load_below(0.8)");
    told.until(LoadBelow(800), Known(true), "load_average")
        .await;
    load(proc.path(), "1.60");
    clock.waiting(1).await;
    clock.advance(Duration::from_secs(29));
    // Who was woken would have looked by now: it runs on this thread.
    for _ in 0..8 {
        tokio::task::yield_now().await;
    }
    assert!(told.changes.try_recv().is_err(), "too early");
    clock.advance(Duration::from_secs(1));
    told.until(LoadBelow(800), Known(false), "load_average")
        .await;
    // More is needed: it is read at once.
    need(&monitors, "load_below(0.9) || !load_below(0.5)");
    told.until(LoadBelow(900), Known(true), "load_average")
        .await;
    told.until(LoadBelow(500), Known(false), "load_average")
        .await;
    fs::remove_file(proc.path().join("loadavg")).expect("removed");
    clock.waiting(1).await;
    clock.advance(Duration::from_secs(30));
    told.until(LoadBelow(800), Unknown, "load_average").await;
}

#[tokio::test]
async fn nothing_is_looked_at_before_somebody_needs_it() {
    let (clock, monitors, mut told) = start(&["/".as_ref()], "/proc".as_ref());
    need(&monitors, "ac_power && internet");
    let other = Predicate::Internet;
    monitors.inject(&other, Known(true));
    told.until(other, Known(true), "injected").await;
    told.facts.remove(&Predicate::AcPower);
    assert_eq!(clock.count(), 0, "somebody waits");
    need(&monitors, "load_below(100) && storage_not_low");
    // The real ones.
    told.until(LoadBelow(100_000), Known(true), "load_average")
        .await;
    clock.waiting(2).await; // And no more once nobody does.
    let release = |condition| monitors.demand().release(&declared("startup", condition));
    release("load_below(100) && storage_not_low");
    told.until(LoadBelow(100_000), Unknown, "load_average")
        .await;
    told.until(StorageNotLow, Unknown, "file_system").await;
    assert_eq!(clock.count(), 0, "somebody waits");
}

/// What the kernel writes while some wait for so many percent of the time.
fn pressure(file: &Path, percent: &str) {
    let line = |kind| format!("{kind} avg10={percent} avg60=0.00 avg300=0.00 total=7\n");
    fs::write(file, line("some") + &line("full")).expect("written");
}

/// Watches a file, with somebody who rings where `set` gives one.
struct Watched {
    file: PathBuf,
    clock: Arc<ManualClock>,
    said: mpsc::UnboundedReceiver<Report>,
    needs: watch::Sender<Needs>,
    _folder: tempfile::TempDir,
}

impl Watched {
    fn start(set: impl Fn(Arc<Notify>) -> Option<()> + Send + Sync + 'static) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let file = folder.path().join("memory");
        pressure(&file, "0.00");
        let clock = Arc::new(ManualClock::new(Timestamp::UNIX_EPOCH));
        let (reports, said) = mpsc::unbounded_channel();
        let mut all = Needs::default();
        all.add(Need::Fact(MemoryNotLow));
        let (needs, needed) = watch::channel(all);
        tokio::spawn(pressure::watch(
            file.clone(),
            move |_: &Path, rung| set(rung),
            clock.clone(),
            needed,
            reports,
        ));
        Self {
            file,
            clock,
            said,
            needs,
            _folder: folder,
        }
    }

    /// The next report.
    async fn is(&mut self, expected: crate::Reading) {
        self.tells(Some(expected)).await;
    }

    /// The next report; `None`: nobody looks any more.
    async fn tells(&mut self, expected: Option<crate::Reading>) {
        let report = self.said.recv().await.expect("a report");
        assert_eq!((report.fact, report.reading), (MemoryNotLow, expected));
    }

    async fn after(&self, seconds: u64) {
        self.clock.waiting(1).await;
        self.clock.advance(Duration::from_secs(seconds));
    }
}

#[tokio::test]
async fn where_the_kernel_does_not_tell_the_pressure_is_looked_at() {
    let mut watched = Watched::start(|_| None);
    watched.is(Known(true)).await;
    for (percent, expected) in [
        ("4.99", Known(true)),
        ("5.00", Known(false)),
        ("2.50", Known(false)),
        ("2.49", Known(true)),
        ("2.50", Known(true)),
        ("", Unknown),
        ("0.00", Known(true)),
    ] {
        match percent {
            "" => fs::remove_file(&watched.file).expect("removed"),
            percent => pressure(&watched.file, percent),
        }
        watched.after(10).await;
        watched.is(expected).await;
    }
    watched.needs.send_replace(Needs::default());
    watched.tells(None).await;
    assert_eq!(watched.clock.count(), 0, "somebody waits");
}

#[tokio::test]
async fn memory_is_low_until_it_is_calm() {
    let (bells, mut set) = mpsc::unbounded_channel();
    let mut watched = Watched::start(move |rung| bells.send(rung).ok());
    let rung = set.recv().await.expect("somebody who rings");
    watched.is(Known(true)).await;
    assert_eq!(watched.clock.count(), 0, "the kernel tells");
    rung.notify_one();
    watched.is(Known(false)).await;
    watched.after(9).await;
    rung.notify_one();
    watched.is(Known(false)).await;
    // The time of calm begins anew, and what lasts lasts.
    watched.after(9).await;
    pressure(&watched.file, "3.00");
    watched.after(1).await;
    watched.is(Known(false)).await;
    pressure(&watched.file, "2.00");
    watched.after(10).await;
    watched.is(Known(true)).await;
    assert_eq!(watched.clock.count(), 0, "the kernel tells");
}

#[tokio::test]
async fn a_condition_has_the_pressure_watched() {
    let proc = tempfile::tempdir().expect("a folder");
    pressure(&proc.path().join("memory"), "5.00");
    let (clock, monitors, mut told) = start(&[], proc.path());
    need(&monitors, "!memory_not_low");
    told.until(MemoryNotLow, Known(false), "pressure").await;
    clock.waiting(1).await;
    let released = declared("startup", "!memory_not_low");
    monitors.demand().release(&released);
    told.until(MemoryNotLow, Unknown, "pressure").await;
}

/// Of processors: they can be kept busy without harm, and the kernel tells it in the same way.
#[tokio::test]
async fn what_waits_for_memory_is_told_by_the_kernel() {
    use std::sync::atomic::{AtomicBool, Ordering};

    let bell = Bell::start().expect("a thread");
    let rung = Arc::new(Notify::new());
    let trigger = pressure::Trigger::set(&bell, "/proc/pressure/cpu".as_ref(), rung.clone());
    let trigger = trigger.expect("a kernel with pressure stall information, 6.5 or newer");
    let end = Arc::new(AtomicBool::new(false));
    let processors = std::thread::available_parallelism()
        .expect("a number")
        .get();
    let busy: Vec<_> = (0..processors * 3)
        .map(|_| {
            let end = Arc::clone(&end);
            std::thread::spawn(move || {
                while !end.load(Ordering::Relaxed) {
                    std::hint::spin_loop();
                }
            })
        })
        .collect();
    let told = tokio::time::timeout(PATIENCE, rung.notified()).await;
    end.store(true, Ordering::Relaxed);
    for thread in busy {
        thread.join().expect("its end");
    }
    told.expect("the kernel tells");
    // Once in 2 s at most: the file is always readable, and that is not listened to.
    assert!(bell.wakeups() < 100, "{bell:?}");
    drop(trigger);
    let nowhere = pressure::Trigger::set(&bell, "/nonexistent".as_ref(), rung);
    assert!(nowhere.is_none());
}

#[test]
fn a_service_watches_its_own_pressure() {
    let folder = tempfile::tempdir().expect("a folder");
    let own = folder.path().join("memory.pressure");
    let of_all = Path::new("/proc/pressure/memory");
    let file = |watch: &Path| pressure_file(Some(watch.into()));
    assert_eq!(file(&own), of_all, "it is not there");
    fs::write(&own, "").expect("written");
    assert_eq!(file(&own), own);
    // Told not to watch; and what is no path of a file.
    for other in ["/dev/null", "memory.pressure", ""] {
        assert_eq!(file(other.as_ref()), of_all, "{other}");
    }
    assert_eq!(pressure_file(None), of_all);
}
