use std::{fs, os::unix::fs::symlink};

use tokio::sync::mpsc;

use super::*;
use crate::{
    clock::{ManualClock, SystemClock},
    monitor::Monitors,
};

/// A zone file: version 1, no transition, one type an hour east of UTC named `X`.
const AN_HOUR_EAST: &[u8] = b"TZif\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\
    \0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\x01\0\0\0\x02\0\0\x0e\x10\0\0X\0";

fn etc(zone: &str) -> tempfile::TempDir {
    let etc = tempfile::tempdir().expect("a folder");
    link(etc.path(), zone);
    etc
}

fn link(etc: &Path, zone: &str) {
    let target = format!("../usr/share/zoneinfo/{zone}");
    symlink(target, etc.join("localtime")).expect("a link");
}

fn config(etc: &Path) -> MonitorConfig {
    MonitorConfig {
        etc: etc.to_owned(),
        tz: None,
        network: false,
        network_manager: false,
        ..MonitorConfig::default()
    }
}

fn offset(zone: &TimeZone) -> i32 {
    zone.to_offset(Timestamp::UNIX_EPOCH).seconds()
}

#[test]
fn names_come_from_the_link() {
    for (target, name) in [
        ("../usr/share/zoneinfo/Europe/Rome", Some("Europe/Rome")),
        ("/usr/share/zoneinfo/posix/Asia/Tokyo", Some("Asia/Tokyo")),
        ("/nix/store/x-tzdata/share/zoneinfo/UTC", Some("UTC")),
        ("/somewhere/else", None),
    ] {
        assert_eq!(name_in(Path::new(target)), name, "{target}");
    }
    assert_eq!(
        current_zone(etc("Europe/Rome").path()).iana_name(),
        Some("Europe/Rome")
    );
}

#[test]
fn a_copy_is_read_and_named_by_the_file_beside_it() {
    let etc = tempfile::tempdir().expect("a folder");
    fs::write(etc.path().join("localtime"), AN_HOUR_EAST).expect("written");
    let zone = current_zone(etc.path());
    assert_eq!((offset(&zone), zone.iana_name()), (3600, Some("localtime")));
    fs::write(etc.path().join("timezone"), "Africa/Lagos\n").expect("written");
    let zone = current_zone(etc.path());
    assert_eq!(
        (offset(&zone), zone.iana_name()),
        (3600, Some("Africa/Lagos"))
    );
    fs::write(etc.path().join("timezone"), b"\xff../../x y").expect("written");
    assert_eq!(current_zone(etc.path()).iana_name(), Some("localtime"));
}

#[test]
fn what_is_missing_or_garbage_is_utc() {
    let etc = tempfile::tempdir().expect("a folder");
    assert_eq!(current_zone(etc.path()), TimeZone::UTC);
    let file = etc.path().join("localtime");
    for garbage in [&b""[..], b"TZif", b"TZif2\0\0", &[0xff; 4096]] {
        fs::write(&file, garbage).expect("written");
        assert_eq!(current_zone(etc.path()), TimeZone::UTC);
    }
    for length in 0..AN_HOUR_EAST.len() {
        fs::write(&file, &AN_HOUR_EAST[..length]).expect("written");
        assert_eq!(current_zone(etc.path()), TimeZone::UTC, "{length} bytes");
    }
    fs::File::create(&file)
        .and_then(|file| file.set_len(LARGEST + 1))
        .expect("a large file");
    assert_eq!(current_zone(etc.path()), TimeZone::UTC);
    fs::remove_file(&file).expect("removed");
    fs::create_dir(&file).expect("a folder in its place");
    assert_eq!(current_zone(etc.path()), TimeZone::UTC);
}

#[test]
fn tz_overrides_the_file() {
    let etc = etc("Europe/Rome");
    for (tz, name, east) in [
        (Some("Asia/Tokyo"), Some("Asia/Tokyo"), 9),
        (Some(":Asia/Tokyo"), Some("Asia/Tokyo"), 9),
        (
            Some("/usr/share/zoneinfo/Asia/Tokyo"),
            Some("Asia/Tokyo"),
            9,
        ),
        (Some("XXX-2"), None, 2),
        (Some("no such zone"), Some("Europe/Rome"), 1),
        (None, Some("Europe/Rome"), 1),
    ] {
        let zone = zone(etc.path(), tz);
        assert_eq!(zone.iana_name(), name, "{tz:?}");
        assert_eq!(offset(&zone), east * 3600, "{tz:?}");
    }
}

#[tokio::test]
async fn every_way_to_change_the_file_is_seen() {
    let etc = etc("Etc/UTC");
    let path = etc.path();
    let bell = Bell::start().expect("a thread");
    let clock = Arc::new(SystemClock::with_bell(&bell).expect("a timer"));
    let (sender, mut changes) = mpsc::unbounded_channel();
    let monitors = Monitors::start(sender, clock, Some(&bell), config(path));
    assert_eq!(monitors.zone().iana_name(), Some("Etc/UTC"));
    let mut next = async || loop {
        match changes.recv().await.expect("running monitors") {
            Change::TimeZone(zone) => break zone,
            // The machine's own clock may be set while this runs.
            Change::Clock => {}
            other => panic!("{other:?}"),
        }
    };

    // A file beside it is nobody's business; the next event shows that it was silent.
    fs::write(path.join("hostname"), "x").expect("written");
    // Renamed over, as systemd does.
    symlink("/usr/share/zoneinfo/Europe/Rome", path.join("new")).expect("a link");
    fs::rename(path.join("new"), path.join("localtime")).expect("renamed");
    assert_eq!(next().await.iana_name(), Some("Europe/Rome"));
    // Removed and made again, as `ln -sf` does: no detour over UTC is reported.
    fs::remove_file(path.join("localtime")).expect("removed");
    link(path, "Asia/Tokyo");
    assert_eq!(next().await.iana_name(), Some("Asia/Tokyo"));
    // A copy.
    fs::remove_file(path.join("localtime")).expect("removed");
    fs::write(path.join("localtime"), AN_HOUR_EAST).expect("written");
    assert_eq!(offset(&next().await), 3600);
    // Gone.
    fs::remove_file(path.join("localtime")).expect("removed");
    assert_eq!(next().await, TimeZone::UTC);
}

#[tokio::test]
async fn daylight_saving_time_is_a_change() {
    let etc = etc("Europe/Rome");
    let before: Timestamp = "2026-03-29T00:59:00Z".parse().expect("a time");
    let clock = Arc::new(ManualClock::new(before));
    let (sender, mut changes) = mpsc::unbounded_channel();
    let monitors = Monitors::start(sender, clock.clone(), None, config(etc.path()));
    assert_eq!(monitors.zone().to_offset(before).seconds(), 3600);
    for (next, east) in [("2026-03-29T01:00:00Z", 2), ("2026-10-25T01:00:00Z", 1)] {
        clock.waiting(1).await;
        let next: Timestamp = next.parse().expect("a time");
        let wait = Duration::try_from(next.duration_since(clock.now())).expect("the future");
        clock.advance(wait);
        let Some(Change::TimeZone(zone)) = changes.recv().await else {
            panic!("the zone changes first");
        };
        assert_eq!(zone.to_offset(next).seconds(), east * 3600);
    }
}

#[tokio::test]
async fn a_step_of_the_clock_is_reported_and_its_offset_looked_at() {
    let etc = etc("Europe/Rome");
    let winter: Timestamp = "2026-01-10T00:00:00Z".parse().expect("a time");
    let clock = Arc::new(ManualClock::new(winter));
    let (sender, mut changes) = mpsc::unbounded_channel();
    let _monitors = Monitors::start(sender, clock.clone(), None, config(etc.path()));
    clock.waiting(1).await;
    clock.set("2026-07-10T00:00:00Z".parse().expect("a time"));
    let mut got = [changes.recv().await, changes.recv().await];
    got.sort_by_key(|change| matches!(change, Some(Change::TimeZone(_))));
    assert_eq!(got[0], Some(Change::Clock));
    assert!(matches!(&got[1], Some(Change::TimeZone(zone)) if offset(zone) == 3600));
}
