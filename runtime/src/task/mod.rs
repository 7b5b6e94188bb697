//! What a body sees and what a run leaves: context, cancellation, progress, outcome.

mod cancel;
mod context;
mod details;
mod outcome;
mod progress;

pub use cancel::{CancelReason, Cancelled};
pub(crate) use context::RunHooks;
pub use context::{Deferral, TaskContext};
pub use details::{Details, NetworkDetails, ScheduledTime};
pub use outcome::{KillCause, Outcome, Suppression};
pub use progress::Progress;
