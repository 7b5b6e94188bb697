//! A clock that tests turn by hand. No wait misses a turn: its goal is fixed when it is asked
//! for, not when it is first polled.

use std::{
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use jiff::Timestamp;
use tokio::sync::watch;

use super::{Clock, Wait};

/// A clock that stands still until told otherwise.
#[derive(Debug)]
pub(crate) struct ManualClock {
    time: Mutex<Time>,
    turned: watch::Sender<()>,
    steps: watch::Sender<u64>,
    waiting: watch::Sender<usize>,
}

#[derive(Clone, Copy, Debug)]
struct Time {
    wall: Timestamp,
    awake: Duration,
}

impl ManualClock {
    /// A clock that shows `now`.
    pub(crate) fn new(now: Timestamp) -> Self {
        Self {
            time: Mutex::new(Time {
                wall: now,
                awake: Duration::ZERO,
            }),
            turned: watch::Sender::new(()),
            steps: watch::Sender::new(0),
            waiting: watch::Sender::new(0),
        }
    }

    /// Lets so much time pass, awake.
    pub(crate) fn advance(&self, length: Duration) {
        let mut time = self.time();
        time.wall += length;
        time.awake += length;
        drop(time);
        self.turned.send_replace(());
    }

    /// Sets the wall clock, as an administrator or a resume does: no time passes awake.
    pub(crate) fn set(&self, now: Timestamp) {
        self.time().wall = now;
        self.steps.send_modify(|steps| *steps += 1);
        self.turned.send_replace(());
    }

    /// Returns as soon as `count` or more waits are pending: then the code under test has arrived
    /// at its wait, and turning the clock is its next event.
    pub(crate) async fn waiting(&self, count: usize) {
        let reached = |waiting: &usize| *waiting >= count;
        let _ = self.waiting.subscribe().wait_for(reached).await;
    }

    /// How many waits are pending now.
    pub(crate) fn count(&self) -> usize {
        *self.waiting.borrow()
    }

    fn time(&self) -> MutexGuard<'_, Time> {
        self.time.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn wait(&self, over: impl Fn(&Self) -> bool + Send + 'static) -> Wait<'_> {
        let mut turned = self.turned.subscribe();
        let pending = Pending::new(&self.waiting);
        Box::pin(async move {
            let _pending = pending;
            while !over(self) {
                if turned.changed().await.is_err() {
                    return;
                }
            }
        })
    }
}

impl Clock for ManualClock {
    fn now(&self) -> Timestamp {
        self.time().wall
    }

    fn until(&self, at: Timestamp) -> Wait<'_> {
        let steps = *self.steps.borrow();
        self.wait(move |clock| clock.time().wall >= at || *clock.steps.borrow() != steps)
    }

    fn awake(&self, length: Duration) -> Wait<'_> {
        let goal = self.time().awake + length;
        self.wait(move |clock| clock.time().awake >= goal)
    }

    fn steps(&self) -> watch::Receiver<u64> {
        self.steps.subscribe()
    }
}

/// One pending wait; counted while it lives.
struct Pending<'c>(&'c watch::Sender<usize>);

impl<'c> Pending<'c> {
    fn new(count: &'c watch::Sender<usize>) -> Self {
        count.send_modify(|count| *count += 1);
        Self(count)
    }
}

impl Drop for Pending<'_> {
    fn drop(&mut self) {
        self.0.send_modify(|count| *count -= 1);
    }
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt;

    use super::*;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).expect("a valid second")
    }

    #[test]
    fn waits_end_when_their_time_has_come() {
        let clock = ManualClock::new(at(100));
        let mut until = clock.until(at(110));
        let mut awake = clock.awake(Duration::from_secs(20));
        assert_eq!(until.as_mut().now_or_never(), None);
        clock.advance(Duration::from_secs(9));
        assert_eq!(until.as_mut().now_or_never(), None);
        clock.advance(Duration::from_secs(1));
        assert_eq!(until.as_mut().now_or_never(), Some(()));
        assert_eq!(awake.as_mut().now_or_never(), None);
        clock.advance(Duration::from_secs(10));
        assert_eq!(awake.as_mut().now_or_never(), Some(()));
        assert_eq!(clock.now(), at(120));
    }

    #[test]
    fn a_turn_before_the_first_poll_counts() {
        let clock = ManualClock::new(at(0));
        let (until, awake) = (clock.until(at(5)), clock.awake(Duration::from_secs(5)));
        clock.advance(Duration::from_secs(5));
        assert_eq!(until.now_or_never(), Some(()));
        assert_eq!(awake.now_or_never(), Some(()));
    }

    #[test]
    fn setting_ends_wall_waits_early_and_no_others() {
        let clock = ManualClock::new(at(1000));
        let mut steps = clock.steps();
        let (until, mut awake) = (clock.until(at(5000)), clock.awake(Duration::from_secs(1)));
        clock.set(at(10));
        assert_eq!(until.now_or_never(), Some(()), "look again");
        assert_eq!(awake.as_mut().now_or_never(), None);
        assert!(matches!(steps.changed().now_or_never(), Some(Ok(()))));
        assert_eq!(clock.now(), at(10));
    }

    #[tokio::test]
    async fn tells_when_somebody_waits() {
        let clock = ManualClock::new(at(0));
        let wait = clock.awake(Duration::from_secs(1));
        clock.waiting(1).await;
        drop(wait);
        assert_eq!(clock.waiting(1).now_or_never(), None);
    }
}
