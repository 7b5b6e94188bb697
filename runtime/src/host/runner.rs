//! Runs one body in this process. Whatever the body does short of ending the process, it has an
//! outcome: a value, an error, a panic, or that it stopped because it was asked to.

use std::{
    any::Any,
    future::poll_fn,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::Arc,
    time::Duration,
};

use futures_util::FutureExt;
use serde_json::Value;
use tokio::{
    runtime::Handle,
    sync::{oneshot, watch},
    task::JoinHandle,
    time::{Interval, MissedTickBehavior},
};

use super::{spent::Spent, watchdog::Activity};
use crate::{
    CancelReason, Outcome, Progress, TaskContext,
    body::{Body, BodyResult, Linked},
    task::longer_than,
};

/// Finds a linked task by its name.
pub(crate) type TaskLookup = Arc<dyn Fn(&str) -> Option<&'static Linked> + Send + Sync>;

/// The longest error or panic text kept, in bytes.
const MAX_TEXT: usize = 64 << 10;

/// The longest progress message kept, in bytes.
const MAX_MESSAGE: usize = 4 << 10;

/// How deep arguments and results may be nested; JSON readers stop at 128.
pub(super) const MAX_DEPTH: usize = 100;

/// The shortest time between two progress reports of a run.
const PACE: Duration = Duration::from_millis(10);

tokio::task_local! {
    /// Set while a body runs.
    static INSIDE: ();
}

/// Whether a body asks: what it spawned is no longer the body.
pub(crate) fn is_in_body() -> bool {
    INSIDE.try_with(|()| ()).is_ok()
}

/// What a body is held to.
#[derive(Clone, Copy, Debug)]
pub(super) struct Bounds {
    /// The longest result that is taken, in bytes of JSON.
    pub(super) result: usize,
    /// Somebody asks what it does.
    pub(super) watched: bool,
    /// Its CPU time is asked for.
    pub(super) metered: bool,
}

/// A started body and the deferrals it took.
#[derive(Debug)]
pub(super) struct Running {
    body: JoinHandle<Outcome>,
    /// What the body left, while deferrals are still held.
    left: Option<Outcome>,
    context: TaskContext,
    activity: Option<Arc<Activity>>,
    spent: Option<Arc<Spent>>,
    droppable: watch::Receiver<bool>,
}

impl Running {
    /// Starts the body on `runtime`; a plain fn gets a thread of its own, because a runtime that
    /// shuts down waits for its blocking threads, and a body may never return.
    ///
    /// `at_end` hears on the body's thread how the body left, and its CPU time; deferrals may still be held then.
    pub(super) fn start(
        start: impl FnOnce(&TaskContext) -> Body + Send + 'static,
        context: TaskContext,
        bounds: Bounds,
        runtime: &Handle,
        at_end: impl FnOnce(&Outcome, Option<Duration>) + Send + 'static,
    ) -> Self {
        let (is_droppable, droppable) = watch::channel(true);
        let activity = bounds.watched.then(Arc::<Activity>::default);
        let spent = bounds.metered.then(Arc::<Spent>::default);
        let body = runtime.spawn({
            let context = context.clone();
            let seen = Seen {
                activity: activity.clone(),
                spent: spent.clone(),
            };
            async move {
                let spent = seen.spent.clone();
                let returned = call(start, &context, seen, &is_droppable).await;
                let outcome = outcome(returned, bounds.result, context.cancel_reason());
                at_end(&outcome, spent.map(|spent| spent.total()));
                outcome
            }
        });
        Self {
            body,
            left: None,
            context,
            activity,
            spent,
            droppable,
        }
    }

    /// What it does, when it is watched.
    pub(super) fn activity(&self) -> Option<Arc<Activity>> {
        self.activity.clone()
    }

    /// The CPU time of its body so far, when it is metered.
    pub(super) fn cpu(&self) -> Option<Duration> {
        self.spent.as_ref().map(|spent| spent.total())
    }

    /// Waits until body and deferrals are done. Nothing is lost when the future is dropped.
    pub(super) async fn ended(&mut self) -> Outcome {
        let left = match &self.left {
            Some(left) => left.clone(),
            None => {
                let left = match (&mut self.body).await {
                    Ok(outcome) => outcome,
                    Err(error) => match error.try_into_panic() {
                        // Only dropping the finished body can still panic here.
                        Ok(payload) => Outcome::Panicked {
                            message: panic_message(payload),
                        },
                        Err(_) => dropped(self.context.cancel_reason()),
                    },
                };
                self.left.insert(left).clone()
            }
        };
        self.context.deferrals_done().await;
        left
    }

    /// Drops an async body at its await point, soon. `false` when it is a plain fn, which cannot
    /// be dropped.
    pub(super) fn drop_body(&self) -> bool {
        let droppable = *self.droppable.borrow();
        if droppable {
            self.body.abort();
        }
        droppable
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.drop_body();
    }
}

/// What there is to see of a body, as far as somebody asks.
struct Seen {
    activity: Option<Arc<Activity>>,
    spent: Option<Arc<Spent>>,
}

/// Calls the function and waits for what it returns; `Err` is a panic's message.
async fn call(
    start: impl FnOnce(&TaskContext) -> Body,
    context: &TaskContext,
    seen: Seen,
    droppable: &watch::Sender<bool>,
) -> Result<BodyResult, String> {
    match catch_unwind(AssertUnwindSafe(|| start(context))) {
        Ok(Body::Async(mut body)) => {
            let body = poll_fn(|waker| {
                let _inside = seen.activity.as_deref().map(Activity::enter);
                let _spends = seen.spent.as_deref().map(Spent::enter);
                body.as_mut().poll(waker)
            });
            let body = INSIDE.scope((), body);
            AssertUnwindSafe(body)
                .catch_unwind()
                .await
                .map_err(panic_message)
        }
        Ok(Body::Blocking(body)) => {
            droppable.send_replace(false);
            on_a_thread(context.task(), seen, body).await
        }
        Ok(Body::Refused(text)) => Ok(Err(text)),
        Err(payload) => Err(panic_message(payload)),
    }
}

async fn on_a_thread(
    name: &str,
    seen: Seen,
    body: Box<dyn FnOnce() -> BodyResult + Send>,
) -> Result<BodyResult, String> {
    let (done, returned) = oneshot::channel();
    let runtime = Handle::current();
    let thread = std::thread::Builder::new()
        .name(name.to_owned())
        .spawn(move || {
            // So that the body may spawn and block on async work.
            let _entered = runtime.enter();
            let _inside = seen.activity.as_deref().map(Activity::enter);
            let spends = seen.spent.as_deref().map(Spent::enter_own);
            let body = || INSIDE.sync_scope((), body);
            let returned = catch_unwind(AssertUnwindSafe(body)).map_err(panic_message);
            drop(spends);
            let _ = done.send(returned);
        });
    if let Err(error) = thread {
        return Ok(Err(format!("no thread could be started for it: {error}")));
    }
    match returned.await {
        Ok(returned) => returned,
        Err(_) => Ok(Err("its thread ended without a result".to_owned())),
    }
}

fn outcome(
    returned: Result<BodyResult, String>,
    most: usize,
    asked: Option<CancelReason>,
) -> Outcome {
    match (returned, asked) {
        (Ok(Ok(value)), _) if !fits(&value, MAX_DEPTH) => Outcome::Failed {
            error: format!("its result is nested deeper than {MAX_DEPTH} levels"),
        },
        (Ok(Ok(value)), _) => match longer_than(most, &value) {
            Some(length) => Outcome::Failed {
                error: format!(
                    "its result of {length} bytes of JSON is over the limit of {most}: leave it in a file and return the path, or allow more with `AppBuilder::max_payload`"
                ),
            },
            None => Outcome::Completed { value },
        },
        (Ok(Err(_)), Some(reason)) => dropped(Some(reason)),
        (Ok(Err(error)), None) => Outcome::Failed {
            error: clipped(error, MAX_TEXT),
        },
        (Err(message), _) => Outcome::Panicked { message },
    }
}

fn dropped(asked: Option<CancelReason>) -> Outcome {
    Outcome::Cancelled {
        // Not asked: the runtime it ran on is shutting down.
        reason: asked.unwrap_or(CancelReason::Terminating),
        overrun: false,
    }
}

fn panic_message(payload: Box<dyn Any + Send>) -> String {
    let message = match payload.downcast::<String>() {
        Ok(text) => *text,
        Err(payload) => match payload.downcast::<&'static str>() {
            Ok(text) => (*text).to_owned(),
            Err(payload) => {
                // Of an unknown type, whose drop could panic again.
                std::mem::forget(payload);
                "a panic without a text".to_owned()
            }
        },
    };
    clipped(message, MAX_TEXT)
}

/// Cuts a text that is too long, and says so.
fn clipped(mut text: String, limit: usize) -> String {
    if text.len() > limit {
        let mut end = limit;
        while !text.is_char_boundary(end) {
            end -= 1;
        }
        text.truncate(end);
        text.push('…');
    }
    text
}

/// Whether a value is nested at most so deep.
pub(super) fn fits(value: &Value, depth: usize) -> bool {
    match value {
        Value::Array(items) => depth > 0 && items.iter().all(|item| fits(item, depth - 1)),
        Value::Object(fields) => depth > 0 && fields.values().all(|item| fits(item, depth - 1)),
        _ => true,
    }
}

/// A run's progress at a bounded rate: the last value wins.
#[derive(Debug)]
pub(super) struct Paced {
    progress: watch::Receiver<Progress>,
    pace: Interval,
}

impl Paced {
    pub(super) fn new(progress: watch::Receiver<Progress>) -> Self {
        let mut pace = tokio::time::interval(PACE);
        pace.set_missed_tick_behavior(MissedTickBehavior::Delay);
        Self { progress, pace }
    }

    /// The next report. Nothing is lost when the future is dropped.
    pub(super) async fn next(&mut self) -> Progress {
        if self.progress.changed().await.is_err() {
            // The body is gone, and its last report was taken.
            std::future::pending::<()>().await;
        }
        self.progress.mark_changed();
        self.pace.tick().await;
        self.take()
    }

    /// The last report, if it was not taken yet.
    pub(super) fn last(&mut self) -> Option<Progress> {
        matches!(self.progress.has_changed(), Ok(true)).then(|| self.take())
    }

    fn take(&mut self) -> Progress {
        let mut progress = self.progress.borrow_and_update().clone();
        progress.message = progress.message.map(|text| clipped(text, MAX_MESSAGE));
        progress
    }
}
