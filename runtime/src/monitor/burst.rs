//! What comes in bursts is told together.

use std::time::Duration;

use tokio::sync::Notify;

use crate::clock::{Clock, within};

/// It is over when nothing rings for so long.
pub(super) const QUIET: Duration = Duration::from_millis(200);

/// It is told this often where it is not over.
const LONGEST: Duration = Duration::from_secs(2);

/// Waits until nothing rings any more, or it has rung for long.
pub(super) async fn over(clock: &dyn Clock, rung: &Notify) {
    let over = async { while within(clock, QUIET, rung.notified()).await.is_some() {} };
    within(clock, LONGEST, over).await;
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use jiff::Timestamp;

    use super::*;
    use crate::clock::ManualClock;

    #[tokio::test]
    async fn a_burst_is_over_when_it_is_quiet_or_has_lasted_long() {
        let clock = Arc::new(ManualClock::new(Timestamp::UNIX_EPOCH));
        let rung = Arc::new(Notify::new());
        let waits = tokio::spawn({
            let (clock, rung) = (Arc::clone(&clock), Arc::clone(&rung));
            async move { over(&*clock, &rung).await }
        });
        // Both waits, and each ring begins one of them anew.
        clock.waiting(2).await;
        for _ in 0..3 {
            clock.advance(QUIET - Duration::from_millis(1));
            rung.notify_one();
            tokio::task::yield_now().await;
            assert!(!waits.is_finished());
            clock.waiting(2).await;
        }
        clock.advance(QUIET);
        waits.await.expect("over");

        let waits = tokio::spawn({
            let (clock, rung) = (Arc::clone(&clock), Arc::clone(&rung));
            async move { over(&*clock, &rung).await }
        });
        clock.waiting(2).await;
        let mut passed = Duration::ZERO;
        while passed < LONGEST {
            assert!(!waits.is_finished());
            clock.advance(QUIET / 2);
            passed += QUIET / 2;
            rung.notify_one();
            tokio::task::yield_now().await;
        }
        waits.await.expect("over");
    }
}
