//! `delivery = volatile`: what is accepted, started and ended without the store. It is in this
//! process only, lost with it, and waits for no commit.
//!
//! The registration is kept as any other: also its due time, so that a timer needs the store to
//! fire.

use bgtask_model::Delivery;
use jiff::Timestamp;
use tokio::sync::watch;

use super::{Active, Broker, Phase, RunView, accept::record_of, batch::Reply};
use crate::{
    ActivationId, CancelReason, RegistrationId, Result, RunId,
    scheduler::Input,
    store::{Claim, DataChange, Finish, Fire, Lease, NewActivation},
};

/// What happened to volatile activations.
pub(super) enum Unwritten {
    Accepted {
        ids: Vec<ActivationId>,
        reply: Reply,
        /// What the requester of the last one may watch.
        view: Option<watch::Receiver<RunView>>,
    },
    Ended(Finish),
}

/// What ended runs change of the app's data, to be written together: none of it may be written
/// after something later.
pub(super) fn all_data(ends: Vec<Finish>) -> Vec<DataChange> {
    ends.into_iter().flat_map(|end| end.data).collect()
}

impl Active {
    /// Whether its completion is for `App::completions`: nobody watches it, and it is kept.
    pub(super) fn is_to_be_delivered(&self) -> bool {
        self.record.journal && !self.volatile && !self.is_awaited()
    }
}

impl Broker {
    /// Whether an activation is not in the store.
    pub(super) fn is_volatile(&self, activation: ActivationId) -> bool {
        let active = self.active.get(&activation);
        active.is_some_and(|active| active.volatile)
    }

    /// Whether new activations of a registration are not kept.
    pub(super) fn makes_volatile(&self, registration: RegistrationId) -> bool {
        let live = self.live.get(&registration);
        live.is_some_and(|live| live.declaration.options.delivery == Delivery::Volatile)
    }

    /// Accepts activations at once.
    pub(super) fn accept_volatile(&mut self, activations: Vec<NewActivation>, reply: Reply) {
        let at = self.now();
        let mut ids = Vec::with_capacity(activations.len());
        let mut view = None;
        for activation in activations {
            let id = activation.id;
            if matches!(reply, Reply::Nobody) && !activation.foreign {
                self.end_one_shot(activation.registration);
            }
            view = self.expect_as(record_of(activation, at), false, true);
            if self.phase != Phase::Open {
                let reason = CancelReason::Terminating;
                self.inbox.push_back(Input::CancelRequested {
                    activation: id,
                    reason,
                });
            }
            ids.push(id);
        }
        self.unwritten
            .push_back(Unwritten::Accepted { ids, reply, view });
    }

    /// Tells what would be told when it was written.
    pub(super) fn tell_unwritten(&mut self, unwritten: Unwritten) {
        match unwritten {
            Unwritten::Accepted { ids, reply, view } => {
                for id in &ids {
                    self.persisted(*id);
                }
                reply.accepted(ids, view);
            }
            Unwritten::Ended(mut finish) => {
                // Nothing waits here for the next launch.
                finish.retry_at = finish.retry_at.filter(|_| self.phase == Phase::Open);
                self.finished_run(finish);
            }
        }
    }

    /// The event of a one-shot came: its outcome will not be written, so it ends here. One on a
    /// timer has ended when it fired.
    fn end_one_shot(&mut self, registration: RegistrationId) {
        let is_once = |live: &&super::Live| {
            let trigger = &live.declaration.trigger;
            trigger.is_once() && !trigger.is_timed()
        };
        if self.live.get(&registration).filter(is_once).is_none() {
            return;
        }
        let Some(generation) = self.scheduler.generation(registration) else {
            return;
        };
        self.batch.fires.push(Fire {
            registration,
            generation,
            at: self.now(),
            next: None,
            activations: Vec::new(),
            suppressed: None,
            last: true,
            volatile: true,
        });
    }

    /// Starts it: there is nobody to ask for a claim.
    pub(super) fn start_volatile(&mut self, activation: ActivationId, at: Timestamp) {
        let Some(active) = self.active.get_mut(&activation) else {
            return;
        };
        active.record.fence += 1;
        let lease = Lease {
            attempt: active.record.attempt + 1,
            fence: active.record.fence,
        };
        let run = RunId::now();
        let claim = Claim {
            activation,
            run,
            at,
        };
        self.begin(&claim, &lease);
    }

    /// Its run ended. What that changes of the app's data is kept, and told only then.
    pub(super) fn finish_volatile(&mut self, finish: Finish) {
        if finish.data.is_empty() || !finish.outcome.is_completed() {
            self.unwritten.push_back(Unwritten::Ended(finish));
        } else {
            self.batch.changed.push(finish);
        }
    }

    /// Data that volatile runs changed was written, or has to be tried again.
    pub(super) fn changed_data(&mut self, ends: Vec<Finish>, written: Result<bool>) -> Result<()> {
        if let Err(error) = written {
            self.batch.changed.extend(ends);
            return Err(error);
        }
        for finish in ends {
            self.finished_run(finish);
        }
        Ok(())
    }

    /// The app ends: what waits here does not wait for its next launch, and its requester is told.
    pub(super) fn lose_volatile(&mut self, reason: CancelReason) {
        let waits = |active: &&Active| active.volatile && active.running.is_none();
        let waiting = self.active.values().filter(waits);
        let waiting: Vec<ActivationId> = waiting.map(|active| active.record.id).collect();
        for activation in waiting {
            self.inbox
                .push_back(Input::CancelRequested { activation, reason });
        }
    }
}
