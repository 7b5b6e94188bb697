//! The memory of a process that has a limit.
//!
//! The kernel refuses what a process allocates beyond its limit, and Rust then aborts it. Pages
//! that it shares or maps from files are not allocated, but they are resident: those are looked at
//! here, while a run is active.

use std::{
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    process::ChildStderr,
    task::JoinHandle,
};

use super::spawned::TERM_GRACE;

/// The time between two looks.
pub(super) const LOOK: Duration = Duration::from_millis(250);

/// How much of what a process says last is kept, in bytes.
const KEPT: usize = 64 << 10;

/// How much of the process is in memory, in bytes, with what it shares with others.
#[cfg(target_os = "linux")]
pub(super) fn resident(pid: u32) -> Option<u64> {
    let process = procfs::process::Process::new(i32::try_from(pid).ok()?).ok()?;
    Some(process.statm().ok()?.resident * procfs::page_size())
}

#[cfg(not(target_os = "linux"))]
pub(super) fn resident(_: u32) -> Option<u64> {
    None
}

/// The standard error of a process, which goes on to that of this process. Its last words tell an
/// abort for want of memory from others: the exit status is the same.
#[derive(Debug)]
pub(super) struct LastWords {
    kept: Arc<Mutex<Vec<u8>>>,
    forward: JoinHandle<()>,
}

impl LastWords {
    pub(super) fn of(error: ChildStderr) -> Self {
        let kept = Arc::default();
        let forward = tokio::spawn(forward(error, Arc::clone(&kept)));
        Self { kept, forward }
    }

    /// Whether the process, which has ended, said that it got no memory.
    pub(super) async fn tell_of_memory(&mut self) -> bool {
        // Whoever else has it open could keep it so.
        let _ = tokio::time::timeout(TERM_GRACE, &mut self.forward).await;
        let kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        tell_of_memory(&String::from_utf8_lossy(&kept))
    }
}

async fn forward(mut error: ChildStderr, kept: Arc<Mutex<Vec<u8>>>) {
    let mut own = tokio::io::stderr();
    let mut read = [0; 4 << 10];
    while let Ok(length @ 1..) = error.read(&mut read).await {
        let said = &read[..length];
        {
            let mut kept = kept.lock().unwrap_or_else(PoisonError::into_inner);
            kept.extend_from_slice(said);
            let surplus = kept.len().saturating_sub(KEPT);
            kept.drain(..surplus);
        }
        // Read on even if nobody takes it: a process that cannot write would stop.
        let _ = own.write_all(said).await;
        let _ = own.flush().await;
    }
}

/// The text of <https://doc.rust-lang.org/std/alloc/fn.handle_alloc_error.html>.
fn tell_of_memory(said: &str) -> bool {
    said.lines().any(|line| {
        line.strip_prefix("memory allocation of ")
            .and_then(|rest| rest.split_once(" bytes failed"))
            .is_some_and(|(bytes, _)| bytes.bytes().all(|byte| byte.is_ascii_digit()))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_words_of_a_failed_allocation_are_known() {
        assert!(tell_of_memory("so\nmemory allocation of 17 bytes failed\n"));
        assert!(tell_of_memory("memory allocation of 17 bytes failed"));
        assert!(!tell_of_memory("memory allocation of all bytes failed"));
        assert!(!tell_of_memory("a memory allocation of 17 bytes failed"));
    }

    #[test]
    fn this_process_is_resident() {
        assert!(resident(std::process::id()).is_some_and(|bytes| bytes > 1 << 20));
        assert_eq!(resident(0), None);
    }
}
