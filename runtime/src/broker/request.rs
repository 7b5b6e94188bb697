//! What the app, the command and clients ask to be started: judged, and accepted.

use bgtask_model::Trigger;
use jiff::Timestamp;
use serde::Deserialize;
use tokio::sync::oneshot;

use super::{
    Broker, Phase, Requested,
    batch::Reply,
    check::{check_for_device, check_length, check_requestable, is_for_device},
};
use crate::{
    ActivationId, Code, Details, DeviceChanges, DeviceDetails, Error, FileChanges, RegistrationId,
    Result, Standing, ToastAction,
    scheduler::{Action, Input, Raised},
    store::NewActivation,
};

impl Broker {
    pub(super) fn request(
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
        if !journal && self.makes_volatile(registration) {
            let rule = "`delivery = volatile` keeps no result, and another process would miss it";
            let error = Error::new(Code::Unsupported, rule)
                .task(task)
                .remedy("request it in the app, or declare another `delivery`");
            return drop(reply.send(Err(error)));
        }
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

    pub(super) fn raise(
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
    pub(super) fn by_hand(
        &self,
        task: &str,
        arguments: Option<serde_json::Value>,
    ) -> Result<NewActivation> {
        let mut activation = self.activation(task, arguments, false)?;
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
        activation.foreign = true;
        let (registration, details) = (activation.registration, activation.details);
        activation.details = self.scheduler.follow(registration, details);
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
        Trigger::ToastAction => ToastAction::deserialize(&written).map(|toast| {
            details.toast = Some(toast);
        }),
        _ => return Ok((details, Some(written))),
    };
    fits.map_err(|error| {
        Error::new(
            Code::BadArguments,
            format!("the details do not fit the trigger `{trigger}`: {error}"),
        )
        .remedy(match trigger {
            Trigger::ToastAction => "write what was pressed as JSON, `{\"argument\": \"open\"}`",
            _ => "write the fields of its details as JSON, `{\"changes\": []}`",
        })
    })?;
    Ok((details, None))
}
