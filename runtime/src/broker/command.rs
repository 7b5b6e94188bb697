//! What the app and the command ask of the broker.

use std::time::Duration;

use jiff::Timestamp;
use tokio::sync::{oneshot, watch};

use super::{
    Broker, Phase, batch::Reply, draft::Draft, known::Known, outbox,
    registrations::RegistrationChange, sockets::Transfer,
};
use crate::{
    ActivationId, CancelReason, DeviceDetails, Error, Explanation, Origin, Outcome, Progress,
    RawNotification, RegistrationId, Result, RunId, RunRecord, ServiceDetails, Socket, SyncDiff,
    energy::Ledger, ipc::control::TaskListing, registry::Task, scheduler::Input,
};

/// A question or an order.
#[derive(Debug)]
pub(crate) enum Command {
    /// `task` is a name, or the id of a registration or the beginning of one, here and below.
    Request {
        task: String,
        arguments: serde_json::Value,
        /// Not to be started before; `None`: at once.
        later: Option<Timestamp>,
        /// What a task is for that works on a device.
        device: Option<DeviceDetails>,
        /// Its completion is kept for the app until delivered. If not, another process asks, and
        /// looks for it in the store.
        journal: bool,
        reply: oneshot::Sender<Result<Requested>>,
    },
    Fire {
        task: String,
        arguments: Option<serde_json::Value>,
        reply: oneshot::Sender<Result<ActivationId>>,
    },
    Raise {
        event: String,
        arguments: serde_json::Value,
        reply: oneshot::Sender<Result<Vec<ActivationId>>>,
    },
    Push {
        notification: RawNotification,
        reply: oneshot::Sender<Result<Vec<ActivationId>>>,
    },
    /// A socket is handed over.
    Transfer {
        transfer: Box<Transfer>,
        reply: oneshot::Sender<Result<()>>,
    },
    /// A socket is wanted back.
    Reclaim {
        id: String,
        reply: oneshot::Sender<Option<Socket>>,
    },
    Cancel {
        activation: ActivationId,
        reason: CancelReason,
        reply: oneshot::Sender<bool>,
    },
    /// By an id as it is shown, or the beginning of one.
    CancelNamed {
        id: String,
        reason: CancelReason,
        reply: oneshot::Sender<Result<Option<Cancelling>>>,
    },
    Why {
        task: String,
        reply: oneshot::Sender<Result<Explanation>>,
    },
    List {
        reply: oneshot::Sender<Vec<TaskListing>>,
    },
    /// All that is wrong with a draft.
    Validate {
        draft: Box<Draft>,
        reply: oneshot::Sender<Vec<Error>>,
    },
    /// Of the registrations.
    Change(RegistrationChange),
    /// A command that waited until it was known whether the system can be kept awake.
    Informed(Box<Self>),
    /// What the launch changed.
    LaunchDiff {
        reply: oneshot::Sender<SyncDiff>,
    },
    /// Which registration is meant, and whether it is declared.
    Resolve {
        task: String,
        reply: oneshot::Sender<Result<Resolved>>,
    },
    /// A row of an outbox.
    Relay(outbox::Relayed),
    /// An outbox can be read, or not any more.
    Outbox {
        name: String,
        error: Option<String>,
    },
    /// What was used of the energy budget.
    Energy {
        reply: oneshot::Sender<Ledger>,
    },
    /// Answered once all that happened before is written.
    Settled {
        reply: oneshot::Sender<()>,
    },
    NextCompletion {
        reply: oneshot::Sender<RunRecord>,
    },
    ReadyCompletion {
        reply: oneshot::Sender<Option<RunRecord>>,
    },
    Delivered {
        run: RunId,
    },
    /// A caller of a service is there.
    Connect {
        details: ServiceDetails,
        reply: oneshot::Sender<Result<ActivationId>>,
    },
    /// What waits or runs under this id.
    Find {
        activation: ActivationId,
        reply: oneshot::Sender<Option<Known>>,
    },
    /// `main` has returned.
    Close {
        linger: bool,
    },
    /// Everything is to stop.
    Shutdown {
        reason: CancelReason,
    },
}

/// The answer to a request.
#[derive(Debug)]
pub(crate) enum Requested {
    Accepted(Accepted),
    CurrentlyRunning,
    Disabled,
}

/// A registration that was meant.
#[derive(Debug)]
pub(crate) struct Resolved {
    pub(crate) id: RegistrationId,
    pub(crate) name: String,
    pub(crate) origin: Origin,
}

/// What the broker answers to an accepted request.
#[derive(Debug)]
pub(crate) struct Accepted {
    pub(crate) activation: ActivationId,
    pub(crate) view: watch::Receiver<RunView>,
}

/// What a cancellation by id leads to.
#[derive(Debug)]
pub(crate) struct Cancelling {
    pub(crate) task: String,
    pub(crate) activation: ActivationId,
    /// `None`: it had not started, and will not.
    pub(crate) run: Option<RunId>,
    /// The reason that counts: the first.
    pub(crate) reason: CancelReason,
    pub(crate) grace: Duration,
}

/// What a requester sees of its run.
#[derive(Clone, Debug, Default)]
pub(crate) struct RunView {
    /// Its completion is kept until it was delivered.
    pub(crate) journaled: bool,
    pub(crate) progress: Option<Progress>,
    pub(crate) ended: Option<(RunId, Outcome)>,
}

impl Broker {
    pub(super) fn command(&mut self, command: Command) {
        self.hear_access();
        if self.is_about_network(&command) && !self.inhibitor.has_some() {
            return self.inform(command);
        }
        self.follow(command);
    }

    /// Whether it depends on locks that keep the system awake.
    fn is_about_network(&self, command: &Command) -> bool {
        match command {
            Command::Validate { draft, .. }
            | Command::Change(RegistrationChange::Register { draft, .. }) => {
                draft.may_keep_network(&self.registry)
            }
            Command::Change(RegistrationChange::Sync { .. }) => {
                self.registry.tasks().any(Task::keeps_network)
            }
            _ => false,
        }
    }

    /// Follows a command once it is known whether there are such locks. Nobody else waits for that.
    fn inform(&self, command: Command) {
        let (learning, commands) = (self.inhibitor.learn(), self.commands.clone());
        tokio::spawn(async move {
            learning.await;
            // The app may have ended: who asked is told so.
            if let Some(commands) = commands.upgrade() {
                let _ = commands.send(Command::Informed(Box::new(command)));
            }
        });
    }

    fn follow(&mut self, command: Command) {
        match command {
            Command::Informed(command) => self.follow(*command),
            Command::Request {
                task,
                arguments,
                later,
                device,
                journal,
                reply,
            } => self.request(&task, arguments, later, device, journal, reply),
            Command::Fire {
                task,
                arguments,
                reply,
            } => match self.by_hand(&task, arguments) {
                Ok(activation) => self.enqueue(vec![activation], Reply::Fire(reply)),
                Err(error) => drop(reply.send(Err(error))),
            },
            Command::Raise {
                event,
                arguments,
                reply,
            } => self.raise(event, arguments, reply),
            Command::Push {
                notification,
                reply,
            } => self.push(notification, reply),
            Command::Transfer { transfer, reply } => {
                drop(reply.send(self.transfer(*transfer)));
            }
            Command::Reclaim { id, reply } => drop(reply.send(self.reclaim(&id))),
            Command::Cancel {
                activation,
                reason,
                reply,
            } => {
                let known = self.active.contains_key(&activation);
                if known {
                    self.inbox
                        .push_back(Input::CancelRequested { activation, reason });
                }
                let _ = reply.send(known);
            }
            Command::CancelNamed { id, reason, reply } => {
                drop(reply.send(self.cancel_named(&id, reason)));
            }
            Command::Why { task, reply } => drop(reply.send(self.why(&task))),
            Command::List { reply } => drop(reply.send(self.list())),
            Command::Validate { draft, reply } => drop(reply.send(self.validate(&draft))),
            Command::Change(change) => self.change_registrations(change),
            Command::LaunchDiff { reply } => drop(reply.send(self.diff.clone())),
            Command::Resolve { task, reply } => {
                let resolved = self.resolve(&task).map(|id| Resolved {
                    id,
                    name: self.live[&id].name.clone(),
                    origin: self.live[&id].origin,
                });
                drop(reply.send(resolved));
            }
            Command::Relay(row) => self.relay(row),
            Command::Outbox { name, error } => self.outboxes.is(name, error, self.clock.now()),
            Command::Energy { reply } => drop(reply.send(self.energy.ledger(self.now()))),
            Command::Settled { reply } => self.settled.push(reply),
            Command::NextCompletion { reply } => {
                self.takers.push_back(reply);
                self.hand_over();
            }
            Command::ReadyCompletion { reply } => {
                if let Err(Some(record)) = reply.send(self.undelivered.pop_front()) {
                    self.undelivered.push_front(record);
                }
            }
            Command::Delivered { run } => {
                // Its requester may have come back for it.
                self.undelivered.retain(|record| record.run != run);
                self.batch.delivered.push(run);
            }
            Command::Connect { details, reply } => self.connect(details, reply),
            Command::Find { activation, reply } => {
                let active = self.active.get(&activation);
                let _ = reply.send(active.map(Known::of));
            }
            Command::Close { linger } => self.close(linger),
            Command::Shutdown { reason } => self.stop(reason),
        }
    }

    /// Changes of the registrations are written with the rest of the turn.
    fn change_registrations(&mut self, change: RegistrationChange) {
        if self.phase == Phase::Open {
            self.batch.changes.push(change);
            return;
        }
        change.refuse(&Error::closing());
    }
}
