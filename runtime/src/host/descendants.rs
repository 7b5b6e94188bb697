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
        Self(Uuid::now_v7().to_string())
    }
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

/// Kills what this host's bodies started. Not all of it may be found while a body still runs.
#[cfg(target_os = "linux")]
pub(super) fn kill_own() {
    let mark = std::env::var(MARKER).unwrap_or_default();
    tree::kill(Some(rustix::process::getpid()), &Mark(mark));
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
    /// not `root` itself, which should be stopped; returns when they have ended. Blocks.
    pub(in super::super) fn kill(root: Option<Pid>, mark: &Mark) {
        let mut killed = HashSet::new();
        loop {
            let mut found = find(root, mark);
            // By its start, too: a number may be used again.
            found.retain(|(_, stat)| killed.insert((stat.pid, stat.starttime)));
            if found.is_empty() {
                return;
            }
            let ending: Vec<_> = found.iter().filter_map(kill_one).collect();
            tracing::debug!(count = ending.len(), "descendants of a host were killed");
            await_all(&ending);
        }
    }

    fn find(root: Option<Pid>, mark: &Mark) -> Vec<(Process, Stat)> {
        let root = root.map(Pid::as_raw_pid);
        let Ok(processes) = all_processes() else {
            return Vec::new();
        };
        let mut all: HashMap<i32, (Process, Stat)> = processes
            .filter_map(|process| {
                let process = process.ok()?;
                let stat = process.stat().ok()?;
                Some((stat.pid, (process, stat)))
            })
            .collect();
        let mut children: HashMap<i32, Vec<i32>> = HashMap::new();
        for (_, stat) in all.values() {
            children.entry(stat.ppid).or_default().push(stat.pid);
        }
        let marked = all.values().filter(|(process, _)| bears(process, mark));
        let mut next: Vec<i32> = marked.map(|(_, stat)| stat.pid).chain(root).collect();
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
            .filter(|(_, stat)| !matches!(stat.state, 'Z' | 'X'))
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

    fn kill_one((process, stat): &(Process, Stat)) -> Option<OwnedFd> {
        let pidfd = pidfd_open(Pid::from_raw(stat.pid)?, PidfdFlags::empty()).ok()?;
        // It is still there, so the number is still its own.
        process.stat().ok()?;
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
pub(super) fn kill(_: Option<rustix::process::Pid>, _: &Mark) {}
