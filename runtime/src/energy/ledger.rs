//! How much of its budget an app has used.
//!
//! What is kept are whole hours; what is asked for is the last hour. Of the hour before the present
//! one, as much counts as lies within the last sixty minutes:
//!
//! ```text
//! used(now)  = C + P * (1 - f)
//! rate(now)  = (C + P) / (1 + f)
//! ```
//!
//! C and P are the CPU time on battery in the present hour and in the one before, f is the part of
//! the present hour that has passed. Both move without a jump when an hour begins.

use std::{collections::BTreeMap, fmt, time::Duration};

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

const HOUR: i64 = 3600;

/// How much of its energy budget an app has used in the last hour on battery.
///
/// Windows: [`EnergyUseLevel`](https://learn.microsoft.com/uwp/api/windows.applicationmodel.background.energyuselevel).
///
/// ```
/// use bgtask::EnergyLevel;
///
/// assert!(EnergyLevel::OverHalf < EnergyLevel::OverBudget);
/// assert_eq!(EnergyLevel::OverBudget.to_string(), "over budget");
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum EnergyLevel {
    /// There is no budget.
    Unknown,
    /// Less than half of it.
    UnderHalf,
    /// Half of it or more.
    OverHalf,
    /// All of it: on battery, tasks without `standby` are held.
    OverBudget,
}

impl fmt::Display for EnergyLevel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Unknown => "unknown",
            Self::UnderHalf => "under half",
            Self::OverHalf => "over half",
            Self::OverBudget => "over budget",
        })
    }
}

/// What a task used in an hour.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Use {
    pub(crate) task: String,
    /// A time within the hour; hours are those of UTC.
    pub(crate) hour: Timestamp,
    /// CPU time while the machine ran on its battery.
    pub(crate) on_battery: Duration,
}

impl Use {
    /// Whether that time is within its hour.
    pub(crate) fn is_in_the_hour_of(&self, at: Timestamp) -> bool {
        hour(self.hour) == hour(at)
    }
}

/// What an app has used of its budget, as it is at one time.
#[derive(Clone, Debug)]
pub(crate) struct Ledger {
    /// CPU time per hour on battery.
    budget: Option<Duration>,
    now: Timestamp,
    /// By task: in the present hour, and in the one before, in seconds.
    tasks: BTreeMap<String, (f64, f64)>,
}

impl Ledger {
    /// What is older than the hour before the present one does not count, and need not be given.
    pub(crate) fn new(
        uses: impl IntoIterator<Item = Use>,
        budget: Option<Duration>,
        now: Timestamp,
    ) -> Self {
        let mut tasks: BTreeMap<String, (f64, f64)> = BTreeMap::new();
        for one in uses {
            let (present, before) = tasks.entry(one.task).or_default();
            match hour(now) - hour(one.hour) {
                0 => *present += one.on_battery.as_secs_f64(),
                1 => *before += one.on_battery.as_secs_f64(),
                _ => {}
            }
        }
        Self { budget, now, tasks }
    }

    /// From when on uses count: the beginning of the hour before the present one.
    pub(crate) fn since(now: Timestamp) -> Timestamp {
        beginning(hour(now) - 1)
    }

    /// How much of the budget was used in the last hour.
    pub(crate) fn level(&self) -> EnergyLevel {
        let (present, before) = self.total();
        self.judge(present + before * (1.0 - self.passed()))
    }

    /// How much of the budget an hour uses if the app goes on as in this hour and the one before.
    pub(crate) fn prediction(&self) -> EnergyLevel {
        let (present, before) = self.total();
        self.judge((present + before) / (1.0 + self.passed()))
    }

    /// A task's part of the predicted use, 0 to 100 percent. `None`: there is no budget.
    pub(crate) fn contribution(&self, task: &str) -> Option<f64> {
        self.budget?;
        let (present, before) = self.total();
        let all = present + before;
        let own = self.tasks.get(task).map_or(0.0, |own| own.0 + own.1);
        Some(if all > 0.0 { 100.0 * own / all } else { 0.0 })
    }

    /// When it is no longer over its budget if it uses nothing more; `None`: it is not over it, or
    /// has none at all to use.
    pub(crate) fn until(&self) -> Option<Timestamp> {
        let budget = self.budget?.as_secs_f64();
        if self.level() != EnergyLevel::OverBudget || budget == 0.0 {
            return None;
        }
        let (present, before) = self.total();
        // In this hour, as what the last one used moves out of sight; else in the next one.
        let (hours, left, moving) = if present < budget {
            (0, budget - present, before)
        } else {
            (1, budget, present)
        };
        let passed = 1.0 - left / moving;
        let start = beginning(hour(self.now) + hours);
        let wait = SignedDuration::try_from_secs_f64(passed * HOUR as f64).ok()?;
        // Whole milliseconds, and the one after: at that time it is below, not at the budget.
        let wait = SignedDuration::from_millis(i64::try_from(wait.as_millis()).ok()? + 1);
        start.checked_add(wait).ok()
    }

    fn judge(&self, used: f64) -> EnergyLevel {
        let Some(budget) = self.budget else {
            return EnergyLevel::Unknown;
        };
        let budget = budget.as_secs_f64();
        if used >= budget {
            EnergyLevel::OverBudget
        } else if used >= budget / 2.0 {
            EnergyLevel::OverHalf
        } else {
            EnergyLevel::UnderHalf
        }
    }

    fn total(&self) -> (f64, f64) {
        let sum = |sum: (f64, f64), own: &(f64, f64)| (sum.0 + own.0, sum.1 + own.1);
        self.tasks.values().fold((0.0, 0.0), sum)
    }

    /// The part of the present hour that has passed, below 1.
    fn passed(&self) -> f64 {
        let into = self.now.duration_since(beginning(hour(self.now)));
        into.as_secs_f64() / HOUR as f64
    }
}

/// The number of an hour.
fn hour(at: Timestamp) -> i64 {
    at.as_second().div_euclid(HOUR)
}

/// When an hour begins.
fn beginning(hour: i64) -> Timestamp {
    Timestamp::from_second(hour.saturating_mul(HOUR)).unwrap_or(Timestamp::MIN)
}

#[cfg(test)]
mod tests {
    use super::*;
    use EnergyLevel::{OverBudget, OverHalf, UnderHalf, Unknown};

    fn at(text: &str) -> Timestamp {
        format!("2026-01-02T{text}Z").parse().unwrap()
    }

    fn used(task: &str, hour: &str, seconds: u64) -> Use {
        Use {
            task: task.to_owned(),
            hour: at(hour),
            on_battery: Duration::from_secs(seconds),
        }
    }

    /// Of a budget of 60 s an hour: what was used at 10 and at 11 o'clock, looked at at this time.
    fn ledger(before: u64, present: u64, now: &str) -> Ledger {
        let uses = [
            used("a", "10:00:00", before),
            used("a", "11:00:00", present),
        ];
        Ledger::new(uses, Some(Duration::from_secs(60)), at(now))
    }

    #[test]
    fn the_last_hour_is_what_counts() {
        for (before, present, now, level, prediction) in [
            (0, 0, "11:00:00", UnderHalf, UnderHalf),
            (29, 0, "11:00:00", UnderHalf, UnderHalf),
            (30, 0, "11:00:00", OverHalf, OverHalf),
            (59, 0, "11:00:00", OverHalf, OverHalf),
            (60, 0, "11:00:00", OverBudget, OverBudget),
            // Half of the hour before is out of sight.
            (60, 0, "11:30:00", OverHalf, OverHalf),
            (60, 29, "11:30:00", OverHalf, OverHalf),
            (60, 30, "11:30:00", OverBudget, OverBudget),
            (60, 0, "11:45:00", UnderHalf, OverHalf),
            // All of the present hour counts, and what it will use more does not.
            (0, 59, "11:01:00", OverHalf, OverHalf),
            (0, 60, "11:01:00", OverBudget, OverHalf),
            // Two hours ago nothing happened.
            (60, 0, "12:00:00", UnderHalf, UnderHalf),
            (0, 40, "12:00:00", OverHalf, OverHalf),
            (60, 60, "13:00:00", UnderHalf, UnderHalf),
        ] {
            let ledger = ledger(before, present, now);
            let found = (ledger.level(), ledger.prediction());
            assert_eq!(found, (level, prediction), "{before} {present} {now}");
        }
    }

    #[test]
    fn without_a_budget_nothing_is_known_and_without_energy_everything_is_over() {
        let none = Ledger::new([used("a", "11:00:00", 5)], None, at("11:30:00"));
        assert_eq!((none.level(), none.prediction()), (Unknown, Unknown));
        assert_eq!((none.contribution("a"), none.until()), (None, None));
        let zero = Ledger::new([], Some(Duration::ZERO), at("11:30:00"));
        assert_eq!((zero.level(), zero.until()), (OverBudget, None));
    }

    #[test]
    fn tasks_share_the_prediction() {
        let uses = [
            used("a", "10:00:00", 10),
            used("a", "11:59:59", 20),
            used("b", "11:00:00", 10),
            used("old", "09:59:59", 1000),
        ];
        let budget = Some(Duration::from_secs(60));
        let ledger = Ledger::new(uses, budget, at("11:15:00"));
        let parts = ["a", "b", "old", "unknown"].map(|task| ledger.contribution(task));
        assert_eq!(parts, [Some(75.0), Some(25.0), Some(0.0), Some(0.0)]);
        let idle = Ledger::new([], budget, at("11:15:00"));
        assert_eq!(idle.contribution("a"), Some(0.0));
        assert_eq!(Ledger::since(at("11:15:00")), at("10:00:00"));
    }

    #[test]
    fn who_is_over_the_budget_is_told_until_when() {
        for (before, present, now, until) in [
            (0, 59, "11:30:00", None),
            // 120 s of the hour before: below 60 after half of this one.
            (120, 0, "11:00:00", Some("11:30:00.001")),
            // 20 s are left of the budget, 80 s were used before: three quarters of the hour.
            (80, 40, "11:10:00", Some("11:45:00.001")),
            // This hour alone uses all of it: it has to move out of sight itself.
            (0, 90, "11:59:00", Some("12:20:00.001")),
            (500, 60, "11:00:00", Some("12:00:00.001")),
        ] {
            let ledger = ledger(before, present, now);
            assert_eq!(ledger.until(), until.map(at), "{before} {present} {now}");
            let Some(until) = ledger.until() else {
                continue;
            };
            let uses = || {
                [
                    used("a", "10:00:00", before),
                    used("a", "11:00:00", present),
                ]
            };
            let level = |now| Ledger::new(uses(), Some(Duration::from_secs(60)), now).level();
            assert_eq!(
                level(until - Duration::from_millis(2)),
                OverBudget,
                "{until}"
            );
            assert_eq!(level(until), OverHalf, "{until}");
        }
    }

    #[test]
    fn nothing_jumps_when_an_hour_begins() {
        for (before, present) in [(10, 50), (0, 60), (70, 3)] {
            let last = ledger(before, present, "11:59:59.999999");
            let uses = [used("a", "11:00:00", present)];
            let first = Ledger::new(uses, last.budget, at("12:00:00"));
            assert_eq!(last.level(), first.level(), "{before} {present}");
        }
    }
}
