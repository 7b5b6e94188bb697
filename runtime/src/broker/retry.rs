//! When a failed run is tried again.

use std::time::Duration;

use bgtask_model::{Backoff, Retry};
use jiff::{SignedDuration, Timestamp};

use crate::{ActivationId, KillCause, Outcome};

/// When to try again after attempt number `attempt` (1 is the first); `None` is not at all. A run
/// that was asked to stop is not tried again, also when it had to be killed for that.
pub(super) fn retry_at(
    retry: Option<&Retry>,
    outcome: &Outcome,
    attempt: u32,
    activation: ActivationId,
    now: Timestamp,
) -> Option<Timestamp> {
    let retry = retry?;
    let failed = matches!(
        outcome,
        Outcome::Failed { .. } | Outcome::Panicked { .. } | Outcome::Killed { .. }
    );
    let asked = matches!(
        outcome,
        Outcome::Killed {
            cause: KillCause::Grace { .. }
        }
    );
    if !failed || asked || attempt > retry.max {
        return None;
    }
    let wait = match &retry.backoff {
        Backoff::Fixed(wait) => *wait,
        Backoff::Exponential { first, max, jitter } => {
            let doubled = 1_u32
                .checked_shl(attempt - 1)
                .map_or(*max, |factor| first.saturating_mul(factor))
                .min(*max);
            if *jitter {
                spread(doubled, activation, attempt)
            } else {
                doubled
            }
        }
    };
    let wait = SignedDuration::try_from(wait).ok()?;
    Some(now.saturating_add(wait).unwrap_or(Timestamp::MAX))
}

/// Between half of the wait and all of it, the same for the same activation and attempt, so that
/// a repeated decision is the same decision.
fn spread(wait: Duration, activation: ActivationId, attempt: u32) -> Duration {
    use std::hash::{DefaultHasher, Hash, Hasher};
    let mut hasher = DefaultHasher::new();
    (activation.as_bytes(), attempt).hash(&mut hasher);
    let part = f64::from(u32::try_from(hasher.finish() >> 32).unwrap_or(0)) / f64::from(u32::MAX);
    wait.mul_f64(0.5 + part / 2.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn failed() -> Outcome {
        Outcome::Failed {
            error: "no".to_owned(),
        }
    }

    fn waits(backoff: Backoff, max: u32) -> Vec<Option<i64>> {
        let retry = Retry { max, backoff };
        let now = Timestamp::UNIX_EPOCH;
        (1..=5)
            .map(|attempt| {
                retry_at(Some(&retry), &failed(), attempt, ActivationId::now(), now)
                    .map(Timestamp::as_second)
            })
            .collect()
    }

    #[test]
    fn a_fixed_backoff_waits_the_same_each_time_until_the_last() {
        let fixed = Backoff::Fixed(Duration::from_secs(10));
        assert_eq!(waits(fixed, 3), [Some(10), Some(10), Some(10), None, None]);
    }

    #[test]
    fn an_exponential_backoff_doubles_up_to_its_maximum() {
        let exponential = Backoff::Exponential {
            first: Duration::from_secs(1),
            max: Duration::from_secs(5),
            jitter: false,
        };
        assert_eq!(
            waits(exponential, 10),
            [Some(1), Some(2), Some(4), Some(5), Some(5)]
        );
    }

    #[test]
    fn jitter_stays_between_half_and_all_and_repeats_itself() {
        let activation = ActivationId::now();
        let wait = spread(Duration::from_secs(8), activation, 2);
        assert!(wait >= Duration::from_secs(4) && wait <= Duration::from_secs(8));
        assert_eq!(wait, spread(Duration::from_secs(8), activation, 2));
    }

    #[test]
    fn only_failures_are_tried_again() {
        let retry = Retry {
            max: 3,
            backoff: Backoff::Fixed(Duration::from_secs(1)),
        };
        let cancelled = Outcome::Cancelled {
            reason: crate::CancelReason::Abort,
            overrun: false,
        };
        let now = Timestamp::UNIX_EPOCH;
        let id = ActivationId::now();
        assert_eq!(retry_at(Some(&retry), &cancelled, 1, id, now), None);
        let grace = Duration::from_secs(1);
        let killed = |cause| Outcome::Killed { cause };
        let asked = killed(KillCause::Grace {
            reason: crate::CancelReason::Abort,
            grace,
        });
        assert_eq!(retry_at(Some(&retry), &asked, 1, id, now), None);
        let slow = killed(KillCause::WallTime {
            limit: grace,
            grace,
        });
        assert!(retry_at(Some(&retry), &slow, 1, id, now).is_some());
        assert_eq!(retry_at(None, &failed(), 1, id, now), None);
    }
}
