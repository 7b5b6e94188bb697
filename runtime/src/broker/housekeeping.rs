//! Keeps what is recorded from growing without end.

use std::time::Duration;

use jiff::Timestamp;

use crate::store::Retention;

/// How many ended runs are kept at most, and how many events; also of completions that nobody takes.
pub(super) const MOST: u32 = 100_000;

/// After so many ended runs the history is looked at again.
const EVERY: usize = 10_000;

/// How much history may stay, and when to look.
#[derive(Debug)]
pub(super) struct Housekeeping {
    length: Duration,
    ended: usize,
}

impl Housekeeping {
    /// History of this length may stay.
    pub(super) fn new(length: Duration) -> Self {
        Self { length, ended: 0 }
    }

    /// What may stay now.
    pub(super) fn retention(&self, now: Timestamp) -> Retention {
        Retention {
            before: now.checked_sub(self.length).unwrap_or(Timestamp::MIN),
            most: MOST,
        }
    }

    /// Told that so many runs ended: whether it is time to look.
    pub(super) fn is_due(&mut self, ended: usize) -> bool {
        self.ended += ended;
        let due = self.ended >= EVERY;
        if due {
            self.ended = 0;
        }
        due
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_due_after_many_ended_runs_and_then_again() {
        let mut housekeeping = Housekeeping::new(Duration::from_secs(60));
        for _ in 0..3 {
            assert!(!housekeeping.is_due(EVERY - 1));
            assert!(housekeeping.is_due(1));
        }
    }

    #[test]
    fn what_is_older_than_its_length_goes() {
        let now = Timestamp::from_second(1_800_000_000).unwrap();
        let kept = Housekeeping::new(Duration::from_secs(60)).retention(now);
        assert_eq!(kept.before, Timestamp::from_second(1_799_999_940).unwrap());
        assert_eq!(kept.most, MOST);
        let all = Housekeeping::new(Duration::MAX).retention(now);
        assert_eq!(all.before, Timestamp::MIN);
    }
}
