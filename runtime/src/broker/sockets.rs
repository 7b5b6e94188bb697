//! Sockets: handed over by the app, watched, given to the run of what they fire, and taken back.

use std::{collections::HashMap, time::Duration};

use bgtask_model::Trigger;
use uuid::Uuid;

use super::{Active, Broker, Phase};
use crate::{
    Code, Details, Error, RegistrationId, Result, Socket, SocketActivity, SocketDetails,
    SocketReason, Standing,
    monitor::{Arrival, Held, Listener, MOST_SOCKETS, Terms, is_closed},
    scheduler::{Input, Raised},
    store::NewActivation,
    task::{GivenBack, Parcel},
};

/// The longest id of a socket, in bytes.
const MOST_ID: usize = 256;

/// Why an activation fails whose socket is not there any more.
pub(super) const GONE: &str = "its socket is gone: the app that owned it has ended, or an earlier \
    attempt did not give it back";

/// A socket that the app hands over.
#[derive(Debug)]
pub(crate) struct Transfer {
    /// A name, or the id of a registration or the beginning of one.
    pub(crate) task: String,
    pub(crate) id: String,
    pub(crate) socket: Socket,
    pub(crate) context: Vec<u8>,
    pub(crate) keep_alive: Option<Duration>,
}

impl Broker {
    /// Owns a socket that the app hands over.
    pub(super) fn transfer(&mut self, transfer: Transfer) -> Result<()> {
        let Transfer {
            task,
            id,
            socket,
            context,
            keep_alive,
        } = transfer;
        if self.phase != Phase::Open {
            return Err(Error::closing());
        }
        let registration = self.resolve(&task)?;
        if let Some(error) = self.not_accepting(registration) {
            return Err(error);
        }
        let trigger = &self.live[&registration].declaration.trigger;
        let keep_alive = match trigger {
            Trigger::Socket { .. } => keep_alive,
            Trigger::ControlChannel { id: own, .. } if *own != id => {
                let rule = format!("the channel of this task is `{own}`, and not `{id}`");
                return Err(Error::new(Code::NotAccepted, rule)
                    .task(task)
                    .remedy("hand the socket over under the id of the channel"));
            }
            Trigger::ControlChannel { keep_alive, .. } => {
                Some(Duration::from_secs(u64::from(*keep_alive) * 60))
            }
            other => {
                let rule = format!("its trigger is `{other}`, which takes no socket");
                return Err(Error::new(Code::Unsupported, rule)
                    .task(task)
                    .remedy("declare `trigger = socket`"));
            }
        };
        for (what, length, most) in [
            ("the id", id.len(), MOST_ID),
            ("the context", context.len(), SocketActivity::MOST_CONTEXT),
        ] {
            if length > most {
                let rule = format!("{what} has {length} bytes, and {most} are allowed");
                return Err(Error::new(Code::TooLarge, rule)
                    .task(task)
                    .remedy("keep more of it elsewhere, under a shorter id"));
            }
        }
        if self.has_socket(&id) {
            let rule = format!("a socket of the id `{id}` was handed over before");
            return Err(Error::new(Code::NotAccepted, rule)
                .task(task)
                .remedy("choose another id, or take the other one back first"));
        }
        let terms = Terms {
            registration,
            id,
            context,
            keep_alive,
            listener: None,
        };
        let Some(held) = self.sockets.admit(socket, terms) else {
            let rule = format!("not accepted: {MOST_SOCKETS} sockets are handed over, and no more");
            return Err(Error::new(Code::QueueFull, rule)
                .task(task)
                .remedy("take back or close some, or hand over their listener"));
        };
        self.own(held);
        Ok(())
    }

    /// Gives a socket back to the app. `None`: none of this id is there, or it fired and is for its
    /// task now.
    pub(super) fn reclaim(&mut self, id: &str) -> Option<Socket> {
        self.sockets.reclaim(id)
    }

    /// Whether one of this id is owned, waits for its run, or is with it.
    fn has_socket(&self, id: &str) -> bool {
        let of_it = |active: &Active| active.socket.as_ref().is_some_and(|one| one.terms.id == id);
        self.sockets.has(id) || self.active.values().any(of_it)
    }

    pub(super) fn own(&mut self, held: Held) {
        // Nothing fires any more when the app ends.
        if self.phase == Phase::Open
            && let Some(is_awaited) = self.awaits(held.terms.registration)
        {
            self.sockets.own(held, is_awaited);
        }
    }

    /// Whether sockets of a registration are watched; `None`: it is gone.
    fn awaits(&self, registration: RegistrationId) -> Option<bool> {
        let live = self.live.get(&registration)?;
        let is_off = matches!(
            live.standing,
            Standing::Disabled { .. } | Standing::Quarantined { .. }
        );
        let may = live.accepts && !self.scheduler.has_ended(registration);
        Some(may && !is_off && self.access.status().is_allowed())
    }

    /// Has those watched that somebody waits for now. What is paused goes on: its fires are kept.
    pub(super) fn watch_sockets(&mut self) {
        let registrations = self.sockets.registrations();
        let awaited: HashMap<_, _> = registrations.map(|id| (id, self.awaits(id))).collect();
        let is_awaited = |registration| awaited.get(&registration).copied().flatten();
        self.sockets.watch_those(is_awaited);
    }

    /// Something happened to a socket that is owned.
    pub(super) fn socket_changed(&mut self, id: Uuid, reason: SocketReason) {
        if let Some(held) = self.sockets.fired(id) {
            self.fire_socket(held, reason);
        }
    }

    /// Something came to a listener.
    pub(super) fn arrived(&mut self, listener: &Listener, arrival: &Parcel<Arrival>) {
        let Some(arrival) = arrival.take().filter(|_| self.phase == Phase::Open) else {
            return;
        };
        let terms = match listener {
            Listener::Owned(_) => None,
            Listener::Trigger(trigger) => self.terms_of(trigger),
        };
        let reason = arrival.reason;
        if let Some(held) = self.sockets.arrived(listener, arrival, terms) {
            self.fire_socket(held, reason);
        }
    }

    /// Of several tasks at one address, the first has it.
    fn terms_of(&self, trigger: &Trigger) -> Option<Terms> {
        let Trigger::Socket {
            address: Some(address),
        } = trigger
        else {
            return None;
        };
        let mut live = self.live.iter();
        let (registration, _) = live.find(|(id, live)| {
            live.declaration.trigger == *trigger && self.awaits(**id) == Some(true)
        })?;
        Some(Terms {
            registration: *registration,
            id: address.clone(),
            context: Vec::new(),
            keep_alive: None,
            listener: None,
        })
    }

    /// Fires the task of a socket. Where nothing comes of it the socket is closed, unless the task
    /// may fire again later.
    fn fire_socket(&mut self, held: Held, reason: SocketReason) {
        // What was accepted in this turn is counted as well.
        self.decide();
        let (now, firing) = (self.now(), Uuid::now_v7());
        let registration = held.terms.registration;
        let details = Details {
            fired: now,
            socket: Some(SocketDetails {
                id: held.terms.id.clone(),
                reason,
                context: held.terms.context.clone(),
                keep_alive: held.terms.keep_alive,
                listener: held.terms.listener.clone(),
                firing,
            }),
            ..Details::default()
        };
        self.sockets.offer(firing, held);
        let what = Raised::Registration(registration);
        for action in self.scheduler.decide(now, Input::Raised { what, details }) {
            self.act(action);
        }
        let Some(left) = self.sockets.claim(firing) else {
            return;
        };
        let is_of_it = |one: &NewActivation| {
            let socket = one.details.socket.as_ref();
            socket.is_some_and(|socket| socket.firing == firing)
        };
        if self.batch.new_activations().any(is_of_it) {
            // The scheduler hears of it once it is kept.
            return self.sockets.offer(firing, left);
        }
        match self.awaits(registration) {
            Some(false) => self.own(left),
            _ => tracing::warn!(id = left.terms.id, "a socket is closed: nothing takes it"),
        }
    }

    /// Closes the socket that was to be an activation's.
    pub(super) fn drop_socket_of(&mut self, details: &Details) {
        if let Some(socket) = &details.socket {
            drop(self.sockets.claim(socket.firing));
        }
    }

    /// The socket of an activation, for its run: `Some(None)` if it is gone.
    pub(super) fn socket_of(active: &mut Active) -> Option<Option<Parcel<Socket>>> {
        active.record.details.socket.as_ref()?;
        let socket = active.socket.as_mut().and_then(|held| held.socket.take());
        Some(socket.map(Parcel::new))
    }
}

impl Active {
    /// Whether it has the socket that it is about, if it is about one.
    pub(super) fn has_its_socket(&self) -> bool {
        let held = self.socket.as_ref();
        self.record.details.socket.is_none() || held.is_some_and(|held| held.socket.is_some())
    }

    /// Its run ended: what that gave back is to be owned again, or waits for the next attempt.
    pub(super) fn take_back(&mut self, back: Option<GivenBack>, is_retried: bool) -> Option<Held> {
        let was_closed = self.record.details.socket.as_ref();
        let was_closed = was_closed.is_some_and(|socket| socket.reason == SocketReason::Closed);
        // Or it would fire for ever.
        let back = back.filter(|back| !(was_closed && is_closed(&back.socket)));
        let held = self.socket.as_mut()?;
        let Some(back) = back else {
            if !is_retried {
                self.socket = None;
            }
            return None;
        };
        held.socket = Some(back.socket);
        held.terms.context = back.context;
        held.terms.keep_alive = back.keep_alive;
        match is_retried {
            true => None,
            false => self.socket.take(),
        }
    }
}
