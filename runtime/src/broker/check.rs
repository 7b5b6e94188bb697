//! What may be asked for, by its declaration and by who asks.

use bgtask_model::{Declaration, Delivery, Trigger};

use crate::{Code, Error, Profile, Result, ipc::control::AppState, task::longer_than};

/// Refuses arguments that are longer than so many bytes of JSON.
pub(crate) fn check_length(arguments: Option<&serde_json::Value>, allowed: usize) -> Result<()> {
    let Some(length) = arguments.and_then(|arguments| longer_than(allowed, arguments)) else {
        return Ok(());
    };
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
pub(super) fn check_for_device(declaration: &Declaration) -> Result<()> {
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

pub(super) fn is_for_device(declaration: &Declaration) -> bool {
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
