//! One spawned process: its limits, its end, and what the end means.

use std::{
    ffi::OsString,
    io,
    os::{fd::OwnedFd, unix::net::UnixStream as StdUnixStream, unix::process::ExitStatusExt},
    path::Path,
    process::{ExitStatus, Stdio},
    sync::Arc,
    time::Duration,
};

use rustix::process::{Pid, Signal};
use tokio::{
    net::UnixStream,
    process::{Child, Command},
    task::JoinHandle,
};

use super::{
    child, descendants,
    memory::{self, LastWords},
    scope::{Scope, Wanted},
};
use crate::{KillCause, clock::Clock};

/// How long a process has to end after it was told to by signal, or by the closing of its socket.
pub(super) const TERM_GRACE: Duration = Duration::from_secs(1);

/// How often descendants are looked for: each time those that were found had started others.
const ROUNDS: usize = 50;

const SIGABRT: i32 = 6;
const SIGKILL: i32 = 9;

/// A process of ours, in a process group of its own.
#[derive(Debug)]
pub(super) struct Spawned {
    child: Child,
    pid: Pid,
    mark: descendants::Mark,
    /// The limit in bytes that is in force.
    memory: Option<u64>,
    last_words: Option<LastWords>,
    /// On its way, so that nothing waits for it.
    scope: Option<JoinHandle<Option<Scope>>>,
    /// The kernel killed somebody in its scope for want of memory.
    ran_out_of_memory: bool,
    clock: Arc<dyn Clock>,
}

impl Spawned {
    /// Spawns `exe` in the environment `env`, with one end of a socket pair as its standard input,
    /// and returns the other.
    ///
    /// Limits are set from here and not between fork and exec: a closure there would give up
    /// `posix_spawn`, which takes the same time however large this process is.
    pub(super) fn new(
        exe: &Path,
        args: &[OsString],
        env: &[(OsString, OsString)],
        memory: Option<u64>,
        clock: Arc<dyn Clock>,
    ) -> io::Result<(Self, UnixStream)> {
        let (ours, theirs) = StdUnixStream::pair()?;
        ours.set_nonblocking(true)?;
        let mark = descendants::Mark::new();
        let ours = UnixStream::from_std(ours)?;
        // The command keeps its end of the socket, so it has to go before the first read: only
        // then the host's end is the last one, and its death is seen.
        let mut child = Command::new(exe)
            .args(args)
            .env_clear()
            .envs(env.iter().map(|(name, value)| (name, value)))
            .env(child::MARKER, &mark)
            .stdin(Stdio::from(OwnedFd::from(theirs)))
            .stderr(memory.map_or_else(Stdio::inherit, |_| Stdio::piped()))
            .process_group(0)
            .kill_on_drop(true)
            .spawn()?;
        let pid = child
            .id()
            .and_then(|id| Pid::from_raw(i32::try_from(id).ok()?))
            .ok_or_else(|| io::Error::other("it has no process id"))?;
        let spawned = Self {
            last_words: child.stderr.take().map(LastWords::of),
            child,
            pid,
            mark,
            memory,
            scope: None,
            ran_out_of_memory: false,
            clock,
        };
        spawned.limit()?;
        Ok((spawned, ours))
    }

    #[cfg(target_os = "linux")]
    fn limit(&self) -> io::Result<()> {
        use rustix::process::Resource;

        self.set(Resource::Core, 0, true)?;
        match self.memory {
            Some(memory) => self.set(Resource::Data, memory, true),
            None => Ok(()),
        }
    }

    /// Has the kernel end the process when it has used so much CPU time, in whole seconds. May be
    /// raised again.
    #[cfg(target_os = "linux")]
    pub(super) fn limit_cpu(&self, end: Duration) -> io::Result<()> {
        let seconds = end.as_secs().saturating_add(1);
        self.set(rustix::process::Resource::Cpu, seconds, false)
    }

    #[cfg(target_os = "linux")]
    fn set(
        &self,
        resource: rustix::process::Resource,
        limit: u64,
        for_good: bool,
    ) -> io::Result<()> {
        use rustix::process::{Rlimit, getrlimit, prlimit};

        // A hard limit of our own may already be lower, and cannot be raised.
        let hard = getrlimit(resource).maximum;
        let limit = hard.map_or(limit, |hard| hard.min(limit));
        let limit = Rlimit {
            current: Some(limit),
            maximum: if for_good { Some(limit) } else { hard },
        };
        match prlimit(Some(self.pid), resource, limit) {
            // It has ended already; its exit status will tell.
            Ok(_) | Err(rustix::io::Errno::SRCH) => Ok(()),
            Err(error) => Err(io::Error::from(error)),
        }
    }

    #[cfg(not(target_os = "linux"))]
    fn limit(&self) -> io::Result<()> {
        match self.memory {
            Some(_) => Err(io::ErrorKind::Unsupported.into()),
            None => Ok(()),
        }
    }

    #[cfg(not(target_os = "linux"))]
    pub(super) fn limit_cpu(&self, _: Duration) -> io::Result<()> {
        Err(io::ErrorKind::Unsupported.into())
    }

    /// Has a scope put around it if it has a memory limit and there is a service manager on `bus`.
    pub(super) fn want_scope(&mut self, app_id: &str, bus: Option<&str>) {
        let Some(memory) = self.memory else {
            return;
        };
        let wanted = Wanted {
            app_id: app_id.to_owned(),
            pid: self.pid(),
            memory,
            bus: bus.map(str::to_owned),
        };
        self.scope = Some(tokio::spawn(wanted.get(Arc::clone(&self.clock))));
    }

    /// Its scope goes soon after it: reads what happened there, and kills who is left in it.
    async fn leave_scope(&mut self) {
        let Some(scope) = self.scope.take() else {
            return;
        };
        if !scope.is_finished() {
            scope.abort();
        } else if let Ok(Some(scope)) = scope.await {
            self.ran_out_of_memory = scope.ran_out_of_memory();
            scope.kill();
        }
    }

    pub(super) fn pid(&self) -> u32 {
        self.pid.as_raw_pid().unsigned_abs()
    }

    /// Waits for the process's end and reaps it. Nothing is lost when the future is dropped.
    pub(super) async fn wait(&mut self) -> io::Result<ExitStatus> {
        self.child.wait().await
    }

    /// Waits for its end for a moment, then kills it. `Some` when it ended by itself.
    pub(super) async fn end(&mut self) -> Option<ExitStatus> {
        let status = self.wait_a_moment().await;
        match status {
            Some(_) => self.clear().await,
            None => self.kill_now().await,
        }
        status
    }

    /// Asks its group to end by signal, then kills what is left.
    pub(super) async fn terminate(&mut self) {
        self.signal(Signal::TERM);
        self.end().await;
    }

    /// Kills all its descendants, then itself and its group, and reaps it.
    pub(super) async fn kill_now(&mut self) {
        // Stopped, its group starts nobody, and what its descendants leave comes to it.
        self.signal(Signal::STOP);
        self.kill_descendants(Some(self.pid)).await;
        self.signal(Signal::KILL);
        self.leave_scope().await;
        if let Err(error) = self.wait().await {
            tracing::warn!(pid = self.pid(), %error, "a host could not be waited for");
        }
    }

    /// Kills what is left of it after its own end.
    pub(super) async fn clear(&mut self) {
        self.leave_scope().await;
        // The number is not used again while one of its group lives.
        self.signal(Signal::KILL);
        self.kill_descendants(None).await;
    }

    async fn kill_descendants(&self, root: Option<Pid>) {
        let mark = self.mark.clone();
        let killed =
            tokio::task::spawn_blocking(move || descendants::kill(root, &mark, ROUNDS)).await;
        if let Err(error) = killed {
            tracing::warn!(pid = self.pid(), %error, "what a host started may be left");
        }
    }

    async fn wait_a_moment(&mut self) -> Option<ExitStatus> {
        let clock = Arc::clone(&self.clock);
        tokio::select! {
            biased;
            status = self.wait() => status.ok(),
            () = clock.awake(TERM_GRACE) => None,
        }
    }

    fn signal(&self, signal: Signal) {
        use rustix::process::{getpgid, kill_process, kill_process_group};

        // Fails only when nobody is left.
        let _ = kill_process_group(self.pid, signal);
        // A body may have moved its process to another group. Until it is waited for, the number
        // is its own.
        let moved = getpgid(Some(self.pid)).is_ok_and(|group| group != self.pid);
        if moved && self.child.id().is_some() {
            let _ = kill_process(self.pid, signal);
        }
    }

    /// Its limit, if so much of it is in memory that it is over that.
    pub(super) fn exceeds_memory(&self) -> Option<u64> {
        let limit = self.memory?;
        (memory::resident(self.pid())? > limit).then_some(limit)
    }

    pub(super) fn has_memory_limit(&self) -> bool {
        self.memory.is_some()
    }

    /// What an end that nobody here asked for means for the runs.
    pub(super) async fn cause(&mut self, status: ExitStatus) -> KillCause {
        if let (Some(SIGABRT), Some(limit), Some(words)) =
            (status.signal(), self.memory, &mut self.last_words)
            && words.tell_of_memory().await
        {
            return KillCause::Memory { limit };
        }
        match (status.code(), status.signal()) {
            (_, Some(SIGKILL)) if self.ran_out_of_memory => KillCause::Memory {
                limit: self.memory.unwrap_or_default(),
            },
            (_, Some(signal)) => KillCause::Signal { signal },
            (Some(code), None) => KillCause::Exit { code },
            (None, None) => KillCause::HostLost {
                detail: format!("it ended with {status}"),
            },
        }
    }
}
