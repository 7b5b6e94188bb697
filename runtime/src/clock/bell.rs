//! One thread per process that sleeps in `poll` and calls whoever watches the descriptor that
//! became readable. It never wakes up for anything else: there is no timeout and no polling.
//!
//! A thread of our own and not the reactor's: registering a foreign descriptor with tokio is
//! `unsafe` (<https://docs.rs/tokio/latest/tokio/io/unix/struct.AsyncFd.html>), this is not.

use std::{
    collections::BTreeMap,
    fmt, io,
    os::fd::{AsFd, BorrowedFd, OwnedFd},
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    thread,
};

use rustix::event::{EventfdFlags, PollFd, PollFlags, eventfd, poll};

/// What a watcher answers when it was called.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Keep {
    /// It took what was there to read, and wants to be called again.
    Watching,
    /// It heard what it waited for.
    Done,
    /// The descriptor is of no use any more.
    No,
}

type Call = Arc<dyn Fn(BorrowedFd<'_>) -> Keep + Send + Sync>;

/// The thread, and the list of what it watches. Dropping it ends the thread.
pub(crate) struct Bell {
    shared: Arc<Shared>,
    thread: Option<thread::JoinHandle<()>>,
}

struct Shared {
    /// Written to when the list changed or the thread shall end.
    control: OwnedFd,
    list: Mutex<List>,
    wakeups: AtomicU64,
}

#[derive(Default)]
struct List {
    next: u64,
    entries: BTreeMap<u64, Entry>,
    end: bool,
}

#[derive(Clone)]
struct Entry {
    fd: Arc<OwnedFd>,
    /// What it is polled for.
    events: PollFlags,
    call: Call,
}

/// A descriptor under watch. Dropping it ends the watch; a call that is under way may still end
/// after that.
#[must_use = "dropping it ends the watch"]
pub(crate) struct Watch {
    shared: Arc<Shared>,
    id: u64,
}

impl Bell {
    /// Starts the thread.
    pub(crate) fn start() -> io::Result<Arc<Self>> {
        let shared = Arc::new(Shared {
            control: eventfd(0, EventfdFlags::CLOEXEC | EventfdFlags::NONBLOCK)?,
            list: Mutex::default(),
            wakeups: AtomicU64::new(0),
        });
        let thread = thread::Builder::new().name("bgtask-bell".into()).spawn({
            let shared = Arc::clone(&shared);
            move || shared.run()
        })?;
        Ok(Arc::new(Self {
            shared,
            thread: Some(thread),
        }))
    }

    /// Calls `call` on the bell thread whenever `fd` is readable. `fd` is non-blocking, and `call`
    /// reads it empty and never blocks; one that panics is not called again.
    pub(crate) fn watch(
        &self,
        fd: Arc<OwnedFd>,
        call: impl Fn(BorrowedFd<'_>) -> Keep + Send + Sync + 'static,
    ) -> Watch {
        self.watch_for(PollFlags::IN, fd, call)
    }

    /// As [`watch`](Self::watch), for these events, as of files of the kernel that are always
    /// readable. One that failed calls too.
    pub(crate) fn watch_for(
        &self,
        events: PollFlags,
        fd: Arc<OwnedFd>,
        call: impl Fn(BorrowedFd<'_>) -> Keep + Send + Sync + 'static,
    ) -> Watch {
        let call = Arc::new(call);
        let mut list = self.shared.list();
        let id = list.next;
        list.next += 1;
        list.entries.insert(id, Entry { fd, events, call });
        drop(list);
        self.shared.ring();
        Watch {
            shared: Arc::clone(&self.shared),
            id,
        }
    }

    /// How often the thread woke up since its start: a process in which nothing happens stands
    /// still.
    pub(crate) fn wakeups(&self) -> u64 {
        self.shared.wakeups.load(Ordering::Relaxed)
    }
}

impl Shared {
    fn list(&self) -> MutexGuard<'_, List> {
        // No code of others runs under the lock, so a poisoned list is whole.
        self.list.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn ring(&self) {
        // Fails only when the counter is full, and then the thread is about to wake up anyway.
        let _ = rustix::io::write(&self.control, &1u64.to_ne_bytes());
    }

    fn remove(&self, id: u64) {
        let removed = self.list().entries.remove(&id);
        // What the watcher owns is dropped here, outside of the lock.
        drop(removed);
    }

    fn run(&self) {
        loop {
            let mut watched = Vec::new();
            {
                let list = self.list();
                if list.end {
                    return;
                }
                for (id, entry) in &list.entries {
                    watched.push((*id, entry.clone()));
                }
            }
            let mut fds = vec![PollFd::new(&self.control, PollFlags::IN)];
            fds.extend(
                watched
                    .iter()
                    .map(|(_, entry)| PollFd::new(&*entry.fd, entry.events)),
            );
            let polled = poll(&mut fds, None);
            self.wakeups.fetch_add(1, Ordering::Relaxed);
            match polled {
                Ok(_) | Err(rustix::io::Errno::INTR) => {}
                // Only memory or the limit of descriptors is left as a cause: without the bell
                // the runtime still works, it only no longer hears of changes.
                Err(error) => {
                    tracing::error!(%error, "the bell thread ends");
                    return;
                }
            }
            let rung: Vec<bool> = fds.iter().map(|fd| !fd.revents().is_empty()).collect();
            if rung[0] {
                let _ = rustix::io::read(&self.control, &mut [0; 8]);
            }
            for ((id, entry), _) in watched.iter().zip(&rung[1..]).filter(|(_, rung)| **rung) {
                let keep = catch_unwind(AssertUnwindSafe(|| (entry.call)(entry.fd.as_fd())));
                match keep {
                    Ok(Keep::Watching) => {}
                    Ok(Keep::Done) => self.remove(*id),
                    Ok(Keep::No) | Err(_) => {
                        tracing::warn!("a descriptor is no longer watched");
                        self.remove(*id);
                    }
                }
            }
        }
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        self.shared.remove(self.id);
        self.shared.ring();
    }
}

impl Drop for Bell {
    fn drop(&mut self) {
        self.shared.list().end = true;
        self.shared.ring();
        if let Some(thread) = self.thread.take()
            && thread.thread().id() != thread::current().id()
        {
            let _ = thread.join();
        }
    }
}

impl fmt::Debug for Bell {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Bell({} wake-ups)", self.wakeups())
    }
}

impl fmt::Debug for Watch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Watch({})", self.id)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;

    use super::*;

    fn counter() -> Arc<OwnedFd> {
        let flags = EventfdFlags::CLOEXEC | EventfdFlags::NONBLOCK;
        Arc::new(eventfd(0, flags).expect("an eventfd"))
    }

    fn ring(fd: &OwnedFd) {
        rustix::io::write(fd, &1u64.to_ne_bytes()).expect("room in the counter");
    }

    #[test]
    fn calls_who_watches_until_dropped() {
        let bell = Bell::start().expect("a thread");
        let (sender, calls) = mpsc::channel();
        let fd = counter();
        let watch = bell.watch(Arc::clone(&fd), move |fd| {
            let _ = rustix::io::read(fd, &mut [0; 8]);
            let _ = sender.send(());
            Keep::Watching
        });
        for _ in 0..3 {
            ring(&fd);
            calls.recv().expect("a call");
        }
        drop(watch);
        // The watcher's end of the channel goes with it, once the thread let go of its copy.
        assert_eq!(calls.recv(), Err(mpsc::RecvError));
    }

    #[test]
    fn who_heard_enough_is_not_called_again() {
        let bell = Bell::start().expect("a thread");
        let (sender, calls) = mpsc::channel();
        let (once, other) = (counter(), counter());
        let _once = bell.watch(Arc::clone(&once), {
            let sender = sender.clone();
            move |_| {
                let _ = sender.send("once");
                Keep::Done
            }
        });
        // Nobody reads it: it stays readable.
        ring(&once);
        assert_eq!(calls.recv(), Ok("once"));
        let _other = bell.watch(Arc::clone(&other), move |fd| {
            let _ = rustix::io::read(fd, &mut [0; 8]);
            let _ = sender.send("other");
            Keep::Watching
        });
        for _ in 0..3 {
            ring(&other);
            assert_eq!(calls.recv(), Ok("other"));
        }
        assert_eq!(bell.shared.list().entries.len(), 1);
    }

    #[test]
    fn a_panic_ends_only_its_own_watch() {
        let bell = Bell::start().expect("a thread");
        let (sender, calls) = mpsc::channel();
        let (bad, good) = (counter(), counter());
        let _bad = bell.watch(Arc::clone(&bad), |_| panic!("expected by this test"));
        let _good = bell.watch(Arc::clone(&good), move |fd| {
            let _ = rustix::io::read(fd, &mut [0; 8]);
            let _ = sender.send(());
            Keep::Watching
        });
        ring(&bad);
        ring(&good);
        calls.recv().expect("a call");
        ring(&good);
        calls.recv().expect("another call");
        // `bad` is still readable: a watch that stayed would keep the thread spinning.
        assert_eq!(bell.shared.list().entries.len(), 1);
    }

    #[test]
    fn dropping_the_bell_ends_its_thread() {
        let bell = Bell::start().expect("a thread");
        let shared = Arc::downgrade(&bell.shared);
        drop(bell);
        assert!(shared.upgrade().is_none(), "the thread held it");
    }
}
