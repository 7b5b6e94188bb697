//! From what the files say and what was requested to a status. Pure.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::{AccessKind, AccessStatus, Answer, Consent, Ruling};
use crate::Profile;

/// What came of the last request, as it is kept with the app.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Grant {
    /// What it gave; `Unspecified` after the app gave its access back.
    pub(crate) status: AccessStatus,
    /// What was requested.
    pub(crate) kind: AccessKind,
    /// The user was asked, and said so.
    pub(crate) asked: bool,
    /// The version of the app that requested it.
    pub(crate) version: String,
    /// When.
    pub(crate) at: Timestamp,
}

/// Who an app is to the policy.
#[derive(Clone, Copy, Debug)]
pub(super) struct Applicant<'a> {
    pub(super) profile: Profile,
    pub(super) version: &'a str,
}

impl Applicant<'_> {
    /// The grant, unless it was for another version: Windows wants access to be requested again
    /// after an update.
    fn valid<'g>(&self, grant: Option<&'g Grant>) -> Option<&'g Grant> {
        grant.filter(|grant| match self.profile {
            Profile::Default => true,
            Profile::Windows => grant.version == self.version,
        })
    }
}

/// The status of an app.
///
/// A no in a file counts always. Access that was given back is not there until it is requested,
/// and under Windows' rules so is access that nobody requested, or another version of the app.
/// Else a file that says yes counts, and the user's own answer where the files leave it open.
pub(super) fn decide(
    ruling: &Ruling,
    grant: Option<&Grant>,
    applicant: Applicant<'_>,
) -> AccessStatus {
    use AccessStatus::{
        AllowedSubjectToSystemPolicy, AlwaysAllowed, DeniedBySystemPolicy, DeniedByUser,
        Unspecified,
    };

    let answer = ruling.answer();
    if answer == Some(Answer::Deny) {
        let system = ruling.origin().is_some_and(|origin| origin.system);
        return if system {
            DeniedBySystemPolicy
        } else {
            DeniedByUser
        };
    }
    let grant = applicant.valid(grant);
    match (answer, grant) {
        (_, Some(grant)) if grant.status == Unspecified => Unspecified,
        (_, None) if applicant.profile == Profile::Windows => Unspecified,
        (Some(Answer::Always), _) => AlwaysAllowed,
        (Some(Answer::Allow), _) => AllowedSubjectToSystemPolicy,
        (Some(_), Some(grant)) if grant.asked => capped(ruling, grant.status),
        (Some(_), _) => Unspecified,
        (None, Some(grant)) => capped(ruling, grant.status),
        (None, None) => AllowedSubjectToSystemPolicy,
    }
}

fn capped(ruling: &Ruling, status: AccessStatus) -> AccessStatus {
    match status {
        AccessStatus::AlwaysAllowed if !ruling.may_be_always() => {
            AccessStatus::AllowedSubjectToSystemPolicy
        }
        status => status,
    }
}

/// Whether a request is for the user to decide: the files leave it open, and the user was not
/// asked the same before.
pub(super) fn must_ask(
    ruling: &Ruling,
    grant: Option<&Grant>,
    kind: AccessKind,
    applicant: Applicant<'_>,
) -> bool {
    let answered = applicant.valid(grant).is_some_and(|grant| {
        let given_back = grant.status == AccessStatus::Unspecified;
        grant.asked && !given_back && (grant.kind == kind || grant.status.grants(kind))
    });
    match ruling.answer() {
        Some(Answer::Ask) => !answered,
        // Allowed anyway; more than that is for the user to say.
        None => kind == AccessKind::AlwaysAllowed && !answered,
        Some(_) => false,
    }
}

/// What a request leaves behind: `consent` is what the user said, if it was for them to say.
/// `None`: the request was not granted by anybody, and what was there stays.
pub(super) fn after(
    ruling: &Ruling,
    grant: Option<&Grant>,
    kind: AccessKind,
    consent: Option<Consent>,
    applicant: Applicant<'_>,
    at: Timestamp,
) -> Option<Grant> {
    let before = applicant.valid(grant);
    let kept = before.filter(|grant| grant.status != AccessStatus::Unspecified);
    let left = |status, asked| {
        Some(Grant {
            status,
            kind,
            asked,
            version: applicant.version.to_owned(),
            at,
        })
    };
    let allowed = AccessStatus::AllowedSubjectToSystemPolicy;
    match (ruling.answer(), consent) {
        (Some(Answer::Deny), _) => None,
        (_, Some(Consent::Granted)) => left(kind.status(), true),
        // A no to more leaves what there was.
        (None, Some(Consent::Refused)) => left(allowed, true),
        (_, Some(Consent::Refused)) => {
            let was = kept.is_some_and(|grant| grant.asked && grant.status.is_allowed());
            left(
                if was {
                    allowed
                } else {
                    AccessStatus::DeniedByUser
                },
                true,
            )
        }
        // Nobody could say yes.
        (Some(Answer::Ask), _) => None,
        _ if kept.is_some() => None,
        // What a file says is not copied: the file may say something else tomorrow.
        _ => left(allowed, false),
    }
}

#[cfg(test)]
#[path = "grant_tests.rs"]
mod tests;
