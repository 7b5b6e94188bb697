//! What is to be written: gathered over one turn, written together, kept until it was.

use tokio::sync::{oneshot, watch};

use super::{
    Accepted, Broker, Requested, RunView, outbox::Relayed, registrations::RegistrationChange,
};
use crate::{
    ActivationId, RegistrationId, Result, RunId,
    store::{Claim, Finish, Fire, NewActivation, Note, Release, Suppress},
};

/// Writes that wait for the store.
#[derive(Default)]
pub(super) struct Batch {
    pub(super) enqueues: Vec<Enqueue>,
    pub(super) fires: Vec<Fire>,
    pub(super) claims: Vec<Claim>,
    /// Claims of what is to be held again.
    pub(super) releases: Vec<Release>,
    pub(super) finishes: Vec<Finish>,
    /// Ends of volatile runs that changed the app's data: only that is written.
    pub(super) changed: Vec<Finish>,
    pub(super) suppressions: Vec<Suppress>,
    /// Changes of the registrations.
    pub(super) changes: Vec<RegistrationChange>,
    pub(super) notes: Vec<Note>,
    /// What was held because the energy budget is spent.
    pub(super) throttled: Vec<RegistrationId>,
    pub(super) delivered: Vec<RunId>,
}

/// Activations to be accepted together, and who waits for that.
pub(super) struct Enqueue {
    pub(super) activations: Vec<NewActivation>,
    /// Of the same event, and not kept: they are accepted when the others are.
    pub(super) volatile: Vec<NewActivation>,
    pub(super) reply: Reply,
    /// What the requester of the last one may watch.
    pub(super) view: Option<watch::Receiver<RunView>>,
}

/// Who waits for an acceptance.
pub(super) enum Reply {
    /// The system fired: nobody does. Such activations are never given up.
    Nobody,
    Request(oneshot::Sender<Result<Requested>>),
    Fire(oneshot::Sender<Result<ActivationId>>),
    Raise(oneshot::Sender<Result<Vec<ActivationId>>>),
    /// A row of an outbox.
    Relay(Relayed),
}

impl Reply {
    /// They are accepted; `view` is what the requester of the last one may watch.
    pub(super) fn accepted(self, ids: Vec<ActivationId>, view: Option<watch::Receiver<RunView>>) {
        // Who asked may have gone.
        match self {
            Self::Nobody => {}
            Self::Relay(row) => Broker::relayed_row(row),
            Self::Request(reply) => {
                if let (Some(activation), Some(view)) = (ids.last().copied(), view) {
                    let accepted = Accepted { activation, view };
                    let _ = reply.send(Ok(Requested::Accepted(accepted)));
                }
            }
            Self::Fire(reply) => {
                if let Some(id) = ids.last() {
                    let _ = reply.send(Ok(*id));
                }
            }
            Self::Raise(reply) => drop(reply.send(Ok(ids))),
        }
    }
}

impl Batch {
    /// Drops what was to follow from an activation that could not be accepted.
    pub(super) fn forget(&mut self, activation: ActivationId) {
        self.claims.retain(|claim| claim.activation != activation);
        self.suppressions
            .retain(|suppress| suppress.activation != activation);
    }

    /// All of its new activations, in the order of acceptance.
    pub(super) fn new_activations(&self) -> impl Iterator<Item = &NewActivation> {
        self.enqueues.iter().flat_map(|one| &one.activations)
    }

    pub(super) fn is_empty(&self) -> bool {
        self.enqueues.is_empty()
            && self.fires.is_empty()
            && self.claims.is_empty()
            && self.releases.is_empty()
            && self.finishes.is_empty()
            && self.changed.is_empty()
            && self.suppressions.is_empty()
            && self.changes.is_empty()
            && self.notes.is_empty()
            && self.throttled.is_empty()
            && self.delivered.is_empty()
    }
}
