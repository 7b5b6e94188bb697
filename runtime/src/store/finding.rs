//! What an examination of a store finds.

use serde::{Deserialize, Serialize};

/// Something that an examination of a store found ([`Offline::check`](crate::inspect::Offline::check)).
///
/// Windows has no counterpart: what it keeps about background tasks cannot be examined.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Finding {
    /// How bad it is.
    pub severity: Severity,
    /// What was found.
    pub what: String,
    /// What to do about it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub remedy: Option<String>,
}

/// How bad a [`Finding`] is; the later, the worse.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Severity {
    /// Good to know: how much there is.
    Info,
    /// It works, but something needs a look: a task in quarantine, an activation that nobody will
    /// start.
    Warning,
    /// Something that is kept cannot be read, or contradicts itself.
    Fault,
}

impl Finding {
    pub(super) fn info(what: impl Into<String>) -> Self {
        Self::new(Severity::Info, what, None)
    }

    pub(super) fn warning(what: impl Into<String>, remedy: &str) -> Self {
        Self::new(Severity::Warning, what, Some(remedy))
    }

    pub(super) fn fault(what: impl Into<String>, remedy: &str) -> Self {
        Self::new(Severity::Fault, what, Some(remedy))
    }

    fn new(severity: Severity, what: impl Into<String>, remedy: Option<&str>) -> Self {
        Self {
            severity,
            what: what.into(),
            remedy: remedy.map(str::to_owned),
        }
    }
}
