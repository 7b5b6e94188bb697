//! A requested run: its progress, its end, its typed result.

use std::{fmt, marker::PhantomData};

use tokio::sync::watch;

use super::{ProgressStream, requester::Requester};
use crate::{
    ActivationId, CancelReason, Code, Error, Outcome, Result, TaskType,
    broker::{Accepted, RunView},
};

/// A requested run. Dropping it does not stop the run; its completion then goes to
/// [`App::completions`](crate::App::completions), unless a [`Client`](crate::Client) requested it.
///
/// ```no_run
/// use bgtask::prelude::*;
///
/// #[background_task(trigger = application)]
/// async fn count(task: TaskContext) -> u32 {
///     for step in 1..=3_u32 {
///         task.progress(step, 3);
///     }
///     3
/// }
///
/// #[bgtask::main]
/// async fn main(app: App) -> Result<(), Box<dyn std::error::Error>> {
///     let run = app.task::<count>().request(()).await?.allowed()?;
///     let mut progress = run.progress();
///     while let Some(now) = progress.next().await {
///         println!("{} of {}", now.done, now.total);
///     }
///     assert_eq!(run.completed().await?, 3);
///     Ok(())
/// }
/// ```
pub struct Run<F> {
    requester: Requester,
    task: String,
    activation: ActivationId,
    view: watch::Receiver<RunView>,
    function: PhantomData<fn() -> F>,
}

impl<F> fmt::Debug for Run<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Run")
            .field("task", &self.task)
            .field("activation", &self.activation)
            .finish_non_exhaustive()
    }
}

/// How a requested run ended, when it did not complete; also what kept the result from being read.
pub enum RunError {
    /// The run ended in another way.
    Ended(Outcome),
    /// It completed, but its result does not fit, or the broker is gone.
    Unreadable(Error),
}

impl fmt::Display for RunError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Ended(outcome) => write!(f, "the run did not complete: {outcome}"),
            Self::Unreadable(error) => error.fmt(f),
        }
    }
}

/// As `Display`: a `main` that returns the error shows it to people.
impl fmt::Debug for RunError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl std::error::Error for RunError {}

impl<F: TaskType> Run<F> {
    pub(super) fn new(requester: Requester, task: &str, accepted: Accepted) -> Self {
        Self {
            requester,
            task: task.to_owned(),
            activation: accepted.activation,
            view: accepted.view,
            function: PhantomData,
        }
    }

    /// The activation that was accepted.
    #[must_use]
    pub fn activation(&self) -> ActivationId {
        self.activation
    }

    /// The run's progress from now on. Owns its channel and borrows nothing; ends when the run
    /// has ended, after the last value.
    #[must_use]
    pub fn progress(&self) -> ProgressStream {
        ProgressStream::new(self.view.clone())
    }

    /// Waits for the end and returns what the function returned.
    ///
    /// # Errors
    /// [`RunError::Ended`] with the outcome when it did not complete.
    pub async fn completed(mut self) -> Result<F::Output, RunError> {
        let outcome = self.ended().await.map_err(RunError::Unreadable)?;
        match outcome {
            Outcome::Completed { value } => serde_json::from_value(value).map_err(|error| {
                RunError::Unreadable(
                    Error::new(
                        Code::BadResult,
                        "the result does not fit the type asked for",
                    )
                    .task(&self.task)
                    .source(error),
                )
            }),
            other => Err(RunError::Ended(other)),
        }
    }

    /// Waits for the end and returns the outcome, whichever it is. The completion counts as
    /// delivered.
    ///
    /// # Errors
    /// [`Code::Closing`] when the broker ended first; the completion is delivered at the next
    /// launch. Of a [`Client`](crate::Client), which waits on, those of [`Client::run`](crate::Client::run).
    pub async fn ended(&mut self) -> Result<Outcome> {
        let view = self
            .view
            .wait_for(|view| view.ended.is_some())
            .await
            .map_err(|_| self.requester.lost())?
            .clone();
        let (run, outcome) = view.ended.ok_or_else(|| self.requester.lost())?;
        if view.journaled {
            self.requester.delivered(run);
        }
        Ok(outcome)
    }

    /// Asks the run to stop, for this reason; then it has its `grace`. The first reason counts. A
    /// run that has not started is recorded as cancelled and never starts. Nothing happens when
    /// it has ended.
    ///
    /// ```no_run
    /// # use bgtask::prelude::*;
    /// # #[background_task(trigger = application)]
    /// # async fn export() {}
    /// # #[bgtask::main]
    /// # async fn main(app: App) -> Result<(), Box<dyn std::error::Error>> {
    /// let mut run = app.task::<export>().request(()).await?.allowed()?;
    /// run.cancel(CancelReason::Abort).await?;
    /// println!("{}", run.ended().await?);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// [`Code::Closing`]. Of a [`Client`](crate::Client) also [`Code::Control`]: no broker runs, or
    /// it cannot be talked to.
    pub async fn cancel(&self, reason: CancelReason) -> Result<()> {
        self.requester.cancel(self.activation, reason).await
    }
}
