//! An app that goes on with something of its own, under a stand-in for logind on a bus of the
//! trial's own.

use bgtask::{
    Code, ExtendedExecutionOutcome, ExtendedExecutionReason as Reason,
    ExtendedExecutionRevoked as Revoked, ExtendedExecutionSession, prelude::*,
};
use libtest_mimic::Trial;

use crate::{
    harness::{Home, home, visit_async},
    network_requested::locks,
    power::Bus,
    trial,
};

const LOGIND: &str = "org.freedesktop.login1";
const PATH: &str = "/org/freedesktop/login1";
const MANAGER: &str = "org.freedesktop.login1.Manager";

pub(crate) fn trials() -> Vec<Trial> {
    vec![
        trial("an_app_that_goes_on_keeps_the_system_awake", goes_on),
        trial(
            "an_extended_execution_is_revoked_when_the_system_sleeps",
            || {
                let home = Home::new();
                let bus = Bus::start(&home);
                let _logind = bus.mock("logind", "{}");
                let mut app = bus.app(&home, "goes_on_until_the_system_sleeps");
                app.line("held");
                bus.emit((LOGIND, PATH, MANAGER), "PrepareForSleep", "b", "[True]");
                app.line("revoked");
                locks(&bus, &[]);
                app.succeeds();
            },
        ),
        trial("an_extended_execution_is_revoked_when_logind_ends", || {
            let home = Home::new();
            let bus = Bus::start(&home);
            let logind = bus.mock("logind", "{}");
            let mut app = bus.app(&home, "goes_on_until_the_system_sleeps");
            app.line("held");
            drop(logind);
            app.line("revoked");
            app.succeeds();
        }),
        trial(
            "without_logind_an_extended_execution_is_unsupported",
            || {
                let home = Home::new();
                let bus = Bus::start(&home);
                bus.app(&home, "cannot_go_on").succeeds();
            },
        ),
        trial("a_logind_that_refuses_denies_an_extended_execution", || {
            let home = Home::new();
            let bus = Bus::start(&home);
            let _logind = bus.mock("logind", "{}");
            let denied = "raise dbus.exceptions.DBusException('not yours', \
                name='org.freedesktop.DBus.Error.AccessDenied')";
            bus.method(LOGIND, PATH, MANAGER, "Inhibit", denied);
            bus.app(&home, "may_not_go_on").succeeds();
        }),
    ]
}

fn goes_on() {
    let home = Home::new();
    let gate = home.gate();
    let bus = Bus::start(&home);
    let _logind = bus.mock("logind", "{}");
    let app = bus.app(&home, "goes_on_with_something");
    let held = [
        "sleep:idle|app-under-test|uploads the drafts|block",
        "sleep|app-under-test|uploads the drafts|delay",
    ];
    for locked in [&held[..], &[], &held, &[]] {
        let visitor = gate.visitor();
        locks(&bus, locked);
        visitor.pass();
    }
    app.succeeds();
}

async fn ask(app: &App, reason: Reason) -> ExtendedExecutionOutcome {
    let asked = app
        .extended_execution(reason)
        .description("uploads the drafts");
    asked.request().await.unwrap()
}

async fn held(app: &App, reason: Reason) -> ExtendedExecutionSession {
    match ask(app, reason).await {
        ExtendedExecutionOutcome::Allowed(session) => session,
        other => panic!("{other:?}"),
    }
}

pub(crate) async fn play(app: &App, name: &str) -> bool {
    match name {
        "goes_on_with_something" => {
            let session = held(app, Reason::SavingData).await;
            assert_eq!(session.reason(), Reason::SavingData);
            let second = app.extended_execution(Reason::Unspecified).request().await;
            assert_eq!(second.unwrap_err().code(), Code::NotAccepted);
            assert_eq!(session.is_revoked(), None);
            let gate = home().join("gate");
            visit_async(&gate, "held").await;
            drop(session);
            visit_async(&gate, "dropped").await;
            let mut session = held(app, Reason::Unspecified).await;
            visit_async(&gate, "held again").await;
            app.enter_background().await;
            app.leave_background().await;
            assert_eq!(session.revoked().await, Revoked::Resumed);
            assert_eq!(session.is_revoked(), Some(Revoked::Resumed));
            visit_async(&gate, "resumed").await;
        }
        "goes_on_until_the_system_sleeps" => {
            let mut session = held(app, Reason::LocationTracking).await;
            println!("held");
            assert_eq!(session.revoked().await, Revoked::SystemPolicy);
            println!("revoked");
            drop(session);
        }
        "cannot_go_on" => {
            let asked = ask(app, Reason::Unspecified).await;
            let ExtendedExecutionOutcome::Unsupported { why } = asked else {
                panic!("{asked:?}");
            };
            assert!(why.starts_with("logind is not there"), "{why}");
            // What was refused keeps nobody else out.
            let asked = ask(app, Reason::Unspecified).await;
            assert!(
                matches!(asked, ExtendedExecutionOutcome::Unsupported { .. }),
                "{asked:?}"
            );
        }
        "may_not_go_on" => {
            let asked = ask(app, Reason::Unspecified).await;
            let ExtendedExecutionOutcome::Denied { why } = asked else {
                panic!("{asked:?}");
            };
            assert!(why.contains("not yours"), "{why}");
            app.remove_access().await.unwrap();
            let asked = ask(app, Reason::Unspecified).await;
            let ExtendedExecutionOutcome::Denied { why } = asked else {
                panic!("{asked:?}");
            };
            assert!(!why.contains("not yours"), "{why}");
        }
        _ => return false,
    }
    true
}
