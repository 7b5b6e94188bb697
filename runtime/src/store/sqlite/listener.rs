//! Waits for other processes to ring the bell.
//!
//! The thread sleeps in the kernel until there is something to hear. Where inotify is missing or
//! used up, nothing is heard: a hint is never needed for correctness.

#[cfg(target_os = "linux")]
pub(super) use linux::Listener;

/// Hears nothing on this system.
#[cfg(not(target_os = "linux"))]
#[derive(Debug)]
pub(super) struct Listener;

#[cfg(not(target_os = "linux"))]
impl Listener {
    pub(super) fn start(
        _: &std::path::Path,
        _: impl Fn() + Send + 'static,
    ) -> std::io::Result<Self> {
        Ok(Self)
    }
}

#[cfg(target_os = "linux")]
mod linux {
    use std::{io, os::fd::OwnedFd, path::Path, thread::JoinHandle};

    use rustix::{
        event::{PollFd, PollFlags, Timespec, poll},
        fs::inotify::{self, CreateFlags, WatchFlags},
        io::Errno,
        pipe::{PipeFlags, pipe_with},
    };

    /// So long the bell is not listened to after it rang: each hearing costs a look into the store,
    /// and a busy app rings thousands of times in a second, for itself too.
    const DEAF: Timespec = Timespec {
        tv_sec: 0,
        tv_nsec: 10_000_000,
    };

    /// Calls back for each ring; some rings may be heard as one.
    #[derive(Debug)]
    pub(in super::super) struct Listener {
        /// Closing it ends the thread.
        stop: Option<OwnedFd>,
        thread: Option<JoinHandle<()>>,
    }

    impl Listener {
        pub(in super::super) fn start(
            bell: &Path,
            heard: impl Fn() + Send + 'static,
        ) -> io::Result<Self> {
            let rings = inotify::init(CreateFlags::CLOEXEC | CreateFlags::NONBLOCK)?;
            inotify::add_watch(&rings, bell, WatchFlags::MODIFY)?;
            let (stopped, stop) = pipe_with(PipeFlags::CLOEXEC)?;
            let thread = std::thread::Builder::new()
                .name("bgtask-bell".into())
                .spawn(move || {
                    if let Err(error) = listen(&rings, &stopped, heard) {
                        tracing::warn!(%error, "changes by other processes are no longer heard");
                    }
                })?;
            Ok(Self {
                stop: Some(stop),
                thread: Some(thread),
            })
        }
    }

    impl Drop for Listener {
        fn drop(&mut self) {
            self.stop = None;
            if let Some(thread) = self.thread.take() {
                // Its panic, if any, was reported when it happened.
                let _ = thread.join();
            }
        }
    }

    fn listen(rings: &OwnedFd, stopped: &OwnedFd, heard: impl Fn()) -> io::Result<()> {
        let mut events = [0; 4096];
        loop {
            let mut sources = [
                PollFd::new(rings, PollFlags::IN),
                PollFd::new(stopped, PollFlags::IN),
            ];
            match poll(&mut sources, None) {
                Ok(_) => {}
                Err(Errno::INTR) => continue,
                Err(error) => return Err(error.into()),
            }
            if !sources[1].revents().is_empty() {
                return Ok(());
            }
            match rustix::io::read(rings, &mut events) {
                Ok(_) => {
                    heard();
                    // What rings meanwhile is heard then, and the end is seen at once.
                    let stopped = PollFd::new(stopped, PollFlags::IN);
                    match poll(&mut [stopped], Some(&DEAF)) {
                        Ok(_) | Err(Errno::INTR) => {}
                        Err(error) => return Err(error.into()),
                    }
                }
                Err(Errno::INTR | Errno::AGAIN) => {}
                Err(error) => return Err(error.into()),
            }
        }
    }
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use std::{fs, sync::mpsc::channel, time::Duration};

    use super::Listener;

    #[test]
    fn what_rings_while_nobody_listens_is_heard_then() {
        let directory = tempfile::tempdir().unwrap();
        let bell = directory.path().join("bell");
        fs::write(&bell, "").unwrap();
        let (heard, rings) = channel();
        let listener = Listener::start(&bell, move || heard.send(()).unwrap()).unwrap();
        // The first is heard at once, and each of the others in the pause after the one before.
        for _ in 0..3 {
            fs::write(&bell, "!").unwrap();
            rings.recv_timeout(Duration::from_secs(30)).unwrap();
        }
        drop(listener);
        assert!(rings.recv().is_err());
    }
}
