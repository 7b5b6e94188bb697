//! Sockets that nobody works on: each has a watch, which tells what happens to it and ends.
//!
//! A socket is in one place at a time. It is *owned* here while nothing happens to it, *taken* while
//! its activation waits, in the hands of a run after that, and owned again if that gives it back.
//! Whoever drops it on the way closes it. A listener stays owned: what it accepts goes the way.

#[cfg(target_os = "linux")]
mod bound;
#[cfg(all(test, target_os = "linux"))]
mod tests;
#[cfg(not(target_os = "linux"))]
#[path = "watch_absent.rs"]
mod watch;
#[cfg(target_os = "linux")]
mod watch;

use std::{collections::HashMap, io, os::fd::OwnedFd, sync::Arc, time::Duration};

use bgtask_model::Trigger;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio_util::task::AbortOnDropHandle;
use uuid::Uuid;

use super::{Change, Changes};
use crate::{
    RegistrationId, Socket, SocketKind, SocketReason,
    clock::{Bell, Clock},
};

#[cfg(target_os = "linux")]
pub(super) use bound::serve as serve_bound;
pub(crate) use watch::is_closed;

/// How many sockets an app may have handed over.
pub(crate) const MOST_SOCKETS: usize = 256;

/// How many connections of a listener are open at a time; more wait in the kernel's queue.
pub(crate) const MOST_CONNECTIONS: usize = 128;

/// What was handed over with a socket.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Terms {
    pub(crate) registration: RegistrationId,
    pub(crate) id: String,
    pub(crate) context: Vec<u8>,
    pub(crate) keep_alive: Option<Duration>,
    /// The id of the listener that accepted it.
    pub(crate) listener: Option<String>,
}

/// A socket that is not watched, and its place among those that may be.
#[derive(Debug)]
pub(crate) struct Held {
    /// `None` while a run has it.
    pub(crate) socket: Option<Socket>,
    pub(crate) terms: Terms,
    place: OwnedSemaphorePermit,
    /// Its owner kept it too, and watches it again when its place is free.
    lent: bool,
}

/// What came to a listener.
#[derive(Debug)]
pub(crate) struct Arrival {
    pub(crate) socket: Socket,
    pub(crate) reason: SocketReason,
    place: OwnedSemaphorePermit,
    lent: bool,
}

/// Whose arrival it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Listener {
    /// One that was handed over.
    Owned(Uuid),
    /// One that a trigger names.
    Trigger(Trigger),
}

/// Those of an app. Dropping it closes them.
#[derive(Debug)]
pub(crate) struct Sockets {
    bell: Option<Arc<Bell>>,
    clock: Arc<dyn Clock>,
    changes: Changes,
    places: Arc<Semaphore>,
    owned: HashMap<Uuid, Owned>,
    taken: HashMap<Uuid, Held>,
    /// Of the last connection.
    number: u64,
}

#[derive(Debug)]
struct Owned {
    fd: Arc<OwnedFd>,
    kind: SocketKind,
    terms: Terms,
    place: OwnedSemaphorePermit,
    watch: Option<AbortOnDropHandle<()>>,
}

impl Sockets {
    /// None yet. Their watches run where the broker does.
    pub(crate) fn new(bell: Option<Arc<Bell>>, clock: Arc<dyn Clock>, changes: Changes) -> Self {
        Self {
            bell,
            clock,
            changes,
            places: Arc::new(Semaphore::new(MOST_SOCKETS)),
            owned: HashMap::new(),
            taken: HashMap::new(),
            number: 0,
        }
    }

    /// A socket that the app hands over; `None` if it has handed over as many as it may.
    pub(crate) fn admit(&self, socket: Socket, terms: Terms) -> Option<Held> {
        let place = Arc::clone(&self.places).try_acquire_owned().ok()?;
        Some(Held {
            socket: Some(socket),
            terms,
            place,
            lent: false,
        })
    }

    /// Owns a socket from now on, and has it watched if somebody waits for it. One that is lent, or
    /// that a run kept, is let go.
    pub(crate) fn own(&mut self, held: Held, is_awaited: bool) {
        let (Some(socket), false) = (held.socket, held.lent) else {
            return;
        };
        let (kind, id) = (socket.kind(), Uuid::now_v7());
        let mut owned = Owned {
            fd: Arc::new(socket.into()),
            kind,
            terms: held.terms,
            place: held.place,
            watch: None,
        };
        if is_awaited {
            owned.watch = self.watch(id, &owned);
        }
        self.owned.insert(id, owned);
    }

    /// Those that own sockets.
    pub(crate) fn registrations(&self) -> impl Iterator<Item = RegistrationId> + '_ {
        self.owned.values().map(|owned| owned.terms.registration)
    }

    /// Watches those that somebody waits for. `None`: its registration is gone, and it is closed.
    pub(crate) fn watch_those(&mut self, is_awaited: impl Fn(RegistrationId) -> Option<bool>) {
        let mut starting = Vec::new();
        self.owned.retain(|id, owned| {
            match is_awaited(owned.terms.registration) {
                None => return false,
                Some(false) => owned.watch = None,
                Some(true) if owned.watch.is_none() => starting.push(*id),
                Some(true) => {}
            }
            true
        });
        for id in starting {
            let watch = self.owned.get(&id).and_then(|owned| self.watch(id, owned));
            if let Some(owned) = self.owned.get_mut(&id) {
                owned.watch = watch;
            }
        }
    }

    fn watch(&self, id: Uuid, owned: &Owned) -> Option<AbortOnDropHandle<()>> {
        let (bell, clock) = (self.bell.clone()?, Arc::clone(&self.clock));
        let (fd, kind, changes) = (Arc::clone(&owned.fd), owned.kind, self.changes.clone());
        let keep_alive = owned.terms.keep_alive;
        Some(AbortOnDropHandle::new(tokio::spawn(async move {
            if kind.is_listener() {
                let tell = |arrival| {
                    let listener = Listener::Owned(id);
                    // The broker ends only with everything else.
                    let _ = changes.send(Change::Arrived { listener, arrival });
                };
                return watch::serve(&fd, kind, &bell, &*clock, tell).await;
            }
            let reason = watch::next(&fd, kind, keep_alive, &bell, &*clock).await;
            let _ = changes.send(Change::Socket { id, reason });
        })))
    }

    /// What fired is owned no more.
    pub(crate) fn fired(&mut self, id: Uuid) -> Option<Held> {
        self.owned.remove(&id).and_then(Owned::held)
    }

    /// What came to a listener; `None` if that is gone. `terms` are those of a trigger's.
    pub(crate) fn arrived(
        &mut self,
        listener: &Listener,
        arrival: Arrival,
        terms: Option<Terms>,
    ) -> Option<Held> {
        let own = match listener {
            Listener::Owned(id) => self.owned.get(id).map(|owned| owned.terms.clone()),
            Listener::Trigger(_) => None,
        };
        let mut terms = own.or(terms)?;
        if !arrival.lent {
            self.number += 1;
            let id = format!("{}#{}", terms.id, self.number);
            terms.listener = Some(std::mem::replace(&mut terms.id, id));
            terms.keep_alive = None;
        }
        Some(Held {
            socket: Some(arrival.socket),
            terms,
            place: arrival.place,
            lent: arrival.lent,
        })
    }

    /// Puts a socket where its activation finds it.
    pub(crate) fn offer(&mut self, firing: Uuid, held: Held) {
        self.taken.insert(firing, held);
    }

    /// The socket of this firing, for the one who comes first.
    pub(crate) fn claim(&mut self, firing: Uuid) -> Option<Held> {
        self.taken.remove(&firing)
    }

    /// Whether one of this id is owned.
    pub(crate) fn has(&self, id: &str) -> bool {
        self.owned.values().any(|owned| owned.terms.id == id)
    }

    /// Gives a socket back to the app.
    pub(crate) fn reclaim(&mut self, id: &str) -> Option<Socket> {
        let mut owned = self.owned.iter();
        let found = owned.find(|(_, owned)| owned.terms.id == id)?;
        let id = *found.0;
        self.fired(id)?.socket
    }

    /// Closes those that nobody has.
    pub(crate) fn close(&mut self) {
        self.owned.clear();
    }
}

impl Owned {
    fn held(self) -> Option<Held> {
        drop(self.watch);
        // The bell lets go of its own a moment later.
        let fd = Arc::try_unwrap(self.fd).or_else(|shared| shared.try_clone());
        let fd = fd.inspect_err(|error: &io::Error| {
            tracing::error!(%error, id = self.terms.id, "a socket is lost");
        });
        Some(Held {
            socket: Some(Socket::new(fd.ok()?, self.kind)),
            terms: self.terms,
            place: self.place,
            lent: false,
        })
    }
}
