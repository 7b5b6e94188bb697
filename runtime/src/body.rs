//! How the attribute hands a function to the runtime: one static entry, one start function.

use std::{fmt, future::Future, pin::Pin};

use serde::{Serialize, de::DeserializeOwned};

use crate::{TaskContext, extract::Requirements};

/// A task linked into this program. Not public API: made by the attribute.
#[doc(hidden)]
pub struct Linked {
    /// The framed JSON entry, as it stands in the executable's section.
    pub entry: &'static [u8],
    /// Calls the function, or says what its parameters need.
    pub task: fn(Ask<'_>) -> Answer,
    /// The return type's name, to catch a `Result` behind an alias.
    pub output: fn() -> &'static str,
}

/// What a task answers: to [`Ask::Start`] its body. Not public API.
#[doc(hidden)]
pub type Answer = Option<Body>;

/// What the runtime asks of a task. One function answers both, because each function beside a
/// task's own costs its crate's build more than the question does. Not public API.
#[doc(hidden)]
#[derive(Debug)]
pub enum Ask<'a> {
    /// Extract the parameters and call the function; the answer is its body.
    Start(&'a TaskContext),
    /// Note what the parameters need; the answer says nothing. A task without parameters does not
    /// look at what it is asked.
    Requirements(&'a mut Requirements),
}

impl Linked {
    /// Extracts the parameters and calls the function.
    pub(crate) fn start(&self, context: &TaskContext) -> Body {
        (self.task)(Ask::Start(context)).unwrap_or_else(|| {
            // Only what the attribute made is linked, and it answers.
            Body::Refused("it was not started".to_owned())
        })
    }

    /// What the parameters need.
    pub(crate) fn requirements(&self) -> Requirements {
        let mut requirements = Requirements::default();
        (self.task)(Ask::Requirements(&mut requirements));
        requirements
    }
}

impl fmt::Debug for Linked {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Linked({:?})", String::from_utf8_lossy(self.entry))
    }
}

inventory::collect!(Linked);

/// A condition linked into this program. Not public API: made by `#[background_condition]`.
#[doc(hidden)]
pub struct LinkedCondition {
    pub(crate) name: &'static str,
    pub(crate) watch: fn(crate::monitor::ConditionReporter) -> ConditionFuture,
}

/// Ends when the condition's source is gone; the text says why.
#[doc(hidden)]
pub type ConditionFuture = Pin<Box<dyn Future<Output = Result<(), String>> + Send>>;

impl LinkedCondition {
    /// Not public API.
    pub const fn new(
        name: &'static str,
        watch: fn(crate::monitor::ConditionReporter) -> ConditionFuture,
    ) -> Self {
        Self { name, watch }
    }
}

impl fmt::Debug for LinkedCondition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "LinkedCondition({})", self.name)
    }
}

inventory::collect!(LinkedCondition);

/// What a body left: the value as JSON, or the error's text.
pub(crate) type BodyResult = Result<serde_json::Value, String>;

/// A started body. Not public API.
#[doc(hidden)]
pub enum Body {
    /// An async fn; dropped at its await point when it must end.
    Async(Pin<Box<dyn Future<Output = BodyResult> + Send>>),
    /// A plain fn, for a blocking thread; cannot be dropped.
    Blocking(Box<dyn FnOnce() -> BodyResult + Send>),
    /// A parameter could not be had.
    Refused(String),
}

impl fmt::Debug for Body {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Async(_) => "Async",
            Self::Blocking(_) => "Blocking",
            Self::Refused(_) => "Refused",
        })
    }
}

/// The functions that a braced type beside an annotated function stands for, so that
/// `app.task::<make_thumbnails>()` is checked by the compiler.
///
/// Implemented by the attribute, and for [`AnyTask`](crate::AnyTask).
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a background task",
    label = "not annotated with `#[background_task]`",
    note = "name the annotated function itself: `app.task::<make_thumbnails>()`"
)]
pub trait TaskType: Send + Sync + 'static {
    /// What `Args<T>` takes; `()` without one.
    type Args: Serialize + DeserializeOwned + Send + 'static;
    /// What the function returns, without its `Result`.
    type Output: DeserializeOwned + Send + 'static;
}

/// A [`TaskType`] of a function with one attribute, so that it has one name.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not the one task of a function",
    label = "not annotated with `#[background_task]`, or annotated several times",
    note = "name the annotated function itself, `app.task::<make_thumbnails>()`; of several tasks of a function, say which: `app.task_named::<f>(\"…\")`"
)]
pub trait NamedTask: TaskType {
    /// The task's name.
    const NAME: &'static str;
}

/// A [`TaskType`] that the app requests: one of its triggers is `application` or
/// `media_processing`.
///
/// Implemented by the attribute, and for [`AnyTask`](crate::AnyTask).
#[diagnostic::on_unimplemented(
    message = "the task `{Self}` is not started by requests",
    label = "its trigger is another one",
    note = "a request starts a task with `trigger = application`; `app.fire(\"…\", arguments)` starts any task by hand"
)]
pub trait Requestable: TaskType {}

/// A [`TaskType`] that the app requests for a device: one of its triggers is `device_use` or
/// `device_servicing`.
///
/// Implemented by the attribute only.
#[diagnostic::on_unimplemented(
    message = "the task `{Self}` is not requested for a device",
    label = "its trigger is another one",
    note = "a request for a device starts a task with `trigger = device_use` or `trigger = device_servicing`"
)]
pub trait DeviceTask: TaskType {}

/// Turns what a function returns into what is recorded. `Via` says which of the two ways the
/// attribute saw in the signature. Not public API.
#[doc(hidden)]
#[diagnostic::on_unimplemented(
    message = "a background task cannot return `{Self}`",
    label = "not a return type of a task",
    note = "return `()`, a type that is `serde::Serialize`, or `Result<T, E>` with `T: serde::Serialize` and `E: std::fmt::Display`"
)]
pub trait Return<Via> {
    type Value: Serialize;
    fn recorded(self) -> BodyResult;
}

/// The signature says `…Result<…>`. Not public API.
#[doc(hidden)]
#[derive(Debug)]
pub struct ViaResult;

/// The signature says anything else. Not public API.
#[doc(hidden)]
#[derive(Debug)]
pub struct ViaValue;

impl<T: Serialize, E: fmt::Display> Return<ViaResult> for Result<T, E> {
    type Value = T;

    fn recorded(self) -> BodyResult {
        match self {
            Ok(value) => recorded(&value),
            // `{:#}` shows the whole chain of an `anyhow::Error`; others ignore it.
            Err(error) => Err(format!("{error:#}")),
        }
    }
}

impl<T: Serialize> Return<ViaValue> for T {
    type Value = T;

    fn recorded(self) -> BodyResult {
        recorded(&self)
    }
}

fn recorded<T: Serialize>(value: &T) -> BodyResult {
    serde_json::to_value(value)
        .map_err(|error| format!("its result cannot be written as JSON: {error}"))
}

/// Wraps a called async fn. `R` is stated, so that the compiler reports a wrong return type where
/// it is written; `V` is what the attribute took for the value in it. The future comes in its box:
/// what is generic here is then compiled once for a type of result and not for each task. Not
/// public API.
#[doc(hidden)]
#[must_use]
pub fn from_future<Via, R, V>(future: Pin<Box<dyn Future<Output = R> + Send>>) -> Answer
where
    R: Return<Via, Value = V> + 'static,
{
    Some(Body::Async(Box::pin(
        async move { future.await.recorded() },
    )))
}

/// Wraps a plain fn still to be called. Not public API.
#[doc(hidden)]
#[must_use]
pub fn from_closure<Via, R, V>(call: Box<dyn FnOnce() -> R + Send>) -> Answer
where
    R: Return<Via, Value = V> + 'static,
{
    Some(Body::Blocking(Box::new(move || call().recorded())))
}

/// The answer of a task that could not have a parameter. Not public API.
#[doc(hidden)]
#[must_use]
pub const fn refused(error: String) -> Answer {
    Some(Body::Refused(error))
}

/// The type beside a `#[background_condition]` function: how the condition of a task names it.
/// Not public API.
#[doc(hidden)]
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a condition",
    label = "not annotated with `#[background_condition]`",
    note = "a condition of your own is the path of a function with `#[background_condition]`"
)]
pub trait ConditionType {
    const NAME: &'static str;
}

/// What a condition's function may return. Not public API.
#[doc(hidden)]
#[diagnostic::on_unimplemented(
    message = "a condition cannot return `{Self}`",
    label = "not a return type of a condition",
    note = "return `()`, or `Result<(), E>` with `E: std::fmt::Display`; what holds is told with `report.set(…)`"
)]
pub trait ConditionEnd {
    fn ended(self) -> Result<(), String>;
}

impl ConditionEnd for () {
    fn ended(self) -> Result<(), String> {
        Ok(())
    }
}

impl<E: fmt::Display> ConditionEnd for Result<(), E> {
    fn ended(self) -> Result<(), String> {
        self.map_err(|error| format!("{error:#}"))
    }
}

/// Wraps a called `#[background_condition]` function. Not public API.
#[doc(hidden)]
pub fn condition_future<R, F>(future: F) -> ConditionFuture
where
    R: ConditionEnd,
    F: Future<Output = R> + Send + 'static,
{
    Box::pin(async move { future.await.ended() })
}
