//! The only place that asks the time.

#[cfg(target_os = "linux")]
mod bell;
#[cfg(not(target_os = "linux"))]
#[path = "bell_absent.rs"]
mod bell;
#[cfg(test)]
mod manual;
mod system;

use std::{future::Future, pin::Pin, time::Duration};

use jiff::Timestamp;
use tokio::sync::watch;

pub(crate) use bell::Bell;
#[cfg(target_os = "linux")]
pub(crate) use bell::{Keep, Watch};
#[cfg(test)]
pub(crate) use manual::ManualClock;
pub(crate) use system::SystemClock;

/// A wait that a clock gives.
pub(crate) type Wait<'c> = Pin<Box<dyn Future<Output = ()> + Send + 'c>>;

/// Time, as the runtime asks for it. Injected, so that tests turn it by hand.
pub(crate) trait Clock: Send + Sync + std::fmt::Debug + 'static {
    /// The wall clock.
    fn now(&self) -> Timestamp;

    /// Waits until the wall clock shows `at` or later, counting time asleep. May return early when
    /// the wall clock was set or the machine woke up: look again.
    fn until(&self, at: Timestamp) -> Wait<'_>;

    /// Waits for so much time awake: quotas and grace do not count suspend.
    fn awake(&self, length: Duration) -> Wait<'_>;

    /// Counts how often the wall clock was set or the machine woke up. A clock that cannot tell
    /// closes the channel.
    fn steps(&self) -> watch::Receiver<u64> {
        watch::channel(0).1
    }
}

/// Waits for the next step; for ever if this clock cannot tell.
pub(crate) async fn stepped(steps: &mut watch::Receiver<u64>) {
    if steps.changed().await.is_err() {
        std::future::pending::<()>().await;
    }
}

/// The future's value, unless so much time awake passes first.
pub(crate) async fn within<T>(
    clock: &dyn Clock,
    length: Duration,
    future: impl Future<Output = T>,
) -> Option<T> {
    tokio::select! {
        value = future => Some(value),
        () = clock.awake(length) => None,
    }
}
