//! What is left of runs: descriptors, processes, zombies.

use std::{
    fs,
    path::{Path, PathBuf},
};

use rustix::process::{Pid, Signal, kill_process};

/// What the app has and what it started.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Left {
    /// Open descriptors of this process.
    descriptors: usize,
    /// Living processes in this working directory, this one included.
    pub(crate) processes: usize,
    /// Children that ended and were not waited for.
    zombies: usize,
}

impl Left {
    pub(crate) fn now() -> Self {
        let home = std::env::current_dir().unwrap();
        let all = processes();
        let own = i64::from(std::process::id());
        let zombie = |one: &&Process| one.parent == own && one.state == 'Z';
        Self {
            // One of them reads the list.
            descriptors: fs::read_dir("/proc/self/fd").unwrap().count() - 1,
            processes: all.iter().filter(|one| one.at(&home)).count(),
            zombies: all.iter().filter(zombie).count(),
        }
    }

    /// The same processes, and no more descriptors: the first count may have held one that was in
    /// use for a moment.
    pub(crate) const fn is_no_more_than(&self, before: &Self) -> bool {
        self.processes == before.processes
            && self.zombies == before.zombies
            && self.descriptors <= before.descriptors
    }

    /// In detail, for who looks for a leak.
    pub(crate) fn told() -> String {
        let descriptors = fs::read_dir("/proc/self/fd").unwrap().flatten();
        let descriptors: Vec<_> = descriptors
            .filter_map(|one| fs::read_link(one.path()).ok())
            .collect();
        let processes = living(&std::env::current_dir().unwrap());
        format!("{descriptors:?}\n{processes:?}")
    }
}

/// The living processes that have this working directory: what they run, and their parents.
pub(crate) fn living(home: &Path) -> Vec<String> {
    let home = home.canonicalize().unwrap();
    let mut all = processes();
    all.retain(|one| one.at(&home));
    all.iter()
        .map(|one| format!("{} of {}", one.command, one.parent))
        .collect()
}

/// Ends what a failed trial leaves there.
pub(crate) fn sweep(home: &Path) {
    let Ok(home) = home.canonicalize() else {
        return;
    };
    for one in processes().iter().filter(|one| one.at(&home)) {
        if let Some(pid) = one.pid {
            // It may have ended meanwhile.
            let _ = kill_process(pid, Signal::KILL);
        }
    }
}

struct Process {
    pid: Option<Pid>,
    /// `17 (sleep) S`
    command: String,
    parent: i64,
    state: char,
    /// Not known of a zombie.
    directory: Option<PathBuf>,
}

impl Process {
    fn at(&self, home: &Path) -> bool {
        self.state != 'Z' && self.directory.as_deref() == Some(home)
    }
}

fn processes() -> Vec<Process> {
    let all = fs::read_dir("/proc").unwrap().flatten();
    all.filter_map(|entry| {
        let pid = entry.file_name().to_str()?.parse().ok()?;
        let stat = fs::read_to_string(entry.path().join("stat")).ok()?;
        // The name may hold anything; what follows its last bracket does not.
        let (name, rest) = stat.rsplit_once(')')?;
        let mut words = rest.split_whitespace();
        let state = words.next()?;
        Some(Process {
            pid: Pid::from_raw(pid),
            command: format!("{name}) {state}"),
            state: state.chars().next()?,
            parent: words.next()?.parse().ok()?,
            directory: fs::read_link(entry.path().join("cwd")).ok(),
        })
    })
    .collect()
}
