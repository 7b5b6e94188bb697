//! The machine's clock. On Linux a wall-clock wait ends on time also after suspend, and steps of
//! the clock are seen the moment they happen; elsewhere within a minute.

#[cfg(target_os = "linux")]
use std::io;
use std::{sync::Arc, time::Duration};

use jiff::{SignedDuration, Timestamp};
use tokio::{sync::watch, time::Instant};

#[cfg(target_os = "linux")]
use super::Bell;
use super::{Clock, Wait};

#[cfg(target_os = "linux")]
mod alarm;

/// The longest sleep between two looks at the wall clock where nobody tells of its steps.
const LOOK: Duration = Duration::from_secs(60);

/// Wall clock and monotonic clock may drift apart by so much in [`LOOK`] without a step.
const DRIFT: SignedDuration = SignedDuration::from_secs(1);

/// The machine's clock.
#[derive(Debug)]
pub(crate) struct SystemClock {
    steps: Arc<watch::Sender<u64>>,
    #[cfg(target_os = "linux")]
    alarm: Option<alarm::Alarm>,
}

impl SystemClock {
    /// A clock that is told by the kernel, through the bell thread.
    ///
    /// # Errors
    ///
    /// The kernel's, when it gives no timer.
    #[cfg(target_os = "linux")]
    pub(crate) fn with_bell(bell: &Bell) -> io::Result<Self> {
        let steps = Arc::new(watch::Sender::new(0));
        let alarm = alarm::Alarm::start(bell, Arc::clone(&steps))?;
        Ok(Self {
            steps,
            alarm: Some(alarm),
        })
    }

    /// A clock without a thread: waits for a wall time look at it each minute. Steps are seen
    /// only while somebody waits.
    pub(crate) fn portable() -> Self {
        Self {
            steps: Arc::new(watch::Sender::new(0)),
            #[cfg(target_os = "linux")]
            alarm: None,
        }
    }

    async fn look_until(&self, at: Timestamp) {
        loop {
            let (wall, awake) = (self.now(), Instant::now());
            let Ok(left) = Duration::try_from(at.duration_since(wall)) else {
                return;
            };
            if left.is_zero() {
                return;
            }
            tokio::time::sleep(left.min(LOOK)).await;
            let passed = SignedDuration::try_from(awake.elapsed()).unwrap_or(SignedDuration::MAX);
            if (self.now().duration_since(wall) - passed).abs() > DRIFT {
                self.steps.send_modify(|steps| *steps += 1);
                return;
            }
        }
    }
}

impl Clock for SystemClock {
    fn now(&self) -> Timestamp {
        Timestamp::now()
    }

    fn until(&self, at: Timestamp) -> Wait<'_> {
        #[cfg(target_os = "linux")]
        if let Some(alarm) = &self.alarm {
            return Box::pin(alarm.until(at));
        }
        Box::pin(self.look_until(at))
    }

    fn awake(&self, length: Duration) -> Wait<'_> {
        Box::pin(tokio::time::sleep(length))
    }

    fn steps(&self) -> watch::Receiver<u64> {
        self.steps.subscribe()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn portable_waits_end_on_time() {
        let clock = SystemClock::portable();
        let at = clock.now() + Duration::from_millis(20);
        clock.until(at).await;
        assert!(clock.now() >= at);
        // The past is over at once.
        clock.until(Timestamp::UNIX_EPOCH).await;
    }
}
