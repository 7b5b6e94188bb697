//! Whether tasks of the machine wait for memory, as the kernel counts it. It tells by itself when
//! that begins; how it goes on is looked at. <https://docs.kernel.org/accounting/psi.html>

use std::{
    fs::{File, OpenOptions},
    io::{BufReader, Write},
    os::{fd::OwnedFd, unix::fs::OpenOptionsExt},
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use bgtask_model::Predicate;
use procfs::{FromBufRead, MemoryPressure};
use rustix::{
    event::{PollFd, PollFlags, Timespec, poll},
    fs::OFlags,
};
use tokio::sync::{Notify, mpsc, watch};

use crate::{
    Reading,
    clock::{Bell, Clock, Keep, Watch},
    monitor::{
        demand::Needs,
        hub::{Report, Source},
    },
};

/// Tell when some waited for 150 ms of 2 s: in microseconds, and users may ask for multiples of 2 s
/// only.
const TELL: &[u8] = b"some 150000 2000000\0";

/// How often it is looked at while memory is low, or where the kernel does not tell.
const LOOK_AGAIN: Duration = Duration::from_secs(10);

/// Memory is low when some wait for so many percent of the time, and until it is less than that.
const LOW: f32 = 5.0;
const CALM: f32 = 2.5;

/// The kernel's promise to tell. Dropping it ends that.
#[derive(Debug)]
pub(super) struct Trigger(#[expect(dead_code, reason = "held for its end")] Watch);

impl Trigger {
    /// Has the kernel ring; `None` where it may not be asked to.
    pub(super) fn set(bell: &Bell, file: &Path, rung: Arc<Notify>) -> Option<Self> {
        let asked = ask(file);
        let fd = asked
            .inspect_err(|error| tracing::debug!(%error, "the kernel does not tell of pressure"))
            .ok()?;
        let watch = bell.watch_for(PollFlags::PRI, Arc::new(fd), move |fd| {
            // What rang is taken by looking; a group of processes that is gone rings for ever.
            let mut polled = [PollFd::new(&fd, PollFlags::PRI)];
            let looked = poll(&mut polled, Some(&Timespec::default()));
            let failed = looked.is_err() || polled[0].revents().contains(PollFlags::ERR);
            rung.notify_one();
            if failed { Keep::No } else { Keep::Watching }
        });
        Some(Self(watch))
    }
}

fn ask(file: &Path) -> std::io::Result<OwnedFd> {
    let mut file = OpenOptions::new()
        .read(true)
        .write(true)
        .custom_flags(OFlags::NONBLOCK.bits().cast_signed())
        .open(file)?;
    file.write_all(TELL)?;
    Ok(file.into())
}

/// Watches while somebody needs it. `set` has the kernel ring, which lasts until what it gives back
/// is dropped.
pub(super) async fn watch<T>(
    file: PathBuf,
    set: impl Fn(&Path, Arc<Notify>) -> Option<T>,
    clock: Arc<dyn Clock>,
    mut needs: watch::Receiver<Needs>,
    reports: mpsc::UnboundedSender<Report>,
) {
    let fact = Predicate::MemoryNotLow;
    let report = |reading| {
        // The hub ends only with everything else.
        let _ = reports.send(Report {
            fact: fact.clone(),
            source: Source::Pressure,
            reading,
        });
    };
    // Once nobody is left who could need it, it fails.
    while needs.wait_for(|needs| needs.has(&fact)).await.is_ok() {
        tokio::select! {
            () = look(&file, &set, &*clock, |reading| report(Some(reading))) => {}
            _ = needs.wait_for(|needs| !needs.has(&fact)) => {
                // Nobody looks any more.
                report(None);
            }
        }
    }
}

/// Looks now, and again when the kernel rings; while memory is low, or nobody would ring, every 10 s.
async fn look<T>(
    file: &Path,
    set: &impl Fn(&Path, Arc<Notify>) -> Option<T>,
    clock: &dyn Clock,
    report: impl Fn(Reading),
) {
    let rung = Arc::new(Notify::new());
    let told = set(file, Arc::clone(&rung));
    let mut low = false;
    loop {
        let waits = read(file);
        low = waits.is_some_and(|waits| waits >= if low { CALM } else { LOW });
        report(match waits {
            Some(_) => Reading::Known(!low),
            None => Reading::Unknown,
        });
        // A ring begins the time of calm anew.
        let mut calm = waits.is_some() && !low && told.is_some();
        loop {
            tokio::select! {
                () = async { clock.awake(LOOK_AGAIN).await }, if !calm => break,
                () = rung.notified() => {
                    (low, calm) = (true, false);
                    report(Reading::Known(false));
                }
            }
        }
    }
}

/// For how many percent of the last 10 s some waited.
fn read(file: &Path) -> Option<f32> {
    let file = BufReader::new(File::open(file).ok()?);
    let pressure = MemoryPressure::from_buf_read(file).ok()?;
    Some(pressure.some.avg10)
}
