//! Work of the app itself that is not to be cut off by the system's sleep.

mod limit;
#[cfg(test)]
mod tests;

use std::{fmt, sync::Arc, time::Duration};

use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};
use tokio_util::task::AbortOnDropHandle;

use super::App;
use crate::{
    AccessStatus, Code, Error, Reading, Result,
    inhibitor::{Lock, NoLock},
};
use limit::Limit;

/// How long the system is held back after the revocation, for the last words.
const LAST_WORDS: Duration = Duration::from_secs(1);

/// What the app goes on for. It decides how long that may be.
///
/// Windows: [`ExtendedExecutionReason`](https://learn.microsoft.com/uwp/api/windows.applicationmodel.extendedexecution.extendedexecutionreason).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum ExtendedExecutionReason {
    /// Anything else: 10 minutes on the battery, and as long as it likes on AC power.
    #[default]
    Unspecified,
    /// It follows where the user is, as navigation does: as long as it likes.
    LocationTracking,
    /// It brings what the user made to where it is kept: 10 minutes.
    SavingData,
}

/// Why a session ended before the app ended it.
///
/// Windows: [`ExtendedExecutionRevokedReason`](https://learn.microsoft.com/uwp/api/windows.applicationmodel.extendedexecution.extendedexecutionrevokedreason).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ExtendedExecutionRevoked {
    /// The user came back to the app, which said so with
    /// [`leave_background`](App::leave_background): it is not needed any more.
    Resumed,
    /// The system sleeps all the same, its time is over, the user took access back or saves energy,
    /// or logind is gone.
    SystemPolicy,
}

/// A request that the system does not go to sleep while the app itself goes on with something; from
/// [`App::extended_execution`].
#[derive(Debug)]
#[must_use = "nothing is asked before `request`"]
pub struct ExtendedExecution {
    app: App,
    reason: ExtendedExecutionReason,
    description: String,
}

/// The answer to a request (Windows:
/// [`ExtendedExecutionResult`](https://learn.microsoft.com/uwp/api/windows.applicationmodel.extendedexecution.extendedexecutionresult)).
#[derive(Debug)]
#[must_use]
pub enum ExtendedExecutionOutcome {
    /// The system is kept from sleeping until the session is dropped or revoked.
    Allowed(ExtendedExecutionSession),
    /// The user does not let the app work in the background or saves energy, or logind gives no lock.
    Denied {
        /// Who says so.
        why: String,
    },
    /// There is nobody here who could keep the system from sleeping.
    Unsupported {
        /// What is missing.
        why: String,
    },
}

/// The system does not go to sleep while this is held, unless it is [revoked](Self::revoked).
///
/// Dropping it ends it: close it as soon as the work is done.
///
/// Windows: [`ExtendedExecutionSession`](https://learn.microsoft.com/uwp/api/windows.applicationmodel.extendedexecution.extendedexecutionsession).
#[must_use = "dropping it ends it"]
pub struct ExtendedExecutionSession {
    reason: ExtendedExecutionReason,
    revoked: watch::Receiver<Option<ExtendedExecutionRevoked>>,
    /// Holds the lock.
    _held: AbortOnDropHandle<()>,
    _turn: OwnedSemaphorePermit,
}

impl App {
    /// Begins a request to go on with something while the user turns away: the system neither sleeps
    /// by itself nor when asked to, until the session is dropped. It is listed by
    /// `systemd-inhibit`, with the description. An app holds one at a time.
    ///
    /// It is for work of the app itself, between its windows: what shall survive the app's end is a
    /// task with `trigger = application`, and a task that needs the network while it runs says
    /// `network_requested`.
    ///
    /// Windows: [`ExtendedExecutionSession`](https://learn.microsoft.com/uwp/api/windows.applicationmodel.extendedexecution.extendedexecutionsession).
    /// There an app is suspended soon after it left the foreground, and the session puts that off;
    /// here nothing suspends an app but the machine's sleep. `PercentProgress` has no counterpart:
    /// nobody shows it.
    ///
    /// ```no_run
    /// # let _ = async |app: bgtask::App| {
    /// use bgtask::{ExtendedExecutionOutcome, ExtendedExecutionReason};
    ///
    /// let session = app
    ///     .extended_execution(ExtendedExecutionReason::SavingData)
    ///     .description("uploads the drafts");
    /// match session.request().await? {
    ///     ExtendedExecutionOutcome::Allowed(mut session) => tokio::select! {
    ///         () = async { /* upload … */ } => {}
    ///         reason = session.revoked() => println!("a second is left: {reason:?}"),
    ///     },
    ///     ExtendedExecutionOutcome::Denied { why }
    ///     | ExtendedExecutionOutcome::Unsupported { why } => println!("as far as it goes: {why}"),
    /// }
    /// # Ok::<(), bgtask::Error>(())
    /// # };
    /// ```
    pub fn extended_execution(&self, reason: ExtendedExecutionReason) -> ExtendedExecution {
        ExtendedExecution {
            app: self.clone(),
            reason,
            description: "it is not done yet".to_owned(),
        }
    }
}

impl ExtendedExecution {
    /// Says to the user what for. Without it: "it is not done yet".
    pub fn description(mut self, text: impl Into<String>) -> Self {
        self.description = text.into();
        self
    }

    /// Asks for it; waits for logind's answer for 2 s at most.
    ///
    /// # Errors
    ///
    /// [`Code::NotAccepted`]: the app holds a session already (Windows: `0x8007139F`).
    ///
    /// # Panics
    ///
    /// Outside of a tokio runtime with its I/O.
    pub async fn request(self) -> Result<ExtendedExecutionOutcome> {
        let inner = &self.app.inner;
        let one = &inner.extended;
        let turn = Arc::clone(&one.turn).try_acquire_owned().map_err(|_| {
            let rule = "the app holds an extended execution already, and may hold one at a time";
            Error::new(Code::NotAccepted, rule).remedy("drop the other session first")
        })?;
        let denied = |why: String| Ok(ExtendedExecutionOutcome::Denied { why });
        let status = inner.access.status();
        if !status.is_allowed() {
            return denied(inner.access.explain());
        }
        let power = inner.power.current().await;
        let is_saving = power.saver == Reading::Known(true);
        if is_saving && status != AccessStatus::AlwaysAllowed {
            return denied("the system saves energy".to_owned());
        }
        let address = one.system_bus.as_deref();
        let lock = match Lock::take(address, &inner.id, &self.description).await {
            Ok(lock) => lock,
            Err(NoLock::Denied(why)) => return denied(why),
            Err(NoLock::Absent(why)) => return Ok(ExtendedExecutionOutcome::Unsupported { why }),
        };
        let limit = Limit {
            reason: self.reason,
            clock: Arc::clone(&inner.clock),
            lifecycle: inner.changes.listen(),
            access: inner.access.changes(),
            power: inner.power.supply(),
        };
        let (revoke, revoked) = watch::channel(None);
        let held = tokio::spawn(hold(lock, limit, revoke));
        Ok(ExtendedExecutionOutcome::Allowed(
            ExtendedExecutionSession {
                reason: self.reason,
                revoked,
                _held: AbortOnDropHandle::new(held),
                _turn: turn,
            },
        ))
    }
}

/// Holds the lock until it is revoked, and a moment longer.
async fn hold(
    mut lock: Lock,
    mut limit: Limit,
    revoke: watch::Sender<Option<ExtendedExecutionRevoked>>,
) {
    let reason = tokio::select! {
        () = lock.lost() => ExtendedExecutionRevoked::SystemPolicy,
        reason = limit.reached() => reason,
    };
    revoke.send_replace(Some(reason));
    limit.clock.awake(LAST_WORDS).await;
    drop(lock);
}

impl ExtendedExecutionSession {
    /// What it is for.
    #[must_use]
    pub const fn reason(&self) -> ExtendedExecutionReason {
        self.reason
    }

    /// Waits until it is revoked; what is left to do has a second then, if the system is about to
    /// sleep. At once when it was revoked already.
    ///
    /// Windows: [`Revoked`](https://learn.microsoft.com/uwp/api/windows.applicationmodel.extendedexecution.extendedexecutionsession.revoked).
    pub async fn revoked(&mut self) -> ExtendedExecutionRevoked {
        let revoked = self.revoked.wait_for(Option::is_some).await;
        // It ends without a word only with the runtime that it was started on.
        let revoked = revoked.ok().and_then(|revoked| *revoked);
        revoked.unwrap_or(ExtendedExecutionRevoked::SystemPolicy)
    }

    /// Why it was revoked, if it was.
    #[must_use]
    pub fn is_revoked(&self) -> Option<ExtendedExecutionRevoked> {
        *self.revoked.borrow()
    }
}

impl fmt::Debug for ExtendedExecutionSession {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ExtendedExecutionSession")
            .field("reason", &self.reason)
            .field("revoked", &*self.revoked.borrow())
            .finish_non_exhaustive()
    }
}

/// Lets an app hold one session at a time.
#[derive(Debug)]
pub(crate) struct OneExtended {
    turn: Arc<Semaphore>,
    system_bus: Option<String>,
}

impl OneExtended {
    /// With logind on the bus at this address, or the usual one.
    pub(crate) fn new(system_bus: Option<String>) -> Self {
        Self {
            turn: Arc::new(Semaphore::new(1)),
            system_bus,
        }
    }
}
