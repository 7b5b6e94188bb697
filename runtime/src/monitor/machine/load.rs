//! How much the processors have to do: the load average of the last minute, for each of them.
//! <https://man7.org/linux/man-pages/man5/proc_loadavg.5.html>

use std::{
    collections::BTreeSet,
    fs::File,
    io::BufReader,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use bgtask_model::Predicate;
use procfs::{CpuInfo, FromBufRead, FromRead, LoadAverage};
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
const LOOK_AGAIN: Duration = Duration::from_secs(30);

/// The average, in hundredths as the kernel writes it, of so many processors.
#[derive(Clone, Copy, Debug)]
struct Load {
    hundredths: u64,
    processors: u64,
}

impl Load {
    /// Whether each processor has less to do than so many thousandths.
    fn is_below(self, thousandths: u32) -> bool {
        let limit = u64::from(thousandths).saturating_mul(self.processors);
        self.hundredths.saturating_mul(10) < limit
    }
}

/// Looks at it while somebody needs it; more needs are read at once.
pub(super) async fn watch(
    proc: PathBuf,
    clock: Arc<dyn Clock>,
    mut needs: watch::Receiver<Needs>,
    reports: mpsc::UnboundedSender<Report>,
) {
    let report = |limit, reading| {
        // The hub ends only with everything else.
        let _ = reports.send(Report {
            fact: Predicate::LoadBelow(limit),
            source: Source::LoadAverage,
            reading,
        });
    };
    // Once nobody is left who could need it, it fails.
    while needs
        .wait_for(|needs| !limits(needs).is_empty())
        .await
        .is_ok()
    {
        let limits_now = limits(&needs.borrow_and_update());
        let load = read(&proc);
        for limit in &limits_now {
            report(
                *limit,
                Some(match load {
                    Some(load) => Reading::Known(load.is_below(*limit)),
                    None => Reading::Unknown,
                }),
            );
        }
        let other = tokio::select! {
            () = clock.awake(LOOK_AGAIN) => continue,
            other = needs.wait_for(|needs| limits(needs) != limits_now) => other,
        };
        let Ok(other) = other else { return };
        let still = limits(&other);
        for gone in limits_now.difference(&still) {
            // Nobody looks any more.
            report(*gone, None);
        }
    }
}

/// The limits of `load_below`.
fn limits(needs: &Needs) -> BTreeSet<u32> {
    let limits = needs.facts().filter_map(|fact| match fact {
        Predicate::LoadBelow(limit) => Some(*limit),
        _ => None,
    });
    limits.collect()
}

/// The kernel answers at once.
fn read(proc: &Path) -> Option<Load> {
    let load = LoadAverage::from_file(proc.join("loadavg"));
    let file = File::open(proc.join("cpuinfo")).ok()?;
    let processors = CpuInfo::from_buf_read(BufReader::new(file))
        .ok()?
        .num_cores();
    let hundredths = (load.ok()?.one * 100.0).round();
    Some(Load {
        // What a float cannot be is cut off.
        hundredths: hundredths as u64,
        processors: u64::try_from(processors).ok()?.max(1),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_below() {
        for (hundredths, processors, limit, expected) in [
            (79, 1, 800, true),
            (80, 1, 800, false),
            (81, 1, 800, false),
            (159, 2, 800, true),
            (160, 2, 800, false),
            (70, 1, 700, false),
            (0, 4, 1, true),
            (u64::MAX, 64, 100_000, false),
        ] {
            let load = Load {
                hundredths,
                processors,
            };
            assert_eq!(load.is_below(limit), expected, "{load:?} {limit}");
        }
    }
}
