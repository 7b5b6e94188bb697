//! A scope of the user's service manager around a process with a memory limit.
//!
//! There the kernel counts what the process and all its descendants use together, and holds them
//! wherever they go. It takes a service manager that answers on the session bus, and the memory
//! controller in its version 2 hierarchy of control groups; without them nothing is lost but that.
//! The manager is never started by asking it.

use std::{
    fs,
    path::{Path, PathBuf},
    sync::{Arc, Once},
    time::Duration,
};

use futures_util::StreamExt;
use zbus::{
    MatchRule, MessageStream,
    conn::Builder,
    message::Type,
    proxy::{CacheProperties, MethodFlags},
    wire::{ObjectPath, OwnedObjectPath, Variant},
};

use crate::clock::{Clock, within};

const NAME: &str = "org.freedesktop.systemd1";
const PATH: &str = "/org/freedesktop/systemd1";
const MANAGER: &str = "org.freedesktop.systemd1.Manager";

/// Where control groups are.
const GROUPS: &str = "/sys/fs/cgroup";

/// A manager that does not answer in this time is not there.
const PATIENCE: Duration = Duration::from_secs(2);

/// The longest part of an app's name in a unit's: 255 bytes are the most for all.
const LONGEST: usize = 200;

/// The control group of a scope, in which memory is counted.
#[derive(Debug)]
pub(super) struct Scope {
    group: PathBuf,
}

/// What to put around a process.
#[derive(Clone, Debug)]
pub(super) struct Wanted {
    pub(super) app_id: String,
    pub(super) pid: u32,
    pub(super) memory: u64,
    /// The address of the bus; the session's own without.
    pub(super) bus: Option<String>,
}

impl Wanted {
    /// `None` where that cannot be done, which is told once in the log.
    pub(super) async fn get(self, clock: Arc<dyn Clock>) -> Option<Scope> {
        static TOLD: Once = Once::new();
        let why = match within(&*clock, PATIENCE, self.request()).await {
            Some(Ok(())) => match Scope::of(self.pid, &self.name()) {
                Some(scope) => return Some(scope),
                None => "memory is not counted in its control group".to_owned(),
            },
            Some(Err(error)) => error.to_string(),
            None => format!("no answer within {PATIENCE:?}"),
        };
        TOLD.call_once(|| tracing::debug!(why, "processes of tasks have no scope"));
        None
    }

    fn name(&self) -> String {
        let plain = |c: char| {
            if c.is_ascii_alphanumeric() || "._".contains(c) {
                c
            } else {
                '_'
            }
        };
        let app: String = self.app_id.chars().take(LONGEST).map(plain).collect();
        format!("bgtask-{app}-{}.scope", self.pid)
    }

    /// Returns when the process is in its scope.
    ///
    /// <https://www.freedesktop.org/software/systemd/man/latest/org.freedesktop.systemd1.html>
    async fn request(&self) -> zbus::Result<()> {
        let builder = match &self.bus {
            Some(address) => Builder::address(&**address),
            None => Builder::session(),
        };
        let bus = builder.build().await?;
        let removed = MatchRule::builder()
            .msg_type(Type::Signal)
            .path(PATH)
            .interface(MANAGER)
            .member("JobRemoved")
            .build()?;
        let mut removed = MessageStream::for_match_rule(removed, &bus, None).await?;
        let manager: zbus::Proxy<'_> = zbus::proxy::Builder::new(&bus)
            .destination(NAME)
            .path(PATH)
            .interface(MANAGER)
            .cache_properties(CacheProperties::No)
            .build()
            .await?;
        let properties = [
            ("PIDs", Variant::from(vec![self.pid])),
            ("MemoryMax", Variant::from(self.memory)),
            ("CollectMode", Variant::from("inactive-or-failed")),
            ("Description", Variant::from("Background tasks")),
        ];
        let others: [(&str, Vec<(&str, Variant<'_>)>); 0] = [];
        let request = (self.name(), "fail", &properties[..], &others[..]);
        let flags = MethodFlags::NO_AUTO_START;
        let job: Option<OwnedObjectPath> = manager
            .call_with_flags("StartTransientUnit", flags, &request)
            .await?;
        while let Some(message) = removed.next().await {
            let message = message?;
            let body = message.body();
            let (_, done, _, result): (u32, ObjectPath<'_>, &str, &str) = body.deserialize()?;
            if job.as_ref().is_some_and(|job| **job == done) {
                return match result {
                    "done" => Ok(()),
                    other => Err(zbus::Error::Failure(format!("its job ended with {other}"))),
                };
            }
        }
        Err(zbus::Error::Failure("the bus is gone".to_owned()))
    }
}

impl Scope {
    fn of(pid: u32, name: &str) -> Option<Self> {
        let groups = fs::read_to_string(format!("/proc/{pid}/cgroup")).ok()?;
        Self::below(Path::new(GROUPS), &groups, name)
    }

    /// The scope of that name, from the groups of a process as the kernel lists them.
    fn below(root: &Path, groups: &str, name: &str) -> Option<Self> {
        let group = groups.lines().find_map(|line| line.strip_prefix("0::/"))?;
        let group = root.join(group);
        (group.ends_with(name) && group.join("memory.events").exists()).then_some(Self { group })
    }

    /// Whether the kernel killed somebody in it for want of memory.
    pub(super) fn ran_out_of_memory(&self) -> bool {
        fs::read_to_string(self.group.join("memory.events")).is_ok_and(|events| {
            let killed = events
                .lines()
                .find_map(|line| line.strip_prefix("oom_kill "));
            killed.is_some_and(|count| count.trim() != "0")
        })
    }

    /// Kills everybody in it. Where the kernel does not have that, there are other ways.
    pub(super) fn kill(&self) {
        let _ = fs::write(self.group.join("cgroup.kill"), "1");
    }
}

#[cfg(test)]
mod tests;
