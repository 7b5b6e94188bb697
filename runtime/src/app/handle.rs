//! A task's handle: requests, and Windows' four answers.

use std::{borrow::Cow, fmt, marker::PhantomData, pin::Pin};

use super::{App, Run, to_json};
use crate::{
    Code, Error, Requestable, Result, TaskType,
    broker::{Command, Requested},
};

/// The handle of a task whose function is `F`; from [`App::task`].
///
/// ```no_run
/// use bgtask::{RequestOutcome, prelude::*};
///
/// #[background_task(trigger = application, host = process)]
/// async fn double(Args(number): Args<u32>) -> u32 {
///     number * 2
/// }
///
/// #[bgtask::main]
/// async fn main(app: App) -> Result<(), Box<dyn std::error::Error>> {
///     match app.task::<double>().request(21).await? {
///         RequestOutcome::Allowed(run) => println!("{}", run.completed().await?),
///         other => println!("{other:?}"),
///     }
///     Ok(())
/// }
/// ```
///
/// Windows: [`ApplicationTrigger`](https://learn.microsoft.com/uwp/api/windows.applicationmodel.background.applicationtrigger).
pub struct TaskHandle<F> {
    app: App,
    name: Cow<'static, str>,
    function: PhantomData<fn() -> F>,
}

impl<F> fmt::Debug for TaskHandle<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("TaskHandle").field(&self.name).finish()
    }
}

/// The answer to a request (Windows:
/// [`ApplicationTriggerResult`](https://learn.microsoft.com/uwp/api/windows.applicationmodel.background.applicationtriggerresult)).
#[must_use]
pub enum RequestOutcome<F: TaskType> {
    /// Accepted and persisted; it runs when its condition holds.
    Allowed(Run<F>),
    /// A run of the task is active and `overlap` was not stated; nothing was accepted.
    CurrentlyRunning,
    /// The user disabled the task, or a policy does not allow it; nothing was accepted.
    DisabledByPolicy,
}

/// The type of a task shows nothing: it has no values.
impl<F: TaskType> fmt::Debug for RequestOutcome<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Allowed(run) => f.debug_tuple("Allowed").field(run).finish(),
            Self::CurrentlyRunning => f.write_str("CurrentlyRunning"),
            Self::DisabledByPolicy => f.write_str("DisabledByPolicy"),
        }
    }
}

impl<F: TaskType> RequestOutcome<F> {
    /// The run, or an error that says why there is none.
    ///
    /// # Errors
    /// [`Code::NotAccepted`] for the other answers.
    pub fn allowed(self) -> Result<Run<F>> {
        match self {
            Self::Allowed(run) => Ok(run),
            Self::CurrentlyRunning => Err(Error::new(
                Code::NotAccepted,
                "not accepted: a run of this task is active",
            )
            .remedy("wait for it, or declare `overlap = queue(8)` to let requests wait")),
            Self::DisabledByPolicy => Err(Error::new(
                Code::NotAccepted,
                "not accepted: the user or a policy does not allow it",
            )),
        }
    }
}

impl<F: TaskType> TaskHandle<F> {
    pub(super) fn new(app: App, name: impl Into<Cow<'static, str>>) -> Self {
        Self {
            app,
            name: name.into(),
            function: PhantomData,
        }
    }

    /// The task's name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Requests a run of an `application` task. `Allowed` means persisted: it survives the
    /// process, is held until the task's condition is true, and its completion is delivered once.
    ///
    /// # Errors
    /// [`Code::BadArguments`], [`Code::TooLarge`], [`Code::Unsupported`] when the declaration was refused or, of
    /// several tasks of a function, this one has another trigger, [`Code::Closing`], or what the
    /// store says. Under [`Profile::windows`](crate::Profile::windows) also [`Code::NotAccepted`]:
    /// out of a task's body, and while the app is in the background.
    pub fn request(&self, arguments: F::Args) -> RequestFuture<'_, F>
    where
        F: Requestable,
    {
        Box::pin(self.accepted(arguments))
    }

    async fn accepted(&self, arguments: F::Args) -> Result<RequestOutcome<F>> {
        let arguments = to_json(&arguments)?;
        request(&self.app, self.name.to_string(), &self.name, arguments).await
    }
}

/// Requests a run of what `task` means, a name or an id; `name` is how it is told.
pub(super) async fn request<F: TaskType>(
    app: &App,
    task: String,
    name: &str,
    arguments: serde_json::Value,
) -> Result<RequestOutcome<F>> {
    app.check_foreground(name)?;
    if !app.access_status().is_allowed() {
        return Ok(RequestOutcome::DisabledByPolicy);
    }
    let answer = app
        .ask(|reply| Command::Request {
            task,
            arguments,
            reply,
        })
        .await??;
    Ok(match answer {
        Requested::Accepted(accepted) => {
            RequestOutcome::Allowed(Run::new(app.clone(), name, accepted))
        }
        Requested::CurrentlyRunning => RequestOutcome::CurrentlyRunning,
        Requested::Disabled => RequestOutcome::DisabledByPolicy,
    })
}

/// A request on its way, from [`TaskHandle::request`]. It is a type without bounds, so that a task
/// that cannot be requested is one error, and not another one at the `.await`.
pub type RequestFuture<'a, F> =
    Pin<Box<dyn Future<Output = Result<RequestOutcome<F>>> + Send + 'a>>;
