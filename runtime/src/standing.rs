//! Whether a registration may fire and start, beside what its declaration says.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

/// Whether a registration may fire and start. It is kept with the registration, survives restarts,
/// and what the user chose also survives a changed declaration.
///
/// Windows has no counterpart for one task: there a registration is removed and made again.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "standing", rename_all = "snake_case")]
#[non_exhaustive]
pub enum Standing {
    /// It fires and starts.
    #[default]
    Enabled,
    /// It fires, and what fired is held until it is resumed.
    Paused {
        /// Since when.
        since: Timestamp,
    },
    /// Its trigger does not count, and what waits or is fired by hand is held until it is enabled
    /// again.
    Disabled {
        /// Since when.
        since: Timestamp,
    },
    /// It can do neither, because what it names is not there.
    Quarantined {
        /// Since when.
        since: Timestamp,
        /// What is missing.
        reason: String,
    },
}
