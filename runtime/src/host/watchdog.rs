//! Notices runs that neither work nor report progress.
//!
//! A run works when its future was polled, or when the thread that polls it, or that a plain fn
//! has to itself, used CPU time; in a process of its own, also when that process did. What a body
//! does elsewhere, such as waiting for another program, is not seen.

use std::{
    sync::{
        Arc,
        atomic::{AtomicI32, AtomicU64, Ordering},
    },
    time::Duration,
};

use rustix::thread::{Pid, gettid};
use tokio::sync::watch;

use crate::{Progress, clock::Clock};

/// A run is looked at so often in its time.
const LOOKS: u32 = 4;

/// A process works when it uses this part of the time, or more than looking at it takes.
const BUSY: u32 = 100;
const HOUSEKEEPING: Duration = Duration::from_millis(1);

/// What there is to see of a body.
#[derive(Debug, Default)]
pub(super) struct Activity {
    polls: AtomicU64,
    /// The thread that is in the body; 0 while none is.
    thread: AtomicI32,
}

/// A thread is in the body while this lives.
#[derive(Debug)]
pub(super) struct Inside<'a>(&'a Activity);

impl Activity {
    pub(super) fn enter(&self) -> Inside<'_> {
        self.polls.fetch_add(1, Ordering::Relaxed);
        self.thread
            .store(Pid::as_raw(Some(gettid())), Ordering::Relaxed);
        Inside(self)
    }
}

impl Drop for Inside<'_> {
    fn drop(&mut self) {
        self.0.thread.store(0, Ordering::Relaxed);
    }
}

/// Whose CPU time counts as the run's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Scope {
    /// That of the thread which is in the body.
    Thread,
    /// That of the whole process too.
    Process,
}

/// Watches one run. It wakes nobody while it is not asked.
#[derive(Debug)]
pub(super) struct Watchdog {
    limit: Duration,
    scope: Scope,
    activity: Arc<Activity>,
    progress: watch::Receiver<Progress>,
    clock: Arc<dyn Clock>,
}

/// What was seen at a look.
#[derive(Clone, Copy, Debug)]
struct Seen {
    polls: u64,
    reports: u64,
    thread: i32,
    /// CPU time of that thread, where it can be told.
    cpu: Option<u64>,
    process: Duration,
}

impl Watchdog {
    /// `progress` is watched beside whoever takes it.
    pub(super) fn new(
        limit: Duration,
        scope: Scope,
        activity: Arc<Activity>,
        progress: watch::Receiver<Progress>,
        clock: Arc<dyn Clock>,
    ) -> Self {
        Self {
            limit,
            scope,
            activity,
            progress,
            clock,
        }
    }

    /// Returns when the run did nothing for its time, a quarter of it late at most.
    pub(super) async fn idles(&self) {
        let look = (self.limit / LOOKS).max(Duration::from_millis(1));
        let mut last = self.look();
        let mut quiet = 0;
        while quiet < LOOKS {
            self.clock.awake(look).await;
            let now = self.look();
            quiet = match self.worked(last, now, look) {
                true => 0,
                false => quiet + 1,
            };
            last = now;
        }
    }

    fn look(&self) -> Seen {
        let thread = self.activity.thread.load(Ordering::Relaxed);
        Seen {
            polls: self.activity.polls.load(Ordering::Relaxed),
            reports: self.progress.borrow().sequence,
            thread,
            cpu: cpu_of(thread),
            process: process_cpu(),
        }
    }

    fn worked(&self, last: Seen, now: Seen, time: Duration) -> bool {
        let moved = now.polls != last.polls || now.reports != last.reports;
        // A thread whose time cannot be told may be computing.
        let computed = now.thread != 0 && (now.cpu.is_none() || now.cpu != last.cpu);
        let used = now.process.saturating_sub(last.process);
        let busy = self.scope == Scope::Process && used >= (time / BUSY).max(HOUSEKEEPING);
        moved || computed || busy
    }
}

/// CPU time that a thread of this process has used, in nanoseconds.
pub(super) fn cpu_of(thread: i32) -> Option<u64> {
    let path = format!("/proc/self/task/{thread}/schedstat");
    let text = std::fs::read_to_string(path).ok()?;
    text.split(' ').next()?.parse().ok()
}

fn process_cpu() -> Duration {
    let time = rustix::time::clock_gettime(rustix::time::ClockId::ProcessCPUTime);
    Duration::try_from(time).unwrap_or_default()
}
