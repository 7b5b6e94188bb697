//! Windows' rules, under the profile that keeps to their letter.

use std::sync::OnceLock;

use bgtask::{
    AccessKind, App, Code, EventKind, Outcome, Profile, Registration, RequestOutcome, prelude::*,
};
use libtest_mimic::Trial;

use crate::{
    checked, event,
    harness::{self, Gate, Home},
    trial,
};

/// What scenarios under the profile begin with.
pub(crate) const PREFIX: &str = "windows: ";

static APP: OnceLock<App> = OnceLock::new();

/// Requests a run of a task, and tells how that was answered.
#[background_task(name = "asks", trigger = custom("ask"), register = false)]
async fn asks() -> String {
    let app = APP.get().expect("set before it runs");
    let asked = app.registered("asked").await.expect("it is there");
    match asked.request::<is_asked>(()).await {
        Ok(answer) => format!("{answer:?}")
            .split('(')
            .next()
            .unwrap_or_default()
            .to_owned(),
        Err(error) => error.code().as_str().to_owned(),
    }
}

#[background_task(name = "is asked", trigger = application, register = false)]
async fn is_asked() {}

#[background_task(name = "waits", trigger = application, register = false)]
async fn waits(Args(gate): Args<std::path::PathBuf>) {
    harness::visit_async(&gate, "here").await;
}

pub(crate) fn trials() -> Vec<Trial> {
    let mut trials: Vec<Trial> = [
        // https://learn.microsoft.com/uwp/api/windows.applicationmodel.background.backgroundexecutionmanager.requestaccessasync
        "windows: nothing_is_registered_before_access_was_requested",
        // https://learn.microsoft.com/uwp/api/windows.applicationmodel.background.applicationtrigger
        "windows: a_second_application_trigger_is_refused",
        // https://github.com/microsoft/Windows-universal-samples/issues/8
        "windows: an_application_trigger_can_be_registered_again",
        // https://learn.microsoft.com/uwp/api/windows.applicationmodel.background.applicationtrigger.requestasync
        "windows: a_task_does_not_request",
        "windows: an_app_in_the_background_does_not_request",
        // https://learn.microsoft.com/uwp/api/windows.applicationmodel.background.applicationtriggerresult
        "windows: a_request_has_one_of_four_answers",
        // https://learn.microsoft.com/uwp/api/windows.applicationmodel.startuptask
        "windows: startup_does_not_run_in_process",
        "a_task_may_request_by_default",
    ]
    .map(checked)
    .into();
    trials.push(trial(
        "windows: what_is_registered_stays_until_it_is_unregistered",
        || {
            let home = Home::new();
            home.start("windows: registers").succeeds();
            home.start("windows: is_registered_still").succeeds();
        },
    ));
    trials
}

/// The profile of a scenario.
pub(crate) fn profile(scenario: &str) -> Profile {
    match scenario.starts_with(PREFIX) {
        true => Profile::windows(),
        false => Profile::default(),
    }
}

pub(crate) async fn play(app: &App, name: &str) -> bool {
    let _ = APP.set(app.clone());
    if name == "a_task_may_request_by_default" {
        assert_eq!(answer_inside(app).await, "Allowed");
        return true;
    }
    let Some(rule) = name.strip_prefix(PREFIX) else {
        return false;
    };
    match rule {
        "nothing_is_registered_before_access_was_requested" => without_access(app).await,
        "a_second_application_trigger_is_refused" => {
            request_access(app).await;
            one(app, "first").await.unwrap();
            let second = app.registration("second").entry::<is_asked>();
            let second = second.trigger("application");
            let errors = second.validate().await.unwrap_err();
            assert_eq!(errors[0].code(), Code::TriggerLimitExceeded);
            let error = second.register().await.unwrap_err();
            assert_eq!(error.code(), Code::TriggerLimitExceeded, "{error}");
            let all = app.all_tasks().await.unwrap();
            assert_eq!(all.len(), 1);
            // Of those that are declared there is none left to be registered.
            let diff = app.register_declared().await.unwrap();
            assert!(diff.refused.iter().any(|name| name == "here"), "{diff:?}");
            let error = app.why("here").await.unwrap_err();
            let limit = "as many registrations with `application` as it may have";
            assert!(error.rule().contains(limit), "{error}");
        }
        "an_application_trigger_can_be_registered_again" => {
            request_access(app).await;
            for _ in 0..50 {
                let first = one(app, "first").await.unwrap();
                let again = one(app, "first").await.unwrap();
                assert_ne!(first.id(), again.id());
                again.unregister(true).await.unwrap();
            }
        }
        "a_task_does_not_request" => {
            request_access(app).await;
            assert_eq!(answer_inside(app).await, "not-accepted");
        }
        "an_app_in_the_background_does_not_request" => {
            request_access(app).await;
            let asked = one(app, "asked").await.unwrap();
            app.enter_background().await;
            let error = asked.request::<is_asked>(()).await.unwrap_err();
            assert_eq!(error.code(), Code::NotAccepted, "{error}");
            app.leave_background().await;
            asked
                .request::<is_asked>(())
                .await
                .unwrap()
                .allowed()
                .unwrap();
        }
        "a_request_has_one_of_four_answers" => four_answers(app).await,
        "startup_does_not_run_in_process" => {
            let startup = app.registration("starts").entry_named("moves in");
            let errors = startup.trigger("startup").validate().await.unwrap_err();
            let codes: Vec<Code> = errors.iter().map(bgtask::Error::code).collect();
            assert!(codes.contains(&Code::HostModelUnsupported), "{errors:?}");
        }
        "registers" => {
            request_access(app).await;
            let diff = app.register_declared().await.unwrap();
            assert!(diff.added.iter().any(|name| name == "sweep the attic"));
        }
        "is_registered_still" => {
            let diff = app.launch_diff().await.unwrap();
            assert!(diff.added.is_empty() && diff.unchanged.is_empty());
            let swept = app.registered("sweep the attic").await.unwrap();
            let mut events = app.events();
            app.fire("sweep the attic", None).await.unwrap();
            event(&mut events, |event| match event.kind {
                EventKind::Ended { .. } if event.task == swept.name() => Some(()),
                _ => None,
            })
            .await;
            let again = app.register_declared().await.unwrap();
            assert!(again.unchanged.iter().any(|name| name == swept.name()));
        }
        _ => return false,
    }
    true
}

async fn request_access(app: &App) {
    let kind = AccessKind::AllowedSubjectToSystemPolicy;
    let status = app.request_access(kind, "a trial").await.unwrap();
    assert!(status.is_allowed(), "{status}");
}

async fn one(app: &App, name: &str) -> bgtask::Result<Registration> {
    let one = app.registration(name).entry::<is_asked>();
    one.trigger("application").register().await
}

async fn without_access(app: &App) {
    assert!(app.registrations().await.unwrap().is_empty());
    let error = app.register_declared().await.unwrap_err();
    assert_eq!(error.code(), Code::AccessNotRequested, "{error}");
    let error = one(app, "first").await.unwrap_err();
    assert_eq!(error.code(), Code::AccessNotRequested, "{error}");
    let first = app.registration("first").entry::<is_asked>();
    let errors = first.trigger("application").validate().await.unwrap_err();
    assert_eq!(errors[0].code(), Code::AccessNotRequested);
    assert!(app.registrations().await.unwrap().is_empty());
    request_access(app).await;
    let diff = app.register_declared().await.unwrap();
    assert!(diff.added.iter().any(|name| name == "sweep the attic"));
    // One task of the kind that there may be one of.
    let kept = app.registrations().await.unwrap();
    let requested = kept.iter().filter(|one| one.kind == "application");
    assert_eq!(requested.count(), 1);
}

/// How a request out of a task's body is answered.
async fn answer_inside(app: &App) -> String {
    one(app, "asked").await.unwrap();
    let asks = app.registration("asks now").entry::<asks>();
    asks.trigger("custom(\"ask\")").register().await.unwrap();
    let mut events = app.events();
    app.raise("ask", ()).await.unwrap();
    let outcome = event(&mut events, |event| match &event.kind {
        EventKind::Ended { outcome, .. } if event.task == "asks now" => Some(outcome.clone()),
        _ => None,
    });
    match outcome.await {
        Outcome::Completed { value } => value.as_str().unwrap().to_owned(),
        other => panic!("{other}"),
    }
}

async fn four_answers(app: &App) {
    request_access(app).await;
    let gate = Gate::new(harness::home().join("gate"));
    let held = app.registration("asked").entry::<waits>();
    let held = held.trigger("application").register().await.unwrap();
    let request = async || held.request::<waits>(gate.path().into()).await;
    let run = request().await.unwrap().allowed().unwrap();
    let visitor = gate.visitor();
    let second = request().await.unwrap();
    assert!(
        matches!(second, RequestOutcome::CurrentlyRunning),
        "{second:?}"
    );
    visitor.pass();
    run.completed().await.unwrap();
    app.remove_access().await.unwrap();
    let denied = request().await.unwrap();
    assert!(
        matches!(denied, RequestOutcome::DisabledByPolicy),
        "{denied:?}"
    );
    // Windows' `UnknownError` is an error that says what it is.
    request_access(app).await;
    held.clone().unregister(false).await.unwrap();
    let error = request().await.unwrap_err();
    assert_eq!(error.code(), Code::UnknownTask);
}
