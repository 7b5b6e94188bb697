//! Declare background tasks with one attribute.
//!
//! A task is a function with [`#[background_task]`](macro@background_task): what starts it (its
//! trigger), what must hold before it starts (its condition), and where it runs (in the app's
//! process, or in a process of its own). The linked runtime finds the tasks, keeps what fired until
//! it has run, and records one outcome for each.
//!
//! ```no_run
//! use bgtask::prelude::*;
//!
//! /// Fetches new mail.
//! #[background_task(trigger = time(15), condition = internet)]
//! async fn sync_mail(task: TaskContext) -> Result<(), Cancelled> {
//!     for mailbox in 0..3 {
//!         task.checkpoint()?;
//!         task.progress(mailbox, 3);
//!     }
//!     Ok(())
//! }
//!
//! #[bgtask::main]
//! async fn main(app: App) -> bgtask::Result<()> {
//!     app.run_until_shutdown().await
//! }
//! ```
//!
//! # Where to go from here
//!
//! - [`background_task`](macro@background_task): every argument, with its units, defaults and rules.
//! - [`TaskContext`]: progress, cancellation, deferrals; [`Args`] and [`State`]: what a task is given.
//! - [`App`]: requests with typed results, events, `why`, history.
//! - [`AppBuilder`]: the app's id, its state, where it keeps things.
//! - [`manifest`]: reading the tasks of an executable without running it.
//! - Guides: [for people from Windows](guide::windows), [from a fire to a run](guide::activations),
//!   [registrations](guide::registrations), [raw notifications](guide::push),
//!   [sockets](guide::sockets),
//!   [the outbox](guide::outbox),
//!   [the manifest](guide::manifest), [in CI](guide::ci), [the process of a task](guide::process),
//!   [what each host guarantees](guide::hosts).
//!
//! # What is promised
//!
//! What was accepted reaches one recorded [`Outcome`], also after a crash: at least once. A
//! condition *holds* an activation, it does not drop it. A run past its time ends. What this
//! version or this system cannot do is refused as [`Code::Unsupported`] when it is registered.
//! Not promised: exactly-once side effects (see [`TaskContext::fence`]), real time, survival of an
//! abort in the app's own process.
//!
//! Tasks in a dependency that no line of the program mentions are not linked: `use the_crate as _;`
//! brings them in ([more](guide::manifest#a-dependency-that-nothing-mentions)).
#![doc(test(attr(deny(warnings))))]

pub mod __private;
pub mod access;
mod app;
mod body;
mod broker;
mod capability;
mod clock;
mod dirs;
mod energy;
mod entry;
mod error;
mod event;
mod extract;
mod fact;
mod host;
mod id;
mod inhibitor;
pub mod inspect;
mod ipc;
pub mod manifest;
mod monitor;
pub mod outbox;
mod overrides;
mod profile;
#[cfg(test)]
mod proof;
mod registry;
mod sandbox;
mod scheduler;
mod standing;
mod state;
mod store;
mod sys;
mod task;
mod text_file;
pub mod words;

pub use access::{AccessKind, AccessStatus};
pub use app::{
    AnyTask, App, AppBuilder, AppData, AppService, Client, Completions, DeviceRequestFuture,
    DeviceRequestOutcome, EventSink, EventSource, Events, ExtendedExecution,
    ExtendedExecutionOutcome, ExtendedExecutionReason, ExtendedExecutionRevoked,
    ExtendedExecutionSession, Lifecycle, LifecycleDeferral, Lifecycles, ProgressStream, PushSink,
    RawSource, Registration, RegistrationBuilder, RegistrationGroup, RequestFuture, RequestOutcome,
    Run, RunError, SocketTransfer, SourceError, TaskHandle,
};
#[doc = include_str!("condition.md")]
pub use bgtask_macros::background_condition;
#[doc = include_str!("attribute.md")]
#[doc = include_str!("grammar.md")]
#[doc = include_str!("rules.md")]
pub use bgtask_macros::background_task;
#[doc = include_str!("main.md")]
pub use bgtask_macros::main;
pub use bgtask_model as model;
pub use body::{DeviceTask, NamedTask, Requestable, TaskType};
pub use capability::{Capabilities, Capability, Support};
pub use energy::{EnergyLevel, WorkCost};
pub use error::{Code, Error, Result};
pub use event::{Event, EventKind};
pub use extract::{Args, State};
pub use fact::{Fact, Reading};
pub use id::{ActivationId, RegistrationId, RunId};
pub use ipc::control::AppState;
pub use monitor::{ConditionReporter, Toast};
pub use profile::Profile;
#[doc(no_inline)]
pub use rusqlite;
pub use scheduler::{
    Explanation, FactState, HeldActivation, Holds, LastOutcome, RunningActivation,
};
pub use standing::Standing;
pub use store::{
    ActivationRecord, Durability, Finding, LogQuery, OnDuplicate, Origin, RegistrationRecord,
    RunRecord, Severity, StoreInfo, SyncDiff,
};
pub use task::{
    CancelReason, Cancelled, Deferral, Details, DeviceAction, DeviceChanges, DeviceDetails,
    DeviceEvent, FileChange, FileChangeKind, FileChanges, KillCause, MemoryUsage, NetworkDetails,
    Outcome, Progress, RawNotification, ScheduledTime, ServiceConnection, ServiceDetails,
    ServiceRequest, Socket, SocketActivity, SocketDetails, SocketKind, SocketReason, Suppression,
    TaskContext, TaskData, ToastAction, ToastId,
};

/// Pages about what concerns more than one item.
#[cfg(any(doc, doctest))]
pub mod guide {
    #[doc = include_str!("guide/activations.md")]
    pub mod activations {}
    #[doc = include_str!("guide/ci.md")]
    pub mod ci {}
    #[doc = include_str!("guide/hosts.md")]
    pub mod hosts {}
    #[doc = include_str!("guide/manifest.md")]
    pub mod manifest {}
    #[doc = include_str!("guide/outbox.md")]
    pub mod outbox {}
    #[doc = include_str!("guide/process.md")]
    pub mod process {}
    #[doc = include_str!("guide/push.md")]
    pub mod push {}
    #[doc = include_str!("guide/registrations.md")]
    pub mod registrations {}
    #[doc = include_str!("guide/sockets.md")]
    pub mod sockets {}
    #[doc = include_str!("guide/windows.md")]
    pub mod windows {}
}

/// What most programs name.
pub mod prelude {
    pub use crate::{
        App, AppBuilder, Args, CancelReason, Cancelled, ConditionReporter, ScheduledTime, State,
        TaskContext, background_condition, background_task,
    };
}
