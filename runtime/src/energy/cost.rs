//! What work costs.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::{
    Power,
    power::{LOW, value},
};
use crate::Reading;

/// What work in the background costs now: a hint, from [`App::work_cost`](crate::App::work_cost).
///
/// | power | cost |
/// |---|---|
/// | mains, or no battery | low |
/// | battery of 20 % or more, the user there or nobody can tell | medium |
/// | battery, the user away | high |
/// | battery below 20 % | high |
/// | battery, and the energy saver is on | high |
///
/// What is not known does not raise the cost. While it is not known whether the machine runs on its
/// battery, the cost is not known.
///
/// Windows: [`BackgroundWorkCostValue`](https://learn.microsoft.com/uwp/api/windows.applicationmodel.background.backgroundworkcostvalue).
///
/// ```
/// use bgtask::WorkCost;
///
/// assert!(WorkCost::Medium < WorkCost::High);
/// assert_eq!(WorkCost::High.to_string(), "high");
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum WorkCost {
    /// Work freely.
    Low,
    /// Do what cannot wait.
    Medium,
    /// Do nothing that can wait.
    High,
}

impl WorkCost {
    /// The cost; `None` while it is not known whether the machine runs on its battery.
    pub(crate) fn of(power: &Power, user_there: Reading) -> Option<Self> {
        let low = power.charge.is_some_and(|charge| charge < LOW);
        let saving = power.is_saving();
        let away = value(user_there) == Some(false);
        Some(match value(power.on_battery)? {
            false => Self::Low,
            true if low || saving || away => Self::High,
            true => Self::Medium,
        })
    }
}

impl fmt::Display for WorkCost {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Low => "low",
            Self::Medium => "medium",
            Self::High => "high",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use Reading::{Guess, Known, Unknown};

    #[test]
    fn what_work_costs() {
        let (yes, no) = (Known(true), Known(false));
        for (on_battery, charge, saver, there, cost) in [
            (no, None, no, no, Some(WorkCost::Low)),
            (no, Some(3.0), yes, no, Some(WorkCost::Low)),
            (Guess(false), None, Unknown, Unknown, Some(WorkCost::Low)),
            (yes, Some(80.0), no, yes, Some(WorkCost::Medium)),
            (yes, Some(20.0), no, Unknown, Some(WorkCost::Medium)),
            (yes, None, Unknown, Unknown, Some(WorkCost::Medium)),
            (yes, Some(19.9), no, yes, Some(WorkCost::High)),
            (yes, Some(80.0), yes, yes, Some(WorkCost::High)),
            (yes, Some(80.0), Guess(true), yes, Some(WorkCost::High)),
            (yes, Some(80.0), no, no, Some(WorkCost::High)),
            (Unknown, Some(5.0), yes, no, None),
        ] {
            let power = Power {
                on_battery,
                charge,
                saver,
            };
            assert_eq!(WorkCost::of(&power, there), cost, "{power:?} {there:?}");
        }
    }
}
