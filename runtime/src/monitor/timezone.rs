//! The local time zone: which one it is, when it becomes another, and when its offset moves.

use std::{
    fs::File,
    io::Read,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use jiff::{Timestamp, tz::TimeZone};
use tokio::sync::Notify;

use super::{Change, Changes, MonitorConfig};
use crate::clock::{Bell, Clock};

/// No zone file comes near it; what is larger is none.
const LARGEST: u64 = 1 << 20;

/// Removing and making a link are two events; between them there is no zone.
const SETTLE: Duration = Duration::from_millis(100);

/// The zone that `localtime` in `etc` names or holds; UTC when there is none or it is unusable,
/// as <https://man7.org/linux/man-pages/man5/localtime.5.html> has it.
pub(crate) fn current_zone(etc: &Path) -> TimeZone {
    let file = etc.join("localtime");
    let link = std::fs::read_link(&file).ok();
    if let Some(name) = link.as_deref().and_then(name_in)
        && let Ok(zone) = TimeZone::get(name)
    {
        return zone;
    }
    let Some(data) = read(&file) else {
        return TimeZone::UTC;
    };
    // A copy has no name; Debian keeps it beside.
    let name = read(&etc.join("timezone")).and_then(|name| String::from_utf8(name).ok());
    let name = name.as_deref().map(str::trim).filter(|name| usable(name));
    TimeZone::tzif(name.unwrap_or("localtime"), &data).unwrap_or_else(|error| {
        tracing::warn!(%error, file = %file.display(), "no usable time zone");
        TimeZone::UTC
    })
}

/// The zone of the process: `TZ` if it is set and usable, else the machine's.
fn zone(etc: &Path, tz: Option<&str>) -> TimeZone {
    let Some(tz) = tz else {
        return current_zone(etc);
    };
    let tz = tz.strip_prefix(':').unwrap_or(tz);
    let name = name_in(Path::new(tz)).unwrap_or(tz);
    TimeZone::get(name)
        .or_else(|_| TimeZone::posix(tz))
        .unwrap_or_else(|error| {
            tracing::warn!(%error, tz, "TZ is not usable");
            current_zone(etc)
        })
}

/// `Europe/Rome` of `../usr/share/zoneinfo/Europe/Rome`.
fn name_in(link: &Path) -> Option<&str> {
    let (_, name) = link.to_str()?.rsplit_once("zoneinfo/")?;
    Some(name.strip_prefix("posix/").unwrap_or(name))
}

fn usable(name: &str) -> bool {
    let allowed = |c: char| c.is_ascii_alphanumeric() || "/_+-".contains(c);
    !name.is_empty() && name.len() <= 64 && name.chars().all(allowed)
}

fn read(path: &Path) -> Option<Vec<u8>> {
    let mut data = Vec::new();
    let file = File::open(path).ok()?;
    // A device or a pipe in its place would never end, or block.
    let length = file.metadata().ok().filter(|m| m.is_file())?.len();
    if length > LARGEST {
        return None;
    }
    file.take(LARGEST).read_to_end(&mut data).ok()?;
    Some(data)
}

/// The zone now, and the future that reports its changes.
pub(super) fn watch(
    config: &MonitorConfig,
    bell: Option<&Bell>,
    clock: Arc<dyn Clock>,
    changes: Changes,
) -> (TimeZone, impl Future<Output = ()> + Send + use<>) {
    let (etc, tz) = (config.etc.clone(), config.tz.clone());
    let rung = Arc::new(Notify::new());
    // Watched first, read then: what happens between is not missed.
    let files = bell.and_then(|bell| files(bell, &etc, &rung));
    let at_start = zone(&etc, tz.as_deref());
    let mut seen = at_start.clone();
    let mut offset = seen.to_offset(clock.now());
    let run = async move {
        let _files = files;
        loop {
            tokio::select! {
                () = rung.notified() => clock.awake(SETTLE).await,
                () = next_transition(&*clock, &seen) => {}
            }
            let now_is = read_again(&etc, tz.as_deref()).await;
            let offset_now = now_is.to_offset(clock.now());
            if now_is.iana_name() == seen.iana_name() && offset_now == offset {
                // The rules may be others all the same.
                seen = now_is;
                continue;
            }
            (seen, offset) = (now_is, offset_now);
            if changes.send(Change::TimeZone(seen.clone())).is_err() {
                return;
            }
        }
    };
    (at_start, run)
}

async fn read_again(etc: &Path, tz: Option<&str>) -> TimeZone {
    let (etc, tz): (PathBuf, _) = (etc.to_owned(), tz.map(str::to_owned));
    let read = tokio::task::spawn_blocking(move || zone(&etc, tz.as_deref()));
    read.await.unwrap_or(TimeZone::UTC)
}

/// Waits for the next change of the offset; for ever in a zone without one.
async fn next_transition(clock: &dyn Clock, zone: &TimeZone) {
    let next: Option<Timestamp> = zone.following(clock.now()).next().map(|t| t.timestamp());
    match next {
        Some(at) => clock.until(at).await,
        None => std::future::pending().await,
    }
}

/// Rings when one of the two files in `etc` changes.
#[cfg(target_os = "linux")]
fn files(bell: &Bell, etc: &Path, rung: &Arc<Notify>) -> Option<crate::clock::Watch> {
    let watched = super::folder::watch(bell, etc, &["localtime", "timezone"], rung);
    watched
        .inspect_err(|error| {
            tracing::warn!(%error, etc = %etc.display(), "the time zone is not watched");
        })
        .ok()
}

#[cfg(not(target_os = "linux"))]
fn files(_: &Bell, _: &Path, _: &Arc<Notify>) -> Option<()> {
    None
}

#[cfg(all(test, target_os = "linux"))]
mod tests;
