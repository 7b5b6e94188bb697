//! How long an ending app tries to write to a store that refuses.

use std::{sync::Arc, time::Duration};

use futures_util::{FutureExt, future::BoxFuture};

use crate::clock::Clock;

/// How long it tries.
const LENGTH: Duration = Duration::from_secs(5);

/// The tries of an ending app, since the store first refused. What the wall clock shows does not
/// matter.
pub(super) struct LastTries {
    clock: Arc<dyn Clock>,
    left: Option<BoxFuture<'static, ()>>,
    over: bool,
}

impl LastTries {
    pub(super) fn new(clock: Arc<dyn Clock>) -> Self {
        Self {
            clock,
            left: None,
            over: false,
        }
    }

    /// The store refuses: from the first time on it is tried for so long.
    pub(super) fn refused(&mut self) {
        if self.left.is_none() && !self.over {
            let clock = Arc::clone(&self.clock);
            let mut left: BoxFuture<'_, ()> = Box::pin(async move { clock.awake(LENGTH).await });
            // The time counts from now, not from when somebody waits.
            let _ = (&mut left).now_or_never();
            self.left = Some(left);
        }
    }

    /// The store took all.
    pub(super) fn written(&mut self) {
        self.left = None;
        self.over = false;
    }

    /// Whether enough was tried.
    pub(super) fn are_over(&self) -> bool {
        self.over
    }

    /// Waits until enough was tried; for ever while the store refuses nothing.
    pub(super) async fn end(&mut self) {
        match &mut self.left {
            Some(left) => left.await,
            None => std::future::pending().await,
        }
        self.left = None;
        self.over = true;
    }
}

#[cfg(test)]
mod tests {
    use jiff::{SignedDuration, Timestamp};

    use super::*;
    use crate::clock::ManualClock;

    const START: Timestamp = Timestamp::UNIX_EPOCH;

    fn tries() -> (Arc<ManualClock>, LastTries) {
        let clock = Arc::new(ManualClock::new(START));
        (Arc::clone(&clock), LastTries::new(clock))
    }

    #[test]
    fn they_end_some_time_after_the_first_refusal() {
        let (clock, mut tries) = tries();
        clock.advance(LENGTH);
        assert_eq!(tries.end().now_or_never(), None, "nothing was refused");
        tries.refused();
        assert_eq!(tries.end().now_or_never(), None);
        clock.advance(LENGTH / 2);
        tries.refused();
        assert_eq!(tries.end().now_or_never(), None);
        clock.advance(LENGTH / 2);
        assert!(!tries.are_over());
        assert_eq!(tries.end().now_or_never(), Some(()));
        tries.refused();
        assert!(tries.are_over());
    }

    #[test]
    fn a_clock_that_is_set_does_not_end_them() {
        let (clock, mut tries) = tries();
        tries.refused();
        assert_eq!(tries.end().now_or_never(), None);
        for hours in [1, -2] {
            clock.set(START + SignedDuration::from_hours(hours));
            assert_eq!(tries.end().now_or_never(), None);
        }
        clock.advance(LENGTH);
        assert_eq!(tries.end().now_or_never(), Some(()));
    }

    #[test]
    fn a_write_that_is_taken_begins_them_anew() {
        let (clock, mut tries) = tries();
        tries.refused();
        clock.advance(LENGTH);
        assert_eq!(tries.end().now_or_never(), Some(()));
        tries.written();
        assert!(!tries.are_over());
        tries.refused();
        assert_eq!(tries.end().now_or_never(), None);
        clock.advance(LENGTH);
        assert_eq!(tries.end().now_or_never(), Some(()));
        assert!(tries.are_over());
    }
}
