//! Tells of writes to a database, by whichever process: its file, its log or its journal.
//!
//! The thread sleeps in the kernel until there is something to hear.

#[cfg(target_os = "linux")]
pub(super) use linux::Bell;

/// Hears nothing on this system.
#[cfg(not(target_os = "linux"))]
#[derive(Debug)]
pub(super) struct Bell;

#[cfg(not(target_os = "linux"))]
impl Bell {
    pub(super) fn start(_: &std::path::Path) -> std::io::Result<Self> {
        Err(std::io::ErrorKind::Unsupported.into())
    }

    pub(super) const fn hears(&self) -> bool {
        false
    }

    pub(super) async fn rung(&self) {
        std::future::pending().await
    }
}

#[cfg(target_os = "linux")]
mod linux {
    use std::{
        io,
        mem::MaybeUninit,
        os::{fd::OwnedFd, unix::ffi::OsStrExt},
        path::Path,
        sync::{
            Arc,
            atomic::{AtomicBool, Ordering},
        },
        thread::JoinHandle,
    };

    use rustix::{
        event::{PollFd, PollFlags, poll},
        fs::inotify::{self, CreateFlags, ReadFlags, Reader, WatchFlags},
        io::Errno,
        pipe::{PipeFlags, pipe_with},
    };
    use tokio::sync::Notify;

    /// Hears of a database until it is dropped.
    #[derive(Debug)]
    pub(in super::super) struct Bell {
        rung: Arc<Notify>,
        deaf: Arc<AtomicBool>,
        /// Closing it ends the thread.
        stop: Option<OwnedFd>,
        thread: Option<JoinHandle<()>>,
    }

    impl Bell {
        /// Watches the directory of the database, so that a database, a log or a journal that is
        /// made later is heard too.
        pub(in super::super) fn start(database: &Path) -> io::Result<Self> {
            // The log lies beside the file that a symbolic link leads to.
            let resolved = database.canonicalize();
            let database = resolved.as_deref().unwrap_or(database);
            let name = database.file_name().ok_or(io::ErrorKind::InvalidInput)?;
            let directory = match database.parent() {
                Some(parent) if !parent.as_os_str().is_empty() => parent,
                _ => Path::new("."),
            };
            let events = inotify::init(CreateFlags::CLOEXEC | CreateFlags::NONBLOCK)?;
            let changes = WatchFlags::MODIFY
                | WatchFlags::CREATE
                | WatchFlags::DELETE
                | WatchFlags::MOVED_TO
                | WatchFlags::ONLYDIR;
            inotify::add_watch(&events, directory, changes)?;
            let (stopped, stop) = pipe_with(PipeFlags::CLOEXEC)?;
            let rung = Arc::new(Notify::new());
            let rings = Arc::clone(&rung);
            let deaf = Arc::new(AtomicBool::new(false));
            let ends = Arc::clone(&deaf);
            let name = name.as_bytes().to_owned();
            let thread = std::thread::Builder::new()
                .name("bgtask-outbox-bell".into())
                .spawn(move || {
                    if let Err(error) = listen(&events, &stopped, &name, &rings) {
                        tracing::warn!(%error, "writes to an outbox are no longer heard");
                    }
                    // Whoever waits looks, and starts another one.
                    ends.store(true, Ordering::Relaxed);
                    rings.notify_one();
                })?;
            Ok(Self {
                rung,
                deaf,
                stop: Some(stop),
                thread: Some(thread),
            })
        }

        /// Whether it still does: the directory may be gone.
        pub(in super::super) fn hears(&self) -> bool {
            !self.deaf.load(Ordering::Relaxed)
        }

        /// Returns when there was a write since the last time.
        pub(in super::super) async fn rung(&self) {
            self.rung.notified().await;
        }
    }

    impl Drop for Bell {
        fn drop(&mut self) {
            self.stop = None;
            if let Some(thread) = self.thread.take() {
                // Its panic, if any, was reported when it happened.
                let _ = thread.join();
            }
        }
    }

    fn listen(events: &OwnedFd, stopped: &OwnedFd, name: &[u8], rings: &Notify) -> io::Result<()> {
        let mut buffer = [MaybeUninit::uninit(); 4096];
        let mut reader = Reader::new(events, &mut buffer);
        loop {
            match reader.next() {
                Ok(event) if event.events().contains(ReadFlags::IGNORED) => return Ok(()),
                Ok(event) => {
                    let lost = event.events().contains(ReadFlags::QUEUE_OVERFLOW);
                    let of = event.file_name().map(std::ffi::CStr::to_bytes);
                    if lost || of.is_some_and(|of| is_of(of, name)) {
                        rings.notify_one();
                    }
                    continue;
                }
                Err(Errno::INTR) => continue,
                Err(Errno::AGAIN) => {}
                Err(error) => return Err(error.into()),
            }
            let mut sources = [
                PollFd::new(events, PollFlags::IN),
                PollFd::new(stopped, PollFlags::IN),
            ];
            match poll(&mut sources, None) {
                Ok(_) if !sources[1].revents().is_empty() => return Ok(()),
                Ok(_) | Err(Errno::INTR) => {}
                Err(error) => return Err(error.into()),
            }
        }
    }

    /// Whether a file is the database, its log or its journal.
    fn is_of(file: &[u8], name: &[u8]) -> bool {
        let rest = file.strip_prefix(name);
        rest.is_some_and(|rest| matches!(rest, b"" | b"-wal" | b"-journal"))
    }
}
