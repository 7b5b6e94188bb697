//! The only loop: what happened comes in, what to do goes out.
//!
//! The broker waits for commands, host events, changes of the system and due times; tells the
//! scheduler; writes what the scheduler decided to the store; and only then acts. Whatever it
//! takes out of a queue is persisted before anybody can see its effect.

mod accept;
mod access;
mod act;
mod answers;
mod batch;
mod blame;
mod check;
mod claims;
mod command;
mod completions;
mod control;
mod data;
mod draft;
mod ending;
mod energy;
mod feed;
mod housekeeping;
mod input;
mod instance;
mod known;
mod last_tries;
mod launch;
mod log;
mod looks;
mod outbox;
mod overridden;
mod push;
mod registrations;
mod remote;
mod request;
mod retry;
mod service;
mod servicing;
mod settle;
mod sockets;
mod startup;
mod supervise;
#[cfg(test)]
mod tests;
mod volatile;
mod why;

use std::{
    collections::{BTreeMap, HashMap, VecDeque},
    sync::Arc,
    time::Duration,
};

use bgtask_model::{Declaration, Host as HostKind};
use jiff::Timestamp;
use tokio::sync::{broadcast, mpsc, oneshot, watch};

pub(crate) use blame::kept_alone;
pub(crate) use check::{check_foreground, check_length, check_relayable, check_requestable};
use command::Resolved;
pub(crate) use command::{Accepted, Command, Requested, RunView};
pub(crate) use draft::Draft;
pub(crate) use feed::{Feed, Sink};
pub(crate) use known::{Known, glance, reader, recorded, stored, unknown};
pub(crate) use outbox::{Look, looked};
use overridden::Overridden;
pub(crate) use push::DEFAULT_PUSH;
use registrations::Live;
pub(crate) use registrations::RegistrationChange;
pub(crate) use sockets::Transfer;
use startup::Guard;
pub(crate) use startup::start;
pub(crate) use supervise::supervise;

use crate::{
    AccessStatus, ActivationId, CancelReason, Event, Outcome, Profile, Progress, RegistrationId,
    RunId, RunRecord, SyncDiff,
    access::Access,
    clock::Clock,
    host::{Host, HostEvent},
    inhibitor::Inhibitor,
    monitor::{Change, Condition, Demand, Held, InUse, Presence, Sockets, Sources, Toasts},
    registry::Registry,
    scheduler::{Input, Scheduler},
    store::Store,
    task::{GivenBack, Stage},
};
use batch::Batch;
use housekeeping::Housekeeping;
use last_tries::LastTries;

/// How many inputs are taken together; their writes share transactions.
const TOGETHER: usize = 256;

/// The broker's whole state, owned by its one task.
struct Broker {
    registry: Arc<Registry>,
    store: Arc<dyn Store>,
    clock: Arc<dyn Clock>,
    scheduler: Scheduler,
    in_process: Arc<dyn Host>,
    processes: Arc<dyn Host>,
    events: broadcast::Sender<Event>,
    live: BTreeMap<RegistrationId, Live>,
    /// Several may have one name, if the app asked for it.
    by_name: BTreeMap<String, Vec<RegistrationId>>,
    /// Declared, and not registered: the error says why.
    refused: BTreeMap<String, String>,
    /// Declared tasks that the user runs otherwise.
    overridden: Overridden,
    /// What the launch changed of the registrations.
    diff: SyncDiff,
    /// This program's `main` becomes a host when it is asked to.
    hosts: bool,
    profile: Profile,
    /// Devices that are in use.
    presence: Presence,
    toasts: Toasts,
    /// Where to ask for more of the program's conditions.
    conditions: mpsc::UnboundedSender<Condition>,
    /// Where to ask for what registrations need to be watched.
    demand: Demand,
    sources: Sources,
    /// What those saw last.
    looks: looks::Looks,
    sockets: Sockets,
    outboxes: outbox::Outboxes,
    /// Accepted activations that have not ended.
    active: HashMap<ActivationId, Active>,
    runs: HashMap<RunId, ActivationId>,
    last_outcome: HashMap<String, (Timestamp, Outcome)>,
    /// Completions that nobody has taken.
    undelivered: VecDeque<RunRecord>,
    takers: VecDeque<oneshot::Sender<RunRecord>>,
    /// Inputs for the scheduler, in order.
    inbox: VecDeque<Input>,
    batch: Batch,
    /// What is not written, to be told once the scheduler knows what came before.
    unwritten: VecDeque<volatile::Unwritten>,
    log: log::Log,
    /// Who waits until this turn is written.
    settled: Vec<oneshot::Sender<()>>,
    housekeeping: Housekeeping,
    linger: bool,
    /// The longest arguments and results, in bytes of JSON.
    max_payload: usize,
    /// The longest content of a notification, in bytes.
    max_push: usize,
    /// The store refused to write: what is to be written waits for this long.
    stuck: bool,
    /// While the app is to end.
    last_tries: LastTries,
    phase: Phase,
    closed: watch::Sender<bool>,
    /// Shown by the control socket: the app is closed, its runs are not.
    headless: Arc<std::sync::atomic::AtomicBool>,
    energy: energy::Energy,
    inhibitor: Arc<Inhibitor>,
    /// Where commands come from.
    commands: feed::Sink,
    access: Arc<Access>,
    access_changed: watch::Receiver<AccessStatus>,
}

/// An accepted activation that has not ended.
struct Active {
    record: crate::ActivationRecord,
    declaration: Arc<Declaration>,
    /// The declared task whose body runs.
    entry: String,
    /// Its registration group.
    group: Option<String>,
    view: watch::Sender<RunView>,
    /// Shared with those who watch it and take no completion.
    onlookers: Arc<()>,
    running: Option<Running>,
    /// It is here only, and never in the store.
    volatile: bool,
    /// It is in the store, or never will be. Before that nobody is told of it.
    kept: bool,
    /// The scheduler said that it waits for its condition.
    held: bool,
    /// What it waits for, to be told once it is kept.
    untold: Option<String>,
    /// What it waits for, as the log has it.
    logged: Option<String>,
    /// Its last attempt ended with its process.
    hit: bool,
    /// The device that it is for is watched while this is here.
    _device: Option<InUse>,
    /// The socket that fired it; without one while its run has that.
    socket: Option<Held>,
}

impl Active {
    /// Whether somebody who watches it takes its completion.
    fn is_awaited(&self) -> bool {
        self.view.receiver_count() + 1 > Arc::strong_count(&self.onlookers)
    }

    /// The next run of it is as the registration says now.
    fn runs_as(&mut self, live: &Live) {
        self.declaration = Arc::clone(&live.declaration);
        self.entry.clone_from(&live.entry);
        self.group.clone_from(&live.group);
    }
}

struct Running {
    run: RunId,
    fence: u64,
    attempt: u32,
    started: Timestamp,
    progress: Option<Progress>,
    /// What it changes of the app's data, if it completes.
    changes: Stage,
    /// The socket that it gave back.
    given_back: Option<GivenBack>,
    /// Why it was first asked to stop.
    asked: Option<CancelReason>,
    /// `Ended` was reported.
    ended: bool,
    /// `Vacated` was reported, before the end was recorded.
    vacated: bool,
}

/// How far the app's end is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    Open,
    /// `main` has returned: requested runs in processes of their own may end.
    Lingering,
    /// Everything was asked to stop.
    Stopping,
}

/// Where the broker's inputs come from.
struct Inputs {
    /// What was asked before the broker was there.
    early: Vec<Command>,
    commands: mpsc::UnboundedReceiver<Command>,
    host: mpsc::UnboundedReceiver<HostEvent>,
    changes: mpsc::UnboundedReceiver<Change>,
    stored: watch::Receiver<u64>,
    access: watch::Receiver<AccessStatus>,
}

impl Broker {
    /// Runs until the app has ended.
    async fn run(mut self, mut inputs: Inputs, guard: Guard) {
        let mut asked = true;
        self.settle().await;
        for command in std::mem::take(&mut inputs.early) {
            self.command(command);
        }
        self.settle().await;
        loop {
            if self.finished() {
                break;
            }
            let looks = [self.scheduler.next_wake(), self.energy.next_look()];
            let wake = looks.into_iter().flatten().min();
            let clock = Arc::clone(&self.clock);
            tokio::select! {
                command = inputs.commands.recv(), if asked => match command {
                    Some(command) => self.command(command),
                    None => {
                        // Nobody can ask any more: every `App` is gone.
                        asked = false;
                        self.stop(CancelReason::Terminating);
                    }
                },
                Some(event) = inputs.host.recv() => self.host_event(event),
                Some(change) = inputs.changes.recv() => self.change(change),
                Ok(()) = inputs.stored.changed() => self.reread().await,
                Ok(()) = inputs.access.changed() => self.hear_access(),
                () = until(&*clock, wake), if wake.is_some() && !self.stuck => {
                    if self.energy.next_look().is_some() {
                        self.restrict();
                    }
                    self.inbox.push_back(Input::Time);
                }
                // What needs no store goes on.
                () = clock.awake(Duration::from_secs(1)), if self.stuck => {
                    self.inbox.push_back(Input::Time);
                }
                () = self.last_tries.end() => {}
            }
            self.take_more(&mut inputs);
            self.settle().await;
            self.keep_looks().await;
        }
        let closed = self.closed.clone();
        // The lock, the socket and the hosts first: who waits for the end may start again at once.
        drop(self);
        guard.end().await;
        closed.send_replace(true);
    }

    /// Takes what else is there already, so that its writes share one transaction.
    fn take_more(&mut self, inputs: &mut Inputs) {
        // One of each in turn: many of one kind do not keep the others waiting.
        for _ in 0..TOGETHER {
            let command = inputs.commands.try_recv().map(|one| self.command(one));
            let event = inputs.host.try_recv().map(|one| self.host_event(one));
            let change = inputs.changes.try_recv().map(|one| self.change(one));
            if command.is_err() && event.is_err() && change.is_err() {
                break;
            }
        }
    }

    /// Whether the app's end is reached and recorded.
    fn finished(&self) -> bool {
        let busy = self.active.values().any(|active| {
            active
                .running
                .as_ref()
                .is_some_and(|running| !running.ended)
        });
        // A store that cannot be written does not keep the process for ever: what it did not take
        // is recovered at the next start.
        let written = self.batch.is_empty() || self.last_tries.are_over();
        self.phase != Phase::Open && !busy && written
    }

    fn now(&self) -> Timestamp {
        self.clock.now()
    }

    fn host_of(&self, declaration: &Declaration) -> &Arc<dyn Host> {
        match declaration.host {
            HostKind::InProcess => &self.in_process,
            HostKind::Process { .. } => &self.processes,
        }
    }
}

async fn until(clock: &dyn Clock, wake: Option<Timestamp>) {
    match wake {
        Some(at) => clock.until(at).await,
        None => std::future::pending().await,
    }
}
