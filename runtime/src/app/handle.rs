//! A task's handle: requests, and Windows' four answers.

use std::{borrow::Cow, fmt, marker::PhantomData, pin::Pin, time::Duration};

use jiff::Timestamp;

use super::{App, Run, requester::Requester, to_json};
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
    pub(super) app: App,
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
    /// A run of the task is active and `overlap` was not stated; nothing was accepted. Never the
    /// answer to a request for a later time.
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
            )
            .remedy("`bgtask why NAME` says which")),
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
    /// With [`delivery = volatile`](crate::guide::activations#volatile-never-on-the-disk) it is
    /// held in this process only.
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
        Box::pin(async move { self.accepted(arguments, None).await })
    }

    /// As [`request`](Self::request), for a later time, a [`jiff::Timestamp`] or a
    /// [`jiff::Zoned`]: accepted and persisted now, held until `at`, and then until the task's
    /// condition is true. It survives restarts; what came due while the app was closed starts with
    /// the next launch. `bgtask why` and `bgtask list` show the time.
    ///
    /// A run that is active now does not matter, so the answer is never
    /// [`CurrentlyRunning`](RequestOutcome::CurrentlyRunning), and what waits for its time takes no
    /// part in `overlap`, `pending` and `unique`: nothing supersedes it, and it replaces nothing.
    /// When the time has come it counts as if it were requested then, except that it waits for an
    /// active run where a request would be refused; `overlap = skip`, stated, suppresses it. A time
    /// that has passed is now. The time is one of the wall clock: a clock that is set moves it
    /// nearer or farther.
    ///
    /// ```no_run
    /// # use bgtask::prelude::*;
    /// #[background_task(trigger = application)]
    /// async fn remind(Args(text): Args<String>) {
    ///     println!("{text}");
    /// }
    ///
    /// #[bgtask::main]
    /// async fn main(app: App) -> Result<(), Box<dyn std::error::Error>> {
    ///     let at: jiff::Zoned = "2026-12-24T18:00[Europe/Berlin]".parse()?;
    ///     let run = app.task::<remind>().request_later(at, "presents".into()).await?.allowed()?;
    ///     println!("{} is kept", run.activation());
    ///     Ok(app.run_until_shutdown().await?)
    /// }
    /// ```
    ///
    /// Windows: [`ScheduledToastNotification`](https://learn.microsoft.com/uwp/api/windows.ui.notifications.scheduledtoastnotification)
    /// is for a later time; a background task is not.
    ///
    /// # Errors
    /// As [`request`](Self::request), and [`Code::NotAccepted`] when 10,000 requests of the task
    /// wait for their times.
    pub fn request_later(
        &self,
        at: impl Into<Timestamp>,
        arguments: F::Args,
    ) -> RequestFuture<'_, F>
    where
        F: Requestable,
    {
        let at = at.into();
        Box::pin(async move { self.accepted(arguments, Some(at)).await })
    }

    /// As [`request_later`](Self::request_later), after this time. Time that the machine sleeps
    /// or is off counts too. A time beyond the year 9999 is its end.
    ///
    /// # Errors
    /// As [`request_later`](Self::request_later).
    pub fn request_after(&self, delay: Duration, arguments: F::Args) -> RequestFuture<'_, F>
    where
        F: Requestable,
    {
        let now = self.app.inner.clock.now();
        let at = now.checked_add(delay).unwrap_or(Timestamp::MAX);
        self.request_later(at, arguments)
    }

    async fn accepted(
        &self,
        arguments: F::Args,
        later: Option<Timestamp>,
    ) -> Result<RequestOutcome<F>> {
        let arguments = to_json(&arguments)?;
        request(
            &self.app,
            self.name.to_string(),
            &self.name,
            arguments,
            later,
        )
        .await
    }
}

/// Requests a run of what `task` means, a name or an id; `name` is how it is told.
pub(super) async fn request<F: TaskType>(
    app: &App,
    task: String,
    name: &str,
    arguments: serde_json::Value,
    later: Option<Timestamp>,
) -> Result<RequestOutcome<F>> {
    app.check_foreground(name)?;
    if !app.access_status().is_allowed() {
        return Ok(RequestOutcome::DisabledByPolicy);
    }
    let answer = app
        .ask(|reply| Command::Request {
            task,
            arguments,
            later,
            journal: true,
            reply,
        })
        .await??;
    Ok(match answer {
        Requested::Accepted(accepted) => {
            RequestOutcome::Allowed(Run::new(Requester::App(app.clone()), name, accepted))
        }
        Requested::CurrentlyRunning => RequestOutcome::CurrentlyRunning,
        Requested::Disabled => RequestOutcome::DisabledByPolicy,
    })
}

/// A request on its way, from [`TaskHandle::request`]. It is a type without bounds, so that a task
/// that cannot be requested is one error, and not another one at the `.await`.
pub type RequestFuture<'a, F> =
    Pin<Box<dyn Future<Output = Result<RequestOutcome<F>>> + Send + 'a>>;
