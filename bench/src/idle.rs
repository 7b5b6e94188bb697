//! What an idle app costs: wake-ups of all its threads, and memory.

use std::{fs, io, time::Duration};

/// How long nothing happens.
const SILENCE: Duration = Duration::from_secs(10);

/// Until what the start leaves to do is done.
const START: Duration = Duration::from_secs(2);

pub(crate) async fn measure() -> io::Result<()> {
    tokio::time::sleep(START).await;
    let before = wake_ups()?;
    tokio::time::sleep(SILENCE).await;
    // This program's own wait is one of them.
    let woken = (wake_ups()? - before).saturating_sub(1);
    println!("idle");
    println!("{:<52} {woken:>9}", "wake-ups of all threads in 10 s");
    let memory = Memory::of(std::process::id())?;
    println!("{:<52} {:>9} KiB", "resident memory", memory.resident);
    Ok(())
}

/// How often threads of this process were woken from a wait.
fn wake_ups() -> io::Result<u64> {
    let mut sum = 0;
    for thread in fs::read_dir("/proc/self/task")? {
        let status = fs::read_to_string(thread?.path().join("status"))?;
        sum += field(&status, "voluntary_ctxt_switches:");
    }
    Ok(sum)
}

/// What a process has in memory, in KiB.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Memory {
    /// With the pages that it shares, of the executable and its libraries above all.
    pub(crate) resident: u64,
    /// What its end would give back.
    pub(crate) own: u64,
}

impl Memory {
    pub(crate) fn of(pid: u32) -> io::Result<Self> {
        let sums = fs::read_to_string(format!("/proc/{pid}/smaps_rollup"))?;
        Ok(Self {
            resident: field(&sums, "Rss:"),
            own: field(&sums, "Private_Clean:") + field(&sums, "Private_Dirty:"),
        })
    }
}

fn field(status: &str, name: &str) -> u64 {
    status
        .lines()
        .find_map(|line| line.strip_prefix(name))
        .and_then(|rest| rest.split_whitespace().next()?.parse().ok())
        .unwrap_or(0)
}
