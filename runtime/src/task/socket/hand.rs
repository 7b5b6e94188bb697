//! The way of a socket to a body, and back.

use std::{
    fmt,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use super::Socket;

/// Something that is there once, in a message that may be cloned: who takes it first has it.
pub(crate) struct Parcel<T>(Arc<Mutex<Option<T>>>);

impl<T> Parcel<T> {
    pub(crate) fn new(content: T) -> Self {
        Self(Arc::new(Mutex::new(Some(content))))
    }

    pub(crate) fn take(&self) -> Option<T> {
        lock(&self.0).take()
    }
}

impl<T> Clone for Parcel<T> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

/// The same one.
impl<T> PartialEq for Parcel<T> {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }
}

impl<T> fmt::Debug for Parcel<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Parcel")
    }
}

/// What a body gives back, to be watched again from the end of its run.
#[derive(Debug)]
pub(crate) struct GivenBack {
    pub(crate) socket: Socket,
    pub(crate) context: Vec<u8>,
    pub(crate) keep_alive: Option<Duration>,
}

/// What a run has of its socket.
#[derive(Clone, Debug, Default)]
pub(crate) struct Hand(Arc<Mutex<Holds>>);

#[derive(Debug, Default)]
struct Holds {
    /// For the body to take.
    given: Option<Socket>,
    /// What the body gave back.
    back: Option<GivenBack>,
}

impl Hand {
    pub(crate) fn give(&self, socket: Socket) {
        lock(&self.0).given = Some(socket);
    }

    pub(super) fn take(&self) -> Option<Socket> {
        lock(&self.0).given.take()
    }

    /// The last one counts.
    pub(super) fn give_back(&self, back: GivenBack) {
        let before = lock(&self.0).back.replace(back);
        drop(before);
    }

    /// At the end of the run.
    pub(crate) fn given_back(&self) -> Option<GivenBack> {
        lock(&self.0).back.take()
    }

    /// Whether something is to be taken back.
    pub(crate) fn gives_back(&self) -> bool {
        lock(&self.0).back.is_some()
    }
}

/// No code of others runs under these locks, so a poisoned one is whole.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
