//! What the app and the command ask of the broker.

use std::{collections::BTreeSet, time::Duration};

use bgtask_model::{Declaration, Delivery, Trigger};
use jiff::Timestamp;
use serde::Deserialize;
use tokio::sync::{oneshot, watch};
use uuid::fmt::Hyphenated;

use super::{
    Broker, Phase,
    batch::Reply,
    blame,
    draft::Draft,
    housekeeping::MOST,
    known::Known,
    outbox,
    registrations::{Live, RegistrationChange},
    sockets::Transfer,
};
use crate::{
    ActivationId, CancelReason, Code, Details, DeviceChanges, DeviceDetails, Error, EventKind,
    Explanation, FileChanges, LastOutcome, Origin, Outcome, Profile, Progress, RawNotification,
    RegistrationId, Result, RunId, RunRecord, Socket, Standing, Suppression, SyncDiff,
    energy::Ledger,
    ipc::control::{AppState, TaskListing},
    scheduler::{Action, Input, Raised},
    store::NewActivation,
    task::json_length,
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
        /// Its completion is kept for the app until delivered.
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
        match command {
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
                Ok(mut activation) => {
                    activation.foreign = true;
                    self.enqueue(vec![activation], Reply::Fire(reply));
                }
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
            Command::Find { activation, reply } => {
                let active = self.active.get(&activation);
                let _ = reply.send(active.map(Known::of));
            }
            Command::Close { linger } => self.close(linger),
            Command::Shutdown { reason } => self.stop(reason),
        }
    }

    fn request(
        &mut self,
        task: &str,
        arguments: serde_json::Value,
        later: Option<Timestamp>,
        device: Option<DeviceDetails>,
        journal: bool,
        reply: oneshot::Sender<Result<Requested>>,
    ) {
        let disabled = |id| matches!(self.live[&id].standing, Standing::Disabled { .. });
        if self.resolve(task).is_ok_and(disabled) {
            return drop(reply.send(Ok(Requested::Disabled)));
        }
        let requested = match device {
            None => self.requested(task, Some(arguments)),
            Some(device) => self.requested_for(task, Some(arguments), device),
        };
        let mut activation = match requested {
            Ok(activation) => activation,
            Err(error) => return drop(reply.send(Err(error))),
        };
        activation.journal = journal;
        let registration = activation.registration;
        if let Some(later) = later {
            activation.not_before = later;
            if self.scheduler.later_is_full(registration) {
                let error = Error::new(
                    Code::NotAccepted,
                    "not accepted: as many requests for later times as can be kept are kept",
                )
                .task(task)
                .remedy("request what is due soon, and the rest when that has run");
                return drop(reply.send(Err(error)));
            }
        } else if self.live[&registration]
            .declaration
            .options
            .overlap
            .is_none()
            && self.is_running(registration)
        {
            return drop(reply.send(Ok(Requested::CurrentlyRunning)));
        }
        self.enqueue(vec![activation], Reply::Request(reply));
    }

    /// A new activation of a task that is started by requests.
    pub(super) fn requested(
        &self,
        task: &str,
        arguments: Option<serde_json::Value>,
    ) -> Result<NewActivation> {
        let activation = self.activation(task, arguments, true)?;
        check_requestable(&self.live[&activation.registration].declaration)?;
        Ok(activation)
    }

    /// As [`requested`](Self::requested), for a device.
    fn requested_for(
        &self,
        task: &str,
        arguments: Option<serde_json::Value>,
        device: DeviceDetails,
    ) -> Result<NewActivation> {
        let mut activation = self.activation(task, arguments, true)?;
        check_for_device(&self.live[&activation.registration].declaration)?;
        activation.details.device_use = Some(device);
        Ok(activation)
    }

    /// Whether a run of it is active, or about to be. A held one is not: it has not started, and
    /// each further request counts. Nor is one that was asked for a later time.
    fn is_running(&self, registration: RegistrationId) -> bool {
        let now = self.now();
        let accepted = self.active.values().any(|active| {
            let record = &active.record;
            let later = record.attempt == 0 && record.not_before > now;
            record.registration == registration
                && (active.running.is_some() || !active.held && !later)
        });
        accepted
            || self
                .batch
                .enqueues
                .iter()
                .flat_map(|enqueue| &enqueue.activations)
                .any(|activation| {
                    activation.registration == registration && activation.not_before <= now
                })
    }

    fn raise(
        &mut self,
        event: String,
        arguments: serde_json::Value,
        reply: oneshot::Sender<Result<Vec<ActivationId>>>,
    ) {
        if self.phase != Phase::Open {
            return drop(reply.send(Err(Error::closing())));
        }
        let listening = self.live.values().filter(|live| {
            let listens =
                matches!(&live.declaration.trigger, Trigger::Custom { name } if *name == event);
            listens && live.accepts && !matches!(live.standing, Standing::Quarantined { .. })
        });
        let given = Some(&arguments).filter(|value| !value.is_null());
        if let Err(error) = self.check_length(given) {
            return drop(reply.send(Err(error)));
        }
        for live in listening {
            let fits = self
                .registry
                .find(&live.entry)
                .and_then(|task| task.check_arguments(given));
            if let Err(error) = fits {
                return drop(reply.send(Err(error)));
            }
        }
        let now = self.now();
        let details = Details {
            fired: now,
            arguments: given.cloned(),
            ..Details::default()
        };
        let what = Raised::Custom(event);
        let mut activations = Vec::new();
        for action in self.scheduler.decide(now, Input::Raised { what, details }) {
            match action {
                Action::Enqueue(accepted) => activations.extend(accepted),
                other => self.act(other),
            }
        }
        self.enqueue(activations, Reply::Raise(reply));
    }

    /// A new activation that is fired by hand.
    fn by_hand(&self, task: &str, arguments: Option<serde_json::Value>) -> Result<NewActivation> {
        let activation = self.activation(task, arguments, false)?;
        let declaration = &self.live[&activation.registration].declaration;
        if matches!(
            declaration.trigger,
            Trigger::Socket { .. } | Trigger::ControlChannel { .. }
        ) {
            let rule = "it works on a socket, and only a socket that fires gives it one";
            return Err(Error::new(Code::Unsupported, rule)
                .task(task)
                .remedy("connect to its listener, or write to what is handed over"));
        }
        if is_for_device(declaration) {
            let rule = "it works on a device, and only a request names one";
            return Err(Error::new(Code::Unsupported, rule)
                .task(task)
                .remedy("use `app.task::<…>().request_device(device, arguments)`"));
        }
        Ok(activation)
    }

    /// A new activation of a task, asked for by name.
    fn activation(
        &self,
        task: &str,
        arguments: Option<serde_json::Value>,
        journal: bool,
    ) -> Result<NewActivation> {
        if self.phase != Phase::Open {
            return Err(Error::closing());
        }
        let registration = self.resolve(task)?;
        if let Some(error) = self.not_accepting(registration) {
            return Err(error);
        }
        let live = &self.live[&registration];
        let (task, found) = (&live.name, self.registry.find(&live.entry)?);
        let arguments = arguments.filter(|value| !value.is_null());
        self.check_length(arguments.as_ref())
            .map_err(|error| error.task(task))?;
        let trigger = &live.declaration.trigger;
        let (details, arguments) =
            details_by_hand(trigger, arguments).map_err(|error| error.task(task))?;
        found
            .check_arguments(arguments.as_ref())
            .map_err(|error| error.task(task))?;
        let now = self.now();
        Ok(NewActivation {
            id: ActivationId::now(),
            registration,
            task: task.clone(),
            details: Details {
                fired: now,
                arguments,
                ..details
            },
            not_before: NewActivation::AT_ONCE,
            journal,
            foreign: false,
        })
    }

    /// Refuses arguments that are too long to be kept.
    fn check_length(&self, arguments: Option<&serde_json::Value>) -> Result<()> {
        check_length(arguments, self.max_payload)
    }

    pub(super) fn why(&self, task: &str) -> Result<Explanation> {
        let id = self.resolve(task)?;
        let explained = self.scheduler.explain(id, self.now());
        let mut explanation = explained.ok_or_else(|| self.unregistered(task))?;
        let live = &self.live[&id];
        self.tell_origin(live, &mut explanation);
        let last = self.last_outcome.get(&live.name).cloned();
        explanation.alone = last
            .as_ref()
            .and_then(|(_, last)| blame::kept_alone(&live.declaration, last));
        if requestable(&live.declaration) {
            let civil = |time| self.scheduler.civil(time);
            explanation.outbox = self.outboxes.told(&live.name, civil);
        }
        explanation.last_outcome = last.map(|(at, outcome)| LastOutcome { at, outcome });
        Ok(explanation)
    }

    /// Who made it, and of what: the scheduler does not know.
    fn tell_origin(&self, live: &Live, explanation: &mut Explanation) {
        explanation.origin = live.origin.word().to_owned();
        explanation.entry = Some(live.entry.clone()).filter(|entry| *entry != live.name);
        explanation.group.clone_from(&live.group);
        if live.origin == Origin::Declared {
            explanation.overridden = self.overridden.told.get(&live.name).cloned();
        }
        if live.unreadable {
            explanation.trigger = "?".to_owned();
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

    /// Nobody waited for this completion: keeps it for who asks. The oldest go when nobody does.
    pub(super) fn keep_completion(&mut self, record: RunRecord) {
        self.undelivered.push_back(record);
        if self.undelivered.len() > MOST as usize {
            self.undelivered.pop_front();
        }
    }

    /// Gives waiting completions to those who wait for one.
    pub(super) fn hand_over(&mut self) {
        while let Some(record) = self.undelivered.pop_front() {
            let Some(taker) = self.takers.pop_front() else {
                self.undelivered.push_front(record);
                return;
            };
            // Delivered when the taker says so: it may go away before it looks.
            if let Err(record) = taker.send(record) {
                self.undelivered.push_front(record);
            }
        }
    }

    /// `main` has returned.
    fn close(&mut self, linger: bool) {
        if self.phase != Phase::Open {
            return;
        }
        self.phase = Phase::Lingering;
        self.linger = linger;
        self.headless
            .store(true, std::sync::atomic::Ordering::Relaxed);
        self.inbox.push_back(Input::Drain);
        self.sockets.close();
        let ending: Vec<RunId> = self
            .active
            .values()
            .filter(|active| !(linger && outlives_main(&active.declaration)))
            .filter_map(|active| Some(active.running.as_ref()?.run))
            .collect();
        for run in ending {
            self.cancel_run(run, CancelReason::Terminating);
        }
        self.lose_volatile(CancelReason::Terminating);
    }

    /// Everything is asked to stop; what waits is kept.
    pub(super) fn stop(&mut self, reason: CancelReason) {
        if self.phase == Phase::Stopping {
            return;
        }
        self.phase = Phase::Stopping;
        self.inbox.push_back(Input::Drain);
        self.sockets.close();
        let running: Vec<RunId> = self.runs.keys().copied().collect();
        for run in running {
            self.cancel_run(run, reason);
        }
        self.lose_volatile(reason);
    }

    /// Asks what an id names, or the beginning of one, to stop. `None`: nothing here is called so.
    fn cancel_named(&mut self, id: &str, reason: CancelReason) -> Result<Option<Cancelling>> {
        let Some(activation) = self.named(id)? else {
            return Ok(None);
        };
        let Some(active) = self.active.get(&activation) else {
            return Err(Error::new(
                Code::RunEnded,
                "its end is recorded, and its body cannot be stopped",
            )
            .remedy("`bgtask why` shows it until it returns"));
        };
        let running = active.running.as_ref();
        let cancelling = Cancelling {
            task: active.record.task.clone(),
            activation,
            run: running.map(|running| running.run),
            reason: running.and_then(|one| one.asked).unwrap_or(reason),
            grace: active.declaration.grace(),
        };
        self.inbox
            .push_back(Input::CancelRequested { activation, reason });
        Ok(Some(cancelling))
    }

    /// The activation that runs or waits under this id of its own or of its run, or the beginning
    /// of one.
    fn named(&self, id: &str) -> Result<Option<ActivationId>> {
        if id.is_empty() || id.len() > Hyphenated::LENGTH {
            return Err(Error::new(Code::UnknownRun, "that is no id of a run")
                .remedy("`bgtask list` shows the ids"));
        }
        let id = id.to_lowercase();
        let begins = |text: String| text.starts_with(&id);
        let runs = self.runs.iter();
        let of_runs = runs.filter_map(|(run, of)| begins(run.to_string()).then_some(of));
        let own = self.active.keys().chain(self.runs.values());
        let own = own.filter(|activation| begins(activation.to_string()));
        let found: BTreeSet<_> = of_runs.chain(own).copied().collect();
        if found.len() > 1 {
            return Err(Error::new(
                Code::UnknownRun,
                format!("several runs have an id that begins with `{id}`"),
            )
            .remedy("write more of it; `bgtask list` shows the ids"));
        }
        Ok(found.first().copied())
    }

    pub(super) fn cancel_run(&mut self, run: RunId, reason: CancelReason) {
        let Some(id) = self.runs.get(&run) else {
            return;
        };
        let Some(active) = self.active.get_mut(id) else {
            return;
        };
        let running = active.running.as_mut();
        // The first to ask counts.
        let is_asked = running.is_none_or(|running| match running.asked {
            Some(_) => true,
            None => {
                running.asked = Some(reason);
                false
            }
        });
        let declaration = std::sync::Arc::clone(&active.declaration);
        let (task, volatile) = (active.record.task.clone(), active.volatile);
        self.host_of(&declaration).cancel(run, reason);
        let kind = EventKind::CancelRequested { run, reason };
        match volatile {
            _ if is_asked => {}
            true => self.tell(&task, kind),
            false => self.emit(&task, kind),
        }
    }

    /// Tells that a due time or an event made no activation.
    pub(super) fn note(&self, registration: RegistrationId, why: Suppression) {
        if let Some(live) = self.live.get(&registration) {
            let activation = None;
            self.tell(&live.name, EventKind::Suppressed { activation, why });
        }
    }

    /// Logs something of a registration, with what is written of it.
    pub(super) fn log_of(&mut self, registration: RegistrationId, kind: EventKind) {
        if let Some(live) = self.live.get(&registration) {
            let name = live.name.clone();
            self.log(&name, self.now(), kind);
        }
    }
}

/// What fires by hand: where the trigger gives details of its own that can be written, they stand in
/// the place of arguments.
fn details_by_hand(
    trigger: &Trigger,
    arguments: Option<serde_json::Value>,
) -> Result<(Details, Option<serde_json::Value>)> {
    let mut details = Details::default();
    let Some(written) = arguments else {
        return Ok((details, None));
    };
    let fits = match trigger {
        Trigger::Files { .. } => FileChanges::deserialize(&written).map(|files| {
            let mut bounded = FileChanges::default();
            bounded.extend(files.changes);
            bounded.overflow |= files.overflow;
            details.files = Some(bounded);
        }),
        Trigger::Device { .. } => DeviceChanges::deserialize(&written).map(|device| {
            let mut bounded = DeviceChanges::default();
            bounded.extend(device.changes);
            bounded.overflow |= device.overflow;
            details.device = Some(bounded);
        }),
        _ => return Ok((details, Some(written))),
    };
    fits.map_err(|error| {
        Error::new(
            Code::BadArguments,
            format!("the details do not fit the trigger `{trigger}`: {error}"),
        )
        .remedy("write the fields of its details as JSON, `{\"changes\": []}`")
    })?;
    Ok((details, None))
}

/// Refuses arguments that are longer than so many bytes of JSON.
pub(crate) fn check_length(arguments: Option<&serde_json::Value>, allowed: usize) -> Result<()> {
    let length = arguments.map_or(0, json_length);
    if length <= allowed {
        return Ok(());
    }
    Err(Error::new(
        Code::TooLarge,
        format!("the arguments are {length} bytes of JSON, and {allowed} are allowed"),
    )
    .remedy("hand over the path of a file, or allow more with `AppBuilder::max_payload`"))
}

/// Under Windows' rules only an app in the foreground requests, and no task
/// ([`ApplicationTrigger`](https://learn.microsoft.com/uwp/api/windows.applicationmodel.background.applicationtrigger)).
pub(crate) fn check_foreground(
    profile: Profile,
    state: AppState,
    in_body: bool,
    task: &str,
) -> Result<()> {
    if profile != Profile::Windows {
        return Ok(());
    }
    let (rule, remedy) = if in_body {
        (
            "a task does not request under Windows' rules",
            "let the app request it, or use `Profile::default()`",
        )
    } else if state == AppState::Background {
        (
            "an app in the background does not request under Windows' rules",
            "request it in the foreground, or use `Profile::default()`",
        )
    } else {
        return Ok(());
    };
    Err(Error::new(Code::NotAccepted, rule)
        .task(task)
        .remedy(remedy))
}

/// Refuses a task that is not started by requests.
pub(crate) fn check_requestable(declaration: &Declaration) -> Result<()> {
    if requestable(declaration) {
        return Ok(());
    }
    let trigger = &declaration.trigger;
    Err(Error::new(
        Code::Unsupported,
        format!("its trigger is `{trigger}`, which is not requested"),
    )
    .task(&declaration.name)
    .remedy("declare `trigger = application`, or use `app.fire(name, arguments)`"))
}

/// Refuses a task whose activations are not kept: a row of an outbox has to be.
pub(crate) fn check_relayable(declaration: &Declaration) -> Result<()> {
    if declaration.options.delivery != Delivery::Volatile {
        return Ok(());
    }
    Err(Error::new(
        Code::Unsupported,
        "what an outbox hands over is kept, and `delivery = volatile` keeps nothing",
    )
    .task(&declaration.name)
    .remedy("request it without an outbox, or declare another `delivery`"))
}

/// Refuses a task that is not requested for a device.
pub(crate) fn check_for_device(declaration: &Declaration) -> Result<()> {
    if is_for_device(declaration) {
        return Ok(());
    }
    let trigger = &declaration.trigger;
    Err(Error::new(
        Code::Unsupported,
        format!("its trigger is `{trigger}`, which is not requested for a device"),
    )
    .task(&declaration.name)
    .remedy("declare `trigger = device_use` and `host = process`"))
}

fn is_for_device(declaration: &Declaration) -> bool {
    matches!(
        declaration.trigger,
        Trigger::DeviceUse | Trigger::DeviceServicing
    )
}

pub(super) fn requestable(declaration: &Declaration) -> bool {
    matches!(
        declaration.trigger,
        Trigger::Application | Trigger::MediaProcessing
    )
}

/// Whether a run goes on when `main` has returned: a requested one in a process of its own.
pub(super) fn outlives_main(declaration: &Declaration) -> bool {
    requestable(declaration) && matches!(declaration.host, bgtask_model::Host::Process { .. })
}
