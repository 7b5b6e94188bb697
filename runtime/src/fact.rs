//! What is known of the system, and how surely.

use bgtask_model::Truth;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

/// A source's word on one fact.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "certainty", content = "value")]
pub enum Reading {
    /// Nobody can say at the moment.
    Unknown,
    /// Inferred: a default route exists, but nothing was tried.
    Guess(bool),
    /// Stated by a service that checks.
    Known(bool),
}

impl Reading {
    /// Its truth: a guess counts as its value.
    #[must_use]
    pub const fn truth(self) -> Truth {
        match self {
            Self::Unknown => Truth::Unknown,
            Self::Guess(true) | Self::Known(true) => Truth::True,
            Self::Guess(false) | Self::Known(false) => Truth::False,
        }
    }

    /// What it says, guess or not.
    pub(crate) const fn value(self) -> Option<bool> {
        match self {
            Self::Unknown => None,
            Self::Guess(value) | Self::Known(value) => Some(value),
        }
    }
}

/// One fact, who said so and since when.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Fact {
    /// The value, and how sure it is.
    pub reading: Reading,
    /// `network_manager`, `netlink`, `policy` (the user's), `upower`, `power_profiles`,
    /// `power_supply`, `logind`, `users` (its files), `file_system`, `pressure` (the
    /// kernel's, of memory), `load_average`, `condition`, or `injected` by a test.
    pub source: String,
    /// When it took this value.
    pub since: Timestamp,
}
