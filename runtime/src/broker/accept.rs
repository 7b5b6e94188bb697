//! What is accepted: activations are written before anybody is told of them.

use super::{
    Broker,
    batch::{Enqueue, Reply},
};
use crate::{
    ActivationRecord, Code, Error, RegistrationId, Result, scheduler::Input, store::NewActivation,
};

impl Broker {
    /// Takes activations that are to be accepted. What they lead to is in the same commit, as a
    /// rule their start. A row of an outbox waits for it, because it may be known; so does what may
    /// take the place of another one, because both would be lost if it were refused.
    pub(super) fn enqueue(&mut self, activations: Vec<NewActivation>, reply: Reply) {
        let is_volatile = |one: &NewActivation| self.makes_volatile(one.registration);
        let (volatile, activations): (Vec<_>, Vec<_>) =
            activations.into_iter().partition(is_volatile);
        let volatile = match reply {
            // Of what an event of the app leads to, all is accepted or nothing.
            Reply::Raise(_) if !activations.is_empty() => volatile,
            _ if activations.is_empty() && !volatile.is_empty() => {
                return self.accept_volatile(volatile, reply);
            }
            _ => {
                self.accept_volatile(volatile, Reply::Nobody);
                Vec::new()
            }
        };
        let mut view = None;
        if !matches!(reply, Reply::Relay(_)) {
            let at = self.now();
            for activation in &activations {
                if !self.may_displace(activation.registration) {
                    view = self.expect(record_of(activation.clone(), at), false);
                }
            }
        }
        self.batch.enqueues.push(Enqueue {
            activations,
            volatile,
            reply,
            view,
        });
    }

    /// Whether an activation of this registration may take the place of another one: of one that
    /// the scheduler knows, or is to be told of, at the latest when it is kept.
    fn may_displace(&self, registration: RegistrationId) -> bool {
        let comes = |input: &Input| matches!(input, Input::Accepted(one) if one.registration == registration);
        let is_of_it = |one: &NewActivation| one.registration == registration;
        let comes = self.inbox.iter().any(comes) || self.batch.new_activations().any(is_of_it);
        self.scheduler.may_displace(registration, comes)
    }

    pub(super) async fn enqueued(
        &mut self,
        enqueues: Vec<Enqueue>,
        accepted: Result<Vec<bool>>,
    ) -> Result<()> {
        let together = match accepted {
            Ok(open) => {
                let mut open = open.into_iter();
                for enqueue in enqueues {
                    let open = open.by_ref().take(enqueue.activations.len()).collect();
                    self.accepted(enqueue, open);
                }
                return Ok(());
            }
            Err(error) => error,
        };
        // One of them may be to blame: the others must not be refused for it.
        let mut refused = match is_of_what_is_written(&together) && enqueues.len() > 1 {
            true => None,
            false => Some(together.again()),
        };
        let mut kept = Err(together);
        for enqueue in enqueues {
            let written = match &refused {
                // The store takes nothing: it is not asked, and waited for, for each.
                Some(error) => Err(error.again()),
                None => self.store.enqueue(enqueue.activations.clone()).await,
            };
            match written {
                Ok(open) => self.accepted(enqueue, open),
                Err(error) => {
                    self.not_accepted(enqueue, &error);
                    if !is_of_what_is_written(&error) {
                        refused.get_or_insert_with(|| error.again());
                    }
                    kept = Err(error);
                }
            }
        }
        // What nobody waits for is kept; the others know that theirs was not accepted.
        if self.batch.enqueues.is_empty() {
            Ok(())
        } else {
            kept
        }
    }

    /// They are in the store; `open` is `false` for each that it knew before, and that has ended.
    fn accepted(&mut self, mut enqueue: Enqueue, open: Vec<bool>) {
        let at = self.now();
        let mut ids = Vec::new();
        for (activation, open) in enqueue.activations.into_iter().zip(open) {
            let id = activation.id;
            ids.push(id);
            match (open, self.active.contains_key(&id)) {
                (true, true) => self.persisted(id),
                (true, false) => enqueue.view = self.accept(record_of(activation, at), false),
                (false, true) => self.not_persisted(id),
                (false, false) => self.drop_socket_of(&activation.details),
            }
        }
        ids.extend(enqueue.volatile.iter().map(|activation| activation.id));
        self.accept_volatile(enqueue.volatile, Reply::Nobody);
        enqueue.reply.accepted(ids, enqueue.view);
    }

    pub(super) fn not_accepted(&mut self, enqueue: Enqueue, error: &Error) {
        let same = || {
            Error::new(
                error.code(),
                format!("it was not accepted: {}", error.rule()),
            )
            .remedy(error.help().unwrap_or("try again").to_owned())
        };
        match enqueue.reply {
            Reply::Nobody => return self.batch.enqueues.push(enqueue),
            Reply::Relay(row) => return self.turn_away(row, error),
            _ => {}
        }
        for activation in &enqueue.activations {
            self.not_persisted(activation.id);
        }
        match enqueue.reply {
            Reply::Nobody | Reply::Relay(_) => {}
            Reply::Request(reply) => drop(reply.send(Err(same()))),
            Reply::Fire(reply) => drop(reply.send(Err(same()))),
            Reply::Raise(reply) => drop(reply.send(Err(same()))),
        }
    }
}

/// Whether the store refused what it was given, and would take something else.
fn is_of_what_is_written(error: &Error) -> bool {
    matches!(error.code(), Code::BadArguments | Code::StoreFull)
}

/// A new activation as the store keeps it.
pub(super) fn record_of(activation: NewActivation, accepted: jiff::Timestamp) -> ActivationRecord {
    ActivationRecord {
        id: activation.id,
        registration: activation.registration,
        task: activation.task,
        details: activation.details,
        accepted,
        not_before: activation.not_before,
        attempt: 0,
        fence: 0,
        run: None,
        journal: activation.journal,
        foreign: activation.foreign,
    }
}
