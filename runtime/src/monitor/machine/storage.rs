//! Whether there is space left. Low is what Android takes for it: less than 500 MiB, or less than
//! 5 % where that is less
//! (<https://android.googlesource.com/platform/frameworks/base/+/refs/heads/main/core/java/android/os/storage/StorageManager.java>).

use std::{path::PathBuf, sync::Arc, time::Duration};

use bgtask_model::Predicate;
use tokio::sync::{mpsc, watch};

use crate::{
    Reading,
    clock::Clock,
    monitor::{
        demand::Needs,
        hub::{Report, Source},
    },
};

/// How often it is looked at.
const LOOK_AGAIN: Duration = Duration::from_secs(60);

/// What is low at the most.
const MOST: u64 = 500 << 20;

/// In bytes.
#[derive(Clone, Copy, Debug)]
struct Space {
    total: u64,
    /// For users other than root.
    free: u64,
}

impl Space {
    /// What was low is so until there is a quarter more, so that it does not swing.
    fn is_low(self, was_low: bool) -> bool {
        let low = (self.total / 20).min(MOST);
        let low = if was_low { low + low / 4 } else { low };
        self.free < low
    }
}

/// Looks at the file systems of these places while somebody needs it.
pub(super) async fn watch(
    places: Vec<PathBuf>,
    clock: Arc<dyn Clock>,
    mut needs: watch::Receiver<Needs>,
    reports: mpsc::UnboundedSender<Report>,
) {
    let fact = Predicate::StorageNotLow;
    let report = |reading| Report {
        fact: fact.clone(),
        source: Source::FileSystem,
        reading,
    };
    let mut low = vec![false; places.len()];
    // Once nobody is left who could need it, it fails.
    while needs.wait_for(|needs| needs.has(&fact)).await.is_ok() {
        let spaces = read(places.clone()).await;
        let looked = low.iter_mut().zip(spaces).filter_map(|(was_low, space)| {
            *was_low = space?.is_low(*was_low);
            Some(*was_low)
        });
        let looked: Vec<bool> = looked.collect();
        let reading = match looked.is_empty() {
            true => Reading::Unknown,
            false => Reading::Known(!looked.contains(&true)),
        };
        // The hub ends only with everything else.
        let _ = reports.send(report(Some(reading)));
        tokio::select! {
            () = clock.awake(LOOK_AGAIN) => {}
            over = needs.wait_for(|needs| !needs.has(&fact)) => {
                // Nobody looks any more.
                let _ = reports.send(report(None));
                if over.is_err() {
                    return;
                }
            }
        }
    }
}

/// A file system may be far away.
async fn read(places: Vec<PathBuf>) -> Vec<Option<Space>> {
    let read = tokio::task::spawn_blocking(move || places.iter().map(space).collect());
    read.await.unwrap_or_default()
}

/// `None`: there is no such place, or its file system tells no size.
fn space(place: &PathBuf) -> Option<Space> {
    let stat = rustix::fs::statvfs(place).ok()?;
    let bytes = |blocks: u64| blocks.saturating_mul(stat.f_frsize);
    let space = Space {
        total: bytes(stat.f_blocks),
        free: bytes(stat.f_bavail),
    };
    (space.total > 0).then_some(space)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_low() {
        const MIB: u64 = 1 << 20;
        for (total, free, expected, still) in [
            // 5 % of 1000 MiB.
            (1000 * MIB, 50 * MIB, false, true),
            (1000 * MIB, 50 * MIB - 1, true, true),
            (1000 * MIB, 62 * MIB + MIB / 2 - 1, false, true),
            (1000 * MIB, 62 * MIB + MIB / 2, false, false),
            // 500 MiB of a terabyte.
            (1 << 40, 500 * MIB, false, true),
            (1 << 40, 500 * MIB - 1, true, true),
            (1 << 40, 625 * MIB, false, false),
            (u64::MAX, u64::MAX, false, false),
            (1, 0, false, false),
        ] {
            let space = Space { total, free };
            let found = (space.is_low(false), space.is_low(true));
            assert_eq!(found, (expected, still), "{space:?}");
        }
    }
}
