//! Against a file system of our own, in a namespace, and files like the kernel's.

use std::{fs, path::Path, time::Duration};

use bgtask_model::Predicate::{self, LoadBelow, StorageNotLow};
use jiff::Timestamp;

use super::*;
use crate::{
    Reading::{Known, Unknown},
    clock::ManualClock,
    monitor::{
        Monitors,
        bench::{Told, declared, in_namespace, run},
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
