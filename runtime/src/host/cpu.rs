//! The CPU time that a run may use, in a process that it has to itself.

use std::{num::NonZero, time::Duration};

/// The shortest time between two looks.
const SHORTEST: Duration = Duration::from_millis(10);

/// The longest time between two looks at a run that does nothing and has little left.
const LONGEST: Duration = Duration::from_secs(1);

/// What a run may use, and what it has used so far: the time of all threads of its process, in
/// user and in kernel mode. That of other processes that it starts is not counted.
#[derive(Debug)]
pub(super) struct CpuBudget {
    pid: u32,
    limit: Duration,
    /// What the process had used when the run began.
    before: Duration,
    /// What the run had used at the last look.
    used: Duration,
    wait: Duration,
}

impl CpuBudget {
    /// Begins now.
    pub(super) fn new(pid: u32, limit: Duration) -> Self {
        Self {
            pid,
            limit,
            before: used(pid).unwrap_or_default(),
            used: Duration::ZERO,
            wait: Duration::ZERO,
        }
    }

    pub(super) fn limit(&self) -> Duration {
        self.limit
    }

    /// What the process will have used when this is used up, and for so much more time every CPU.
    pub(super) fn end(&self, grace: Duration) -> Duration {
        self.before + self.limit + grace.saturating_mul(cpus())
    }

    /// The time until the next look is due; `None` when it is used up.
    pub(super) fn look(&mut self) -> Option<Duration> {
        // A process that is gone uses no more; its end will tell.
        let now = used(self.pid).map_or(self.used, |used| used.saturating_sub(self.before));
        let left = self.limit.checked_sub(now).filter(|left| !left.is_zero())?;
        let worked = now > self.used;
        self.used = now;
        self.wait = wait(left, cpus(), worked, self.wait);
        Some(self.wait)
    }
}

/// `left` cannot be used up sooner than with all CPUs. A run that sleeps with next to nothing left
/// is looked at ever more seldom.
fn wait(left: Duration, cpus: u32, worked: bool, last: Duration) -> Duration {
    let least = if worked {
        SHORTEST
    } else {
        (last * 2).clamp(SHORTEST, LONGEST)
    };
    (left / cpus).max(least)
}

/// How many CPUs a process of ours can use at the same time.
fn cpus() -> u32 {
    let cpus = std::thread::available_parallelism().map_or(1, NonZero::get);
    u32::try_from(cpus).unwrap_or(u32::MAX)
}

#[cfg(target_os = "linux")]
fn used(pid: u32) -> Option<Duration> {
    let stat = stat(pid)?;
    time(stat.utime + stat.stime)
}

/// What a process has used, and those of its children that have ended and were waited for.
#[cfg(target_os = "linux")]
pub(super) fn used_with_children(pid: u32) -> Option<Duration> {
    let stat = stat(pid)?;
    let children = u64::try_from(stat.cutime + stat.cstime).unwrap_or(0);
    time(stat.utime + stat.stime + children)
}

#[cfg(target_os = "linux")]
fn stat(pid: u32) -> Option<procfs::process::Stat> {
    let process = procfs::process::Process::new(i32::try_from(pid).ok()?).ok()?;
    process.stat().ok()
}

#[cfg(target_os = "linux")]
fn time(ticks: u64) -> Option<Duration> {
    let second = u32::try_from(procfs::ticks_per_second()).ok()?;
    Some(Duration::from_secs(ticks) / second)
}

#[cfg(not(target_os = "linux"))]
fn used(_: u32) -> Option<Duration> {
    None
}

#[cfg(not(target_os = "linux"))]
pub(super) fn used_with_children(_: u32) -> Option<Duration> {
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_next_look_is_when_the_rest_can_be_used_up_at_the_earliest() {
        let [ten, sixteenth] = [10_000, 625].map(Duration::from_millis);
        assert_eq!(wait(ten, 16, true, Duration::ZERO), sixteenth);
        assert_eq!(wait(ten, 16, false, LONGEST * 9), LONGEST);
        assert_eq!(wait(SHORTEST / 5, 2, true, LONGEST), SHORTEST);
    }

    #[test]
    fn a_run_that_sleeps_before_its_end_is_looked_at_ever_more_seldom() {
        let mut last = Duration::ZERO;
        let looks: Vec<_> = (0..8)
            .map(|_| {
                last = wait(Duration::from_millis(1), 1, false, last);
                last.as_millis()
            })
            .collect();
        assert_eq!(looks, [10, 20, 40, 80, 160, 320, 640, 1000]);
    }

    #[test]
    fn the_time_of_this_process_grows() {
        let mut budget = CpuBudget::new(std::process::id(), Duration::from_millis(50));
        while budget.look().is_some() {
            std::hint::spin_loop();
        }
        assert_eq!(used(0), None);
    }
}
