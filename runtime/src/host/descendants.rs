//! What bodies start ends with their host, wherever it went.
//!
//! A process group does not hold who leaves it: `setsid`, or a daemon that forks twice. Two things
//! find those. While a host lives, every descendant stays below it, because a host
//! [adopts orphans](adopt_orphans). When a host ended by itself, its descendants went to init; but
//! what a process starts inherits its environment, and each host has a [`Mark`] of its own there.
//!
//! Not found is a process that left its group, and has another environment than it was given, and
//! outlived a host that ended by itself, unless the host is in a scope of the service manager.
//! A process may overwrite the environment that the kernel shows, to change its title for example.
//! When the app is gone, a host ends its own descendants; in a sandbox it sees no other process,
//! and ends its group only.
//!
//! The app itself adopts nobody: it would be the parent of processes that it knows nothing of, and
//! whoever in it waits for any child would get them. In a host, an orphan that was adopted and has
//! ended stays in the table of processes until the host ends, because a host cannot tell it from a
//! child that its body is about to wait for.

use std::ffi::OsStr;

use uuid::Uuid;

use super::child::MARKER;

/// What tells a host and its descendants from all other processes: the value of a variable in
/// their environment.
#[derive(Clone, Debug)]
pub(super) struct Mark(String);

impl Mark {
    pub(super) fn new() -> Self {
        Self(format!("{}:{}", std::process::id(), Uuid::now_v7()))
    }

    /// Whether this process bears the mark and was started by who made it. What a host starts
    /// inherits the mark, and has another parent.
    pub(super) fn is_for(parent: Option<rustix::process::Pid>, value: &OsStr) -> bool {
        maker(value) == parent.map(|parent| parent.as_raw_pid().unsigned_abs())
    }

    /// Whether who made the mark is gone, or about to be.
    pub(super) fn is_of_ended(value: &OsStr) -> bool {
        maker(value).is_some_and(is_ending)
    }
}

fn maker(value: &OsStr) -> Option<u32> {
    let (pid, _) = value.to_str()?.split_once(':')?;
    pid.parse().ok()
}

/// Whether a process has ended, or has begun to: its children have another parent from then on.
#[cfg(target_os = "linux")]
fn is_ending(pid: u32) -> bool {
    use procfs::{ProcError, process::Process};

    /// `PF_EXITING` (<https://github.com/torvalds/linux/blob/master/include/linux/sched.h>).
    const EXITING: u32 = 0x4;

    let pid = i32::try_from(pid).unwrap_or(i32::MAX);
    match Process::new(pid).and_then(|process| process.stat()) {
        Ok(stat) => stat.flags & EXITING != 0,
        // What cannot be read for another reason may well go on.
        Err(error) => matches!(error, ProcError::NotFound(_)),
    }
}

#[cfg(not(target_os = "linux"))]
fn is_ending(_: u32) -> bool {
    false
}

impl AsRef<OsStr> for Mark {
    fn as_ref(&self) -> &OsStr {
        self.0.as_ref()
    }
}

/// Makes this process the parent of those of its descendants whose own parent ends.
#[cfg(target_os = "linux")]
pub(super) fn adopt_orphans() {
    // The value only has to be there (<https://man7.org/linux/man-pages/man2/PR_SET_CHILD_SUBREAPER.2const.html>).
    if let Err(error) = rustix::process::set_child_subreaper(Some(rustix::process::getpid())) {
        tracing::debug!(%error, "orphans of this host go to init");
    }
}

/// Kills what this host's bodies started. Not all of it may be found while a body still runs, and
/// the host is not to live on for that.
#[cfg(target_os = "linux")]
pub(super) fn kill_own() {
    let mark = std::env::var(MARKER).unwrap_or_default();
    tree::kill(Some(rustix::process::getpid()), &Mark(mark), 3);
}

#[cfg(target_os = "linux")]
pub(super) use tree::kill;

#[cfg(target_os = "linux")]
mod tree {
    use std::{
        collections::{HashMap, HashSet},
        time::Duration,
    };

    use procfs::process::{Process, Stat, all_processes};
    use rustix::{
        event::{PollFd, PollFlags, Timespec, poll},
        fd::OwnedFd,
        process::{Pid, PidfdFlags, Signal, pidfd_open, pidfd_send_signal},
    };

    use super::{MARKER, Mark};

    /// How long killed processes may take to be gone.
    const PATIENCE: Duration = Duration::from_secs(1);

    /// Kills every process below `root`, every one that bears the mark, and those below them, but
    /// not `root` itself, which should be stopped; returns when they have ended, or after so many
    /// rounds. Blocks.
    pub(in super::super) fn kill(root: Option<Pid>, mark: &Mark, rounds: usize) {
        let mut killed = HashSet::new();
        for _ in 0..rounds {
            let mut found = find(root, mark);
            // By its start, too: a number may be used again.
            found.retain(|stat| killed.insert((stat.pid, stat.starttime)));
            if found.is_empty() {
                return;
            }
            let ending: Vec<_> = found.iter().filter_map(kill_one).collect();
            tracing::debug!(count = ending.len(), "descendants of a host were killed");
            await_all(&ending);
        }
        tracing::warn!(rounds, "what a host started goes on to start others");
    }

    fn find(root: Option<Pid>, mark: &Mark) -> Vec<Stat> {
        let root = root.map(Pid::as_raw_pid);
        let Ok(processes) = all_processes() else {
            return Vec::new();
        };
        let mut all = HashMap::new();
        let mut children: HashMap<i32, Vec<i32>> = HashMap::new();
        let mut next: Vec<i32> = root.into_iter().collect();
        // Each holds a descriptor, so none is kept: there may be more of them than we may open.
        for process in processes.flatten() {
            let Ok(stat) = process.stat() else {
                continue;
            };
            if bears(&process, mark) {
                next.push(stat.pid);
            }
            children.entry(stat.ppid).or_default().push(stat.pid);
            all.insert(stat.pid, stat);
        }
        let mut found = HashSet::new();
        while let Some(pid) = next.pop() {
            if found.insert(pid) {
                next.extend(children.get(&pid).into_iter().flatten());
            }
        }
        found
            .into_iter()
            .filter(|pid| Some(*pid) != root)
            .filter_map(|pid| all.remove(&pid))
            .filter(|stat| !matches!(stat.state, 'Z' | 'X'))
            .collect()
    }

    fn bears(process: &Process, mark: &Mark) -> bool {
        // Environments of other users cannot be read.
        process.environ().is_ok_and(|environment| {
            environment
                .iter()
                .any(|(name, value)| name == MARKER && **value == *mark.as_ref())
        })
    }

    fn kill_one(stat: &Stat) -> Option<OwnedFd> {
        let pidfd = pidfd_open(Pid::from_raw(stat.pid)?, PidfdFlags::empty()).ok()?;
        // Whether the number is still that of the process that was found.
        let now = Process::new(stat.pid).ok()?.stat().ok()?;
        (now.starttime == stat.starttime).then_some(())?;
        pidfd_send_signal(&pidfd, Signal::KILL).ok()?;
        Some(pidfd)
    }

    fn await_all(ending: &[OwnedFd]) {
        for pidfd in ending {
            let patience = Timespec::try_from(PATIENCE).ok();
            let _ = poll(&mut [PollFd::new(pidfd, PollFlags::IN)], patience.as_ref());
        }
    }
}

#[cfg(not(target_os = "linux"))]
pub(super) fn adopt_orphans() {}

#[cfg(not(target_os = "linux"))]
pub(super) fn kill_own() {}

#[cfg(not(target_os = "linux"))]
pub(super) fn kill(_: Option<rustix::process::Pid>, _: &Mark, _: usize) {}

#[cfg(test)]
mod tests {
    use rustix::{
        event::{PollFd, PollFlags},
        process::{Pid, PidfdFlags, getpid},
    };

    use super::*;

    #[cfg(target_os = "linux")]
    #[test]
    fn the_end_of_a_maker_shows_before_it_is_gone() {
        let of = |pid: u32| Mark::is_of_ended(OsStr::new(&format!("{pid}:x")));
        assert!(!of(std::process::id()));
        assert!(!Mark::is_of_ended(OsStr::new("x:1")));
        let mut child = std::process::Command::new("true").spawn().unwrap();
        let pid = Pid::from_child(&child);
        let process = rustix::process::pidfd_open(pid, PidfdFlags::empty()).unwrap();
        let mut ends = [PollFd::new(&process, PollFlags::IN)];
        rustix::event::poll(&mut ends, None).unwrap();
        assert!(of(child.id()), "it waits to be taken away");
        child.wait().unwrap();
        assert!(of(child.id()), "it is gone");
    }

    #[test]
    fn a_mark_is_for_children_of_its_maker_only() {
        let mark = Mark::new();
        assert!(Mark::is_for(Some(getpid()), mark.as_ref()));
        assert!(!Mark::is_for(Some(Pid::INIT), mark.as_ref()));
        assert!(!Mark::is_for(None, mark.as_ref()));
        for odd in ["1", "", ":", "x:1"] {
            assert!(!Mark::is_for(Some(getpid()), OsStr::new(odd)));
        }
    }
}
