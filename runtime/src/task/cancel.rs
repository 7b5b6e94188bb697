//! Why a run is asked to stop.

use std::fmt;

use serde::{Deserialize, Serialize};

/// Why a run is asked to stop, with Windows' twelve values
/// ([`BackgroundTaskCancellationReason`](https://learn.microsoft.com/uwp/api/windows.applicationmodel.background.backgroundtaskcancellationreason)).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CancelReason {
    /// The app asked for it.
    Abort,
    /// The app is about to end.
    Terminating,
    /// The user logs off.
    LoggingOff,
    /// The app is being updated.
    ServicingUpdate,
    /// The run neither worked nor reported progress.
    IdleTask,
    /// The app is being removed.
    Uninstall,
    /// Its condition no longer holds and the task asked for `cancel_on_condition_loss`.
    ConditionLoss,
    /// Another policy of the system.
    SystemPolicy,
    /// Quiet hours; no longer raised by Windows, and never by bgtask.
    QuietHoursEntered,
    /// It took longer than its `timeout` or the quota of its trigger.
    ExecutionTimeExceeded,
    /// The system wants resources back.
    ResourceRevocation,
    /// The battery is being saved.
    EnergySaver,
}

impl fmt::Display for CancelReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Abort => "the app asked for it",
            Self::Terminating => "the app is ending",
            Self::LoggingOff => "the user is logging off",
            Self::ServicingUpdate => "the app is being updated",
            Self::IdleTask => "it was idle",
            Self::Uninstall => "the app is being removed",
            Self::ConditionLoss => "its condition no longer holds",
            Self::SystemPolicy => "a policy of the system",
            Self::QuietHoursEntered => "quiet hours",
            Self::ExecutionTimeExceeded => "it exceeded its time",
            Self::ResourceRevocation => "the system wants resources back",
            Self::EnergySaver => "energy saver",
        })
    }
}

/// The error of [`TaskContext::checkpoint`](crate::TaskContext::checkpoint): the run was asked to
/// stop.
///
/// Give your error type `From<Cancelled>` to use `?` on it.
///
/// ```
/// use bgtask::{CancelReason, Cancelled};
///
/// #[derive(Debug, PartialEq)]
/// enum MailError {
///     Stopped(Cancelled),
/// }
///
/// impl From<Cancelled> for MailError {
///     fn from(cancelled: Cancelled) -> Self {
///         Self::Stopped(cancelled)
///     }
/// }
/// let error = MailError::from(Cancelled(CancelReason::Terminating));
/// assert_eq!(error, MailError::Stopped(Cancelled(CancelReason::Terminating)));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cancelled(
    /// Why.
    pub CancelReason,
);

impl fmt::Display for Cancelled {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "cancelled: {}", self.0)
    }
}

impl std::error::Error for Cancelled {}
