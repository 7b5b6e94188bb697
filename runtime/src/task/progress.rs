//! How far a run is.

use serde::{Deserialize, Serialize};

/// How far a run is: the last value it reported.
///
/// ```
/// # let task = |done, total| bgtask::Progress { sequence: 1, done, total, message: None };
/// assert_eq!(task(1, 4).percent(), Some(25));
/// assert_eq!(task(7, 0).percent(), None, "the total is not known");
/// ```
///
/// Values may be skipped under load, never reordered; the last one is delivered before the
/// run's completion.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Progress {
    /// Grows with each report of the run; 0 before the first.
    pub sequence: u64,
    /// How much is done, in units of the task's choice.
    pub done: u64,
    /// How much there is; 0 when not known.
    pub total: u64,
    /// What it is doing.
    pub message: Option<String>,
}

impl Progress {
    /// Percent done, 0 to 100; `None` while the total is not known.
    #[must_use]
    pub fn percent(&self) -> Option<u32> {
        (self.total > 0).then(|| {
            let percent = u128::from(self.done) * 100 / u128::from(self.total);
            u32::try_from(percent.min(100)).unwrap_or(100)
        })
    }
}
