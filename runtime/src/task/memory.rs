//! How much memory a body's process uses, and may use.

use std::{fs, path::Path};

use serde::{Deserialize, Serialize};

use crate::{Code, Error, Result};

/// Where the kernel shows its control groups.
const GROUPS: &str = "/sys/fs/cgroup";

/// The memory of the process that a body runs in; from
/// [`TaskContext::memory`](crate::TaskContext::memory). In the app's own process that is the whole
/// app.
///
/// Windows: [`MemoryManager.AppMemoryUsage`](https://learn.microsoft.com/uwp/api/windows.system.memorymanager.appmemoryusage)
/// and [`AppMemoryUsageLimit`](https://learn.microsoft.com/uwp/api/windows.system.memorymanager.appmemoryusagelimit).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct MemoryUsage {
    /// What it has in memory, in bytes.
    pub used: u64,
    /// The lowest limit that is in force, in bytes: that of the task's `memory` argument, or of a
    /// control group such as a service's or a container's. `None`: there is none. An allocation can
    /// fail while `used` is below it: `memory` limits what is allocated, in memory or not.
    pub limit: Option<u64>,
}

impl MemoryUsage {
    pub(super) fn of_this_process() -> Result<Self> {
        let used = fs::read_to_string("/proc/self/status")
            .ok()
            .and_then(|status| resident(&status))
            .ok_or_else(|| {
                Error::new(
                    Code::Unsupported,
                    "this system does not show how much memory a process uses",
                )
                .remedy("treat the usage as unknown")
            })?;
        let limits = [data_limit(), group_limit(Path::new(GROUPS))];
        Ok(Self {
            used,
            limit: limits.into_iter().flatten().min(),
        })
    }
}

/// The resident memory in bytes, from what the kernel shows.
fn resident(status: &str) -> Option<u64> {
    let line = status
        .lines()
        .find_map(|line| line.strip_prefix("VmRSS:"))?;
    let kib: u64 = line.trim().strip_suffix(" kB")?.parse().ok()?;
    Some(kib << 10)
}

/// What the `memory` argument sets.
fn data_limit() -> Option<u64> {
    rustix::process::getrlimit(rustix::process::Resource::Data).current
}

/// The lowest limit of this process's control group and of those around it.
fn group_limit(root: &Path) -> Option<u64> {
    let text = fs::read_to_string("/proc/self/cgroup").ok()?;
    let group = text.lines().find_map(|line| line.strip_prefix("0::/"))?;
    lowest_limit(root, group)
}

fn lowest_limit(root: &Path, group: &str) -> Option<u64> {
    let within = root.join(group);
    let groups = within.ancestors().take_while(|dir| dir.starts_with(root));
    // A group without a limit says `max`.
    let limit = |dir: &Path| {
        let text = fs::read_to_string(dir.join("memory.max")).ok()?;
        text.trim().parse().ok()
    };
    groups.filter_map(limit).min()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn usage_is_read_from_what_the_kernel_shows() {
        let status = "VmHWM:\t   9999 kB\nVmRSS:\t    5120 kB\nRssAnon:\t 1 kB\n";
        assert_eq!(resident(status), Some(5 << 20));
        assert_eq!(resident("Name:\tVmRSS\n"), None);
    }

    #[test]
    fn usage_grows_with_what_is_used() {
        let before = MemoryUsage::of_this_process().unwrap();
        let more = std::hint::black_box(vec![1_u8; 64 << 20]);
        let after = MemoryUsage::of_this_process().unwrap();
        // Other tests run beside this one, and give some back.
        assert!(
            after.used > before.used + (32 << 20),
            "{before:?} {after:?}"
        );
        drop(more);
    }

    #[test]
    fn the_lowest_limit_around_a_group_counts() {
        let root = tempfile::tempdir().unwrap();
        let inner = root.path().join("user.slice/app.scope");
        fs::create_dir_all(&inner).unwrap();
        let limit = || lowest_limit(root.path(), "user.slice/app.scope");
        assert_eq!(limit(), None);
        fs::write(inner.join("memory.max"), "max\n").unwrap();
        assert_eq!(limit(), None);
        fs::write(root.path().join("user.slice/memory.max"), "2048\n").unwrap();
        assert_eq!(limit(), Some(2048));
        fs::write(inner.join("memory.max"), "4096\n").unwrap();
        assert_eq!(limit(), Some(2048));
    }
}
