//! The CPU time of a run: that of the threads which are in its body, while they are. What a body
//! spawns elsewhere is not seen.

use std::{
    sync::atomic::{AtomicI32, AtomicU64, Ordering},
    time::Duration,
};

use rustix::{
    thread::{Pid, gettid},
    time::{ClockId, clock_gettime},
};

use super::watchdog::cpu_of;

/// What the body of a run has used so far.
#[derive(Debug, Default)]
pub(super) struct Spent {
    nanoseconds: AtomicU64,
    /// The thread that a plain fn has to itself, while it runs.
    own: AtomicI32,
}

/// A thread's time counts while this lives.
#[derive(Debug)]
pub(super) struct Meter<'a> {
    spent: &'a Spent,
    since: Duration,
}

impl Spent {
    /// This thread is in the body.
    pub(super) fn enter(&self) -> Meter<'_> {
        Meter {
            spent: self,
            since: now(),
        }
    }

    /// As above, and the thread was started for it: what it uses is seen before it leaves.
    pub(super) fn enter_own(&self) -> Meter<'_> {
        let thread = Pid::as_raw(Some(gettid()));
        self.own.store(thread, Ordering::Relaxed);
        self.enter()
    }

    pub(super) fn total(&self) -> Duration {
        let own = self.own.load(Ordering::Relaxed);
        let inside = (own != 0).then(|| cpu_of(own)).flatten().unwrap_or(0);
        Duration::from_nanos(inside + self.nanoseconds.load(Ordering::Relaxed))
    }
}

impl Drop for Meter<'_> {
    fn drop(&mut self) {
        let used = now().saturating_sub(self.since);
        let used = u64::try_from(used.as_nanos()).unwrap_or(u64::MAX);
        self.spent.own.store(0, Ordering::Relaxed);
        self.spent.nanoseconds.fetch_add(used, Ordering::Relaxed);
    }
}

/// CPU time of this thread.
fn now() -> Duration {
    Duration::try_from(clock_gettime(ClockId::ThreadCPUTime)).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    const WORK: Duration = Duration::from_millis(5);

    fn work() {
        let end = now() + WORK;
        while now() < end {
            std::hint::spin_loop();
        }
    }

    #[test]
    fn only_time_inside_counts_and_it_adds_up() {
        let spent = Spent::default();
        work();
        assert_eq!(spent.total(), Duration::ZERO);
        for _ in 0..2 {
            let _inside = spent.enter();
            work();
        }
        let two = spent.total();
        assert!(two >= WORK * 2, "{two:?}");
        work();
        assert_eq!(spent.total(), two);
    }

    #[test]
    fn what_a_thread_of_its_own_uses_is_seen_before_it_leaves() {
        let spent = Spent::default();
        std::thread::scope(|scope| {
            scope.spawn(|| {
                let inside = spent.enter_own();
                // The kernel tells it at its own pace.
                while spent.total() < WORK {
                    work();
                }
                drop(inside);
            });
        });
        assert!(spent.total() >= WORK);
    }
}
