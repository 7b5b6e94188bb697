//! Why a run is asked to stop, and who hears of it.

use std::{
    fmt,
    panic::{AssertUnwindSafe, catch_unwind},
    str::FromStr,
    sync::{Mutex, MutexGuard, PoisonError},
};

use serde::{Deserialize, Serialize};
use tokio::{runtime::Handle, sync::watch};

use crate::{Code, Error};

/// Why a run is asked to stop, with Windows' twelve values
/// ([`BackgroundTaskCancellationReason`](https://learn.microsoft.com/uwp/api/windows.applicationmodel.background.backgroundtaskcancellationreason)).
///
/// The app may give any of them to [`Run::cancel`](crate::Run::cancel), and
/// `bgtask cancel --reason` takes their words. bgtask itself gives `Abort`, `Terminating`,
/// `LoggingOff`, `ServicingUpdate`, `IdleTask`, `ConditionLoss`, `SystemPolicy` and
/// `ExecutionTimeExceeded`.
///
/// ```
/// use bgtask::CancelReason;
///
/// let reason: CancelReason = "servicing_update".parse()?;
/// assert_eq!(reason, CancelReason::ServicingUpdate);
/// assert_eq!(reason.word(), "servicing_update");
/// assert!("tired".parse::<CancelReason>().is_err());
/// # Ok::<(), bgtask::Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CancelReason {
    /// The app or its user asked for it, or a newer activation takes its place
    /// (`overlap = replace`).
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
    /// Another policy of the system: the device that the run works on has left.
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

impl CancelReason {
    /// All twelve, in Windows' order.
    pub const ALL: [Self; 12] = [
        Self::Abort,
        Self::Terminating,
        Self::LoggingOff,
        Self::ServicingUpdate,
        Self::IdleTask,
        Self::Uninstall,
        Self::ConditionLoss,
        Self::SystemPolicy,
        Self::QuietHoursEntered,
        Self::ExecutionTimeExceeded,
        Self::ResourceRevocation,
        Self::EnergySaver,
    ];

    /// Its word, as JSON holds it: `abort`, `servicing_update`.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Abort => "abort",
            Self::Terminating => "terminating",
            Self::LoggingOff => "logging_off",
            Self::ServicingUpdate => "servicing_update",
            Self::IdleTask => "idle_task",
            Self::Uninstall => "uninstall",
            Self::ConditionLoss => "condition_loss",
            Self::SystemPolicy => "system_policy",
            Self::QuietHoursEntered => "quiet_hours_entered",
            Self::ExecutionTimeExceeded => "execution_time_exceeded",
            Self::ResourceRevocation => "resource_revocation",
            Self::EnergySaver => "energy_saver",
        }
    }
}

/// From its [`word`](CancelReason::word); [`Code::BadArguments`] for any other text.
impl FromStr for CancelReason {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        let found = Self::ALL.into_iter().find(|reason| reason.word() == text);
        found.ok_or_else(|| {
            Error::new(
                Code::BadArguments,
                format!("no reason to stop is called `{text}`"),
            )
            .remedy(format!(
                "use one of: {}",
                Self::ALL.map(Self::word).join(", ")
            ))
        })
    }
}

impl fmt::Display for CancelReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Abort => "on request",
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

/// What is called when a run is asked to stop.
type Callback = Box<dyn FnOnce(CancelReason) + Send>;

/// Whether a run was asked to stop, and who is to hear of it.
pub(super) struct Cancellation {
    /// Names the threads of the callbacks.
    task: String,
    reason: watch::Sender<Option<CancelReason>>,
    /// `None` once nobody will ask any more.
    callbacks: Mutex<Option<Vec<Callback>>>,
}

impl Cancellation {
    pub(super) fn new(task: &str) -> Self {
        Self {
            task: task.to_owned(),
            reason: watch::Sender::new(None),
            callbacks: Mutex::new(Some(Vec::new())),
        }
    }

    pub(super) fn reason(&self) -> Option<CancelReason> {
        *self.reason.borrow()
    }

    pub(super) fn watch(&self) -> watch::Receiver<Option<CancelReason>> {
        self.reason.subscribe()
    }

    /// Asks the run to stop. The first reason counts.
    pub(super) fn ask(&self, reason: CancelReason) {
        let mut callbacks = self.callbacks();
        if self.reason().is_some() {
            return;
        }
        self.reason.send_replace(Some(reason));
        let asked = callbacks.as_mut().map(std::mem::take);
        drop(callbacks);
        for callback in asked.into_iter().flatten() {
            self.call(callback, reason);
        }
    }

    /// Has `callback` called when the run is asked to stop; now, if it was.
    pub(super) fn on_ask(&self, callback: impl FnOnce(CancelReason) + Send + 'static) {
        let runtime = Handle::try_current().ok();
        let callback: Callback = Box::new(move |reason| {
            // So that it may spawn, as the body that registered it may.
            let _entered = runtime.as_ref().map(Handle::enter);
            callback(reason);
        });
        let mut callbacks = self.callbacks();
        match (self.reason(), callbacks.as_mut()) {
            (_, None) => {}
            (None, Some(callbacks)) => callbacks.push(callback),
            (Some(reason), Some(_)) => {
                drop(callbacks);
                self.call(callback, reason);
            }
        }
    }

    /// The run is over: drops what was not called, and with it the contexts that it may hold.
    pub(super) fn close(&self) {
        let closed = self.callbacks().take();
        drop(closed);
    }

    /// On a thread of its own: the body's thread may be computing, and the runner's has other
    /// runs.
    fn call(&self, callback: Callback, reason: CancelReason) {
        let task = self.task.clone();
        let thread = std::thread::Builder::new().name(task.clone());
        let started = thread.spawn(move || {
            if catch_unwind(AssertUnwindSafe(|| callback(reason))).is_err() {
                tracing::error!(task, "a callback of `on_cancel` panicked");
            }
        });
        if let Err(error) = started {
            let task = &self.task;
            tracing::error!(task, %error, "a callback of `on_cancel` has no thread to run on");
        }
    }

    fn callbacks(&self) -> MutexGuard<'_, Option<Vec<Callback>>> {
        self.callbacks
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reason_is_known_by_the_word_that_json_holds() {
        for reason in CancelReason::ALL {
            let json = serde_json::to_value(reason).unwrap();
            assert_eq!(json, reason.word());
            assert_eq!(reason.word().parse::<CancelReason>().unwrap(), reason);
        }
        let error = "Abort".parse::<CancelReason>().unwrap_err();
        assert_eq!(error.code(), Code::BadArguments);
        assert!(error.help().unwrap().contains("abort, terminating"));
    }
}
