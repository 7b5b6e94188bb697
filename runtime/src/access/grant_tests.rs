//! Every rule of a status, and what requests lead to.

use std::path::PathBuf;

use super::*;
use crate::access::{Origin, file::Said};
use AccessKind::{AllowedSubjectToSystemPolicy as Subject, AlwaysAllowed as Always};
use AccessStatus::{
    AllowedSubjectToSystemPolicy as Allowed, AlwaysAllowed, DeniedBySystemPolicy, DeniedByUser,
    Unspecified,
};

const NONE: Option<Answer> = None;

fn ruling(system: Option<Answer>, user: Option<Answer>) -> Ruling {
    let said = |answer: Option<Answer>, system| {
        let file = PathBuf::from("/f");
        let line = 1;
        answer.map(|value| Said {
            value,
            origin: Origin { file, line, system },
        })
    };
    Ruling {
        system: said(system, true),
        user: said(user, false),
    }
}

/// An app, and what is kept of its requests.
struct App {
    profile: Profile,
    version: &'static str,
    grant: Option<Grant>,
}

impl App {
    fn new(profile: Profile) -> Self {
        Self {
            profile,
            version: "1.0.0",
            grant: None,
        }
    }

    fn applicant(&self) -> Applicant<'_> {
        Applicant {
            profile: self.profile,
            version: self.version,
        }
    }

    fn status(&self, ruling: &Ruling) -> AccessStatus {
        decide(ruling, self.grant.as_ref(), self.applicant())
    }

    /// Requests; the user, if they are asked, says `consent`. Gives the status, and whether they
    /// were asked.
    fn request(
        &mut self,
        ruling: &Ruling,
        kind: AccessKind,
        consent: Consent,
    ) -> (AccessStatus, bool) {
        let grant = self.grant.as_ref();
        let asked = must_ask(ruling, grant, kind, self.applicant());
        let at = Timestamp::UNIX_EPOCH;
        let consent = asked.then_some(consent);
        if let Some(left) = after(ruling, grant, kind, consent, self.applicant(), at) {
            self.grant = Some(left);
        }
        (self.status(ruling), asked)
    }

    fn give_back(&mut self) {
        self.grant = Some(Grant {
            status: Unspecified,
            kind: Subject,
            asked: false,
            version: self.version.to_owned(),
            at: Timestamp::UNIX_EPOCH,
        });
    }
}

#[test]
fn without_a_request_an_app_is_allowed_unless_a_file_says_otherwise() {
    use Answer::{Allow, Always, Ask, Deny};
    for (system, user, expected) in [
        (NONE, NONE, Allowed),
        (NONE, Some(Deny), DeniedByUser),
        (NONE, Some(Ask), Unspecified),
        (NONE, Some(Allow), Allowed),
        (NONE, Some(Always), AlwaysAllowed),
        (Some(Deny), NONE, DeniedBySystemPolicy),
        (Some(Deny), Some(Always), DeniedBySystemPolicy),
        (Some(Deny), Some(Deny), DeniedByUser),
        (Some(Ask), Some(Allow), Unspecified),
        (Some(Allow), Some(Always), Allowed),
        (Some(Allow), Some(Deny), DeniedByUser),
        (Some(Always), NONE, AlwaysAllowed),
        (Some(Always), Some(Allow), Allowed),
    ] {
        let ruling = ruling(system, user);
        let app = App::new(Profile::default());
        assert_eq!(app.status(&ruling), expected, "{system:?} {user:?}");
        // Under Windows' rules only a no comes before the request.
        let app = App::new(Profile::windows());
        let denied = [DeniedByUser, DeniedBySystemPolicy].contains(&expected);
        let expected = if denied { expected } else { Unspecified };
        assert_eq!(app.status(&ruling), expected, "{system:?} {user:?}");
    }
}

#[test]
fn a_request_gives_what_the_files_say_and_asks_nobody() {
    use Answer::{Allow, Deny};
    for profile in [Profile::default(), Profile::windows()] {
        for kind in [Subject, Always] {
            for (answer, expected) in [
                (Deny, DeniedByUser),
                (Allow, Allowed),
                (Answer::Always, AlwaysAllowed),
            ] {
                let mut app = App::new(profile);
                let ruling = ruling(NONE, Some(answer));
                let got = app.request(&ruling, kind, Consent::Granted);
                assert_eq!(got, (expected, false), "{answer:?} {kind:?}");
            }
        }
    }
}

#[test]
fn what_the_files_leave_open_is_for_the_user_to_say() {
    let ask = ruling(NONE, Some(Answer::Ask));
    let open = ruling(NONE, NONE);
    use Consent::{Granted, NotAsked, Refused};
    for (ruling, kind, consent, expected) in [
        (&ask, Subject, Granted, (Allowed, true)),
        (&ask, Subject, Refused, (DeniedByUser, true)),
        (&ask, Subject, NotAsked, (Unspecified, true)),
        (&ask, Always, Granted, (AlwaysAllowed, true)),
        (&ask, Always, Refused, (DeniedByUser, true)),
        (&ask, Always, NotAsked, (Unspecified, true)),
        (&open, Subject, Refused, (Allowed, false)),
        (&open, Always, Granted, (AlwaysAllowed, true)),
        (&open, Always, Refused, (Allowed, true)),
        (&open, Always, NotAsked, (Allowed, true)),
    ] {
        for profile in [Profile::default(), Profile::windows()] {
            let mut app = App::new(profile);
            let got = app.request(ruling, kind, consent);
            assert_eq!(got, expected, "{kind:?} {consent:?} {profile:?}");
        }
    }
}

#[test]
fn who_answered_is_not_asked_the_same_again() {
    let ask = ruling(NONE, Some(Answer::Ask));
    let mut app = App::new(Profile::default());
    assert_eq!(
        app.request(&ask, Subject, Consent::NotAsked),
        (Unspecified, true)
    );
    assert_eq!(
        app.request(&ask, Subject, Consent::Granted),
        (Allowed, true)
    );
    assert_eq!(
        app.request(&ask, Subject, Consent::Refused),
        (Allowed, false)
    );
    // More is another question, and a no to it leaves what there was.
    assert_eq!(app.request(&ask, Always, Consent::Refused), (Allowed, true));
    assert_eq!(
        app.request(&ask, Always, Consent::Granted),
        (Allowed, false)
    );

    let mut app = App::new(Profile::default());
    assert_eq!(
        app.request(&ask, Always, Consent::Granted),
        (AlwaysAllowed, true)
    );
    assert_eq!(
        app.request(&ask, Subject, Consent::Refused),
        (AlwaysAllowed, false)
    );

    let mut app = App::new(Profile::default());
    assert_eq!(
        app.request(&ask, Subject, Consent::Refused),
        (DeniedByUser, true)
    );
    assert_eq!(
        app.request(&ask, Subject, Consent::Granted),
        (DeniedByUser, false)
    );
    app.give_back();
    assert_eq!(
        app.request(&ask, Subject, Consent::Granted),
        (Allowed, true)
    );
}

#[test]
fn the_administrator_bounds_what_the_user_answers() {
    let bound = ruling(Some(Answer::Allow), Some(Answer::Ask));
    let mut app = App::new(Profile::default());
    assert_eq!(
        app.request(&bound, Always, Consent::Granted),
        (Allowed, true)
    );
    // And when the bound is lifted, the answer is still there.
    let ask = ruling(NONE, Some(Answer::Ask));
    assert_eq!(app.status(&ask), AlwaysAllowed);
    let denied = ruling(Some(Answer::Deny), Some(Answer::Ask));
    assert_eq!(app.status(&denied), DeniedBySystemPolicy);
}

#[test]
fn what_a_file_allowed_ends_with_the_file() {
    let mut app = App::new(Profile::default());
    let always = ruling(NONE, Some(Answer::Always));
    assert_eq!(
        app.request(&always, Always, Consent::NotAsked).0,
        AlwaysAllowed
    );
    assert_eq!(app.status(&ruling(NONE, NONE)), Allowed);
    assert_eq!(app.status(&ruling(NONE, Some(Answer::Ask))), Unspecified);
    // A no that is taken back leaves what was requested before.
    let mut app = App::new(Profile::windows());
    assert_eq!(
        app.request(&always, Subject, Consent::NotAsked).0,
        AlwaysAllowed
    );
    assert_eq!(app.status(&ruling(NONE, Some(Answer::Deny))), DeniedByUser);
    assert_eq!(app.status(&always), AlwaysAllowed);
}

#[test]
fn an_update_asks_again_under_windows_rules_only() {
    for (profile, expected) in [
        (Profile::default(), Allowed),
        (Profile::windows(), Unspecified),
    ] {
        for ruling in [ruling(NONE, NONE), ruling(NONE, Some(Answer::Ask))] {
            let mut app = App::new(profile);
            let got = app.request(&ruling, Subject, Consent::Granted);
            assert_eq!(got.0, Allowed);
            app.version = "1.0.1";
            assert_eq!(app.status(&ruling), expected, "{profile:?}");
            let asked = ruling.answer().is_some() && profile == Profile::windows();
            let got = app.request(&ruling, Subject, Consent::Granted);
            assert_eq!(got, (Allowed, asked), "{profile:?}");
        }
    }
}

#[test]
fn access_given_back_is_gone_until_it_is_requested() {
    for profile in [Profile::default(), Profile::windows()] {
        for (answer, expected) in [
            (NONE, Allowed),
            (Some(Answer::Allow), Allowed),
            (Some(Answer::Always), AlwaysAllowed),
        ] {
            let ruling = ruling(NONE, answer);
            let mut app = App::new(profile);
            assert_eq!(app.request(&ruling, Subject, Consent::NotAsked).0, expected);
            app.give_back();
            assert_eq!(app.status(&ruling), Unspecified, "{answer:?}");
            assert_eq!(app.request(&ruling, Subject, Consent::NotAsked).0, expected);
        }
        let mut app = App::new(profile);
        app.give_back();
        let denied = ruling(NONE, Some(Answer::Deny));
        assert_eq!(app.status(&denied), DeniedByUser);
        assert_eq!(
            app.request(&denied, Subject, Consent::Granted).0,
            DeniedByUser
        );
        assert_eq!(app.status(&ruling(NONE, NONE)), Unspecified);
    }
}

#[test]
fn a_grant_is_kept_as_json() {
    let mut app = App::new(Profile::default());
    app.request(&ruling(NONE, Some(Answer::Ask)), Always, Consent::Granted);
    let grant = app.grant.unwrap();
    let text = serde_json::to_string(&grant).unwrap();
    assert_eq!(
        text,
        r#"{"status":"always_allowed","kind":"always_allowed","asked":true,"version":"1.0.0","at":"1970-01-01T00:00:00Z"}"#
    );
    assert_eq!(serde_json::from_str::<Grant>(&text).unwrap(), grant);
}
