//! What an app may do, and what it may ask for.

use std::fmt;

use serde::{Deserialize, Serialize};

/// Whether an app may work in the background.
///
/// Windows: [`BackgroundAccessStatus`](https://learn.microsoft.com/uwp/api/windows.applicationmodel.background.backgroundaccessstatus).
/// Its three other values, `AllowedWithAlwaysOnRealTimeConnectivity`,
/// `AllowedMayUseActiveRealTimeConnectivity` and `Denied`, are deprecated there and do not exist
/// here.
///
/// ```
/// use bgtask::access::AccessStatus;
///
/// assert!(AccessStatus::AllowedSubjectToSystemPolicy.is_allowed());
/// assert!(!AccessStatus::Unspecified.is_allowed());
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum AccessStatus {
    /// Nobody has decided: access has to be requested, or was given back.
    Unspecified,
    /// It may, also while the system saves energy.
    AlwaysAllowed,
    /// It may, unless the system saves energy.
    AllowedSubjectToSystemPolicy,
    /// The administrator of the system said no.
    DeniedBySystemPolicy,
    /// The user said no.
    DeniedByUser,
}

impl AccessStatus {
    /// Whether tasks run.
    #[must_use]
    pub const fn is_allowed(self) -> bool {
        matches!(
            self,
            Self::AlwaysAllowed | Self::AllowedSubjectToSystemPolicy
        )
    }

    /// Whether this is what a request of that kind asks for, or more.
    #[must_use]
    pub const fn grants(self, kind: AccessKind) -> bool {
        match kind {
            AccessKind::AlwaysAllowed => matches!(self, Self::AlwaysAllowed),
            AccessKind::AllowedSubjectToSystemPolicy => self.is_allowed(),
        }
    }

    /// The stable text, as JSON output holds it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Unspecified => "unspecified",
            Self::AlwaysAllowed => "always_allowed",
            Self::AllowedSubjectToSystemPolicy => "allowed_subject_to_system_policy",
            Self::DeniedBySystemPolicy => "denied_by_system_policy",
            Self::DeniedByUser => "denied_by_user",
        }
    }
}

/// For people: `denied by the user`.
impl fmt::Display for AccessStatus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Unspecified => "not requested",
            Self::AlwaysAllowed => "always allowed",
            Self::AllowedSubjectToSystemPolicy => "allowed",
            Self::DeniedBySystemPolicy => "denied by the administrator",
            Self::DeniedByUser => "denied by the user",
        })
    }
}

/// What an app asks for with [`App::request_access`](crate::App::request_access).
///
/// Windows: [`BackgroundAccessRequestKind`](https://learn.microsoft.com/uwp/api/windows.applicationmodel.background.backgroundaccessrequestkind).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum AccessKind {
    /// To work also while the system saves energy.
    AlwaysAllowed,
    /// To work unless the system saves energy.
    AllowedSubjectToSystemPolicy,
}

impl AccessKind {
    /// The status when it is granted.
    #[must_use]
    pub const fn status(self) -> AccessStatus {
        match self {
            Self::AlwaysAllowed => AccessStatus::AlwaysAllowed,
            Self::AllowedSubjectToSystemPolicy => AccessStatus::AllowedSubjectToSystemPolicy,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use AccessStatus::{
        AllowedSubjectToSystemPolicy, AlwaysAllowed, DeniedBySystemPolicy, DeniedByUser,
        Unspecified,
    };

    #[test]
    fn each_status_has_its_meaning_and_its_text() {
        for (status, allowed, always, text) in [
            (Unspecified, false, false, "unspecified"),
            (AlwaysAllowed, true, true, "always_allowed"),
            (
                AllowedSubjectToSystemPolicy,
                true,
                false,
                "allowed_subject_to_system_policy",
            ),
            (
                DeniedBySystemPolicy,
                false,
                false,
                "denied_by_system_policy",
            ),
            (DeniedByUser, false, false, "denied_by_user"),
        ] {
            assert_eq!(status.is_allowed(), allowed, "{status}");
            let subject = AccessKind::AllowedSubjectToSystemPolicy;
            assert_eq!(status.grants(subject), allowed, "{status}");
            assert_eq!(status.grants(AccessKind::AlwaysAllowed), always, "{status}");
            assert_eq!(status.as_str(), text);
            assert_eq!(serde_json::to_value(status).unwrap(), text);
        }
    }

    #[test]
    fn a_kind_that_is_granted_is_what_was_asked_for() {
        for kind in [
            AccessKind::AlwaysAllowed,
            AccessKind::AllowedSubjectToSystemPolicy,
        ] {
            assert!(kind.status().grants(kind));
        }
    }
}
