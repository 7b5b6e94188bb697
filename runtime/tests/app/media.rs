//! Work on media: requested as `application` is, with a slot and a limit of its own.

use bgtask::{App, Code, RequestOutcome};
use libtest_mimic::Trial;

use crate::{
    checked,
    harness::{self, Gate, Home},
    start_run,
    tasks::{Deed, act},
    trial,
};

pub(crate) fn trials() -> Vec<Trial> {
    let mut trials: Vec<Trial> = [
        "media_processing_has_a_slot_of_its_own",
        "of_media_processing_there_is_one_in_an_app",
    ]
    .map(checked)
    .into();
    trials.push(trial("work_on_media_outlives_main", || {
        let home = Home::new();
        let gate = home.gate();
        let mut app = home.start("main_returns_from_media");
        let visitor = gate.visitor();
        app.line("main has returned");
        visitor.pass();
        app.succeeds();
        let mut next = home.start("collect");
        assert!(next.line("completion").starts_with("media completed"));
        next.succeeds();
    }));
    trials
}

pub(crate) async fn play(app: &App, name: &str) -> bool {
    match name {
        "media_processing_has_a_slot_of_its_own" => slot(app).await,
        "of_media_processing_there_is_one_in_an_app" => {
            let second = app.registration("second").entry_named("one_at_a_time");
            let second = second.trigger("media_processing");
            let errors = second.validate().await.unwrap_err();
            assert_eq!(errors[0].code(), Code::TriggerLimitExceeded);
            let error = second.register().await.unwrap_err();
            assert_eq!(error.code(), Code::TriggerLimitExceeded, "{error}");
            assert!(error.rule().contains("media_processing"), "{error}");
        }
        _ => return false,
    }
    true
}

/// A run of an `application` task and one of `media_processing` do not count for each other.
async fn slot(app: &App) {
    let gate = Gate::new(harness::home().join("gate"));
    let mut runs = Vec::new();
    let mut visitors = Vec::new();
    for task in ["one_at_a_time", "media"] {
        let deed = Deed::Visit(gate.path().into());
        runs.push(start_run(app, task, deed).await);
        visitors.push(gate.visitor());
    }
    let media = app.task_named::<act>("media").unwrap();
    let second = media.request(Deed::Return(2)).await.unwrap();
    assert!(matches!(second, RequestOutcome::CurrentlyRunning));
    for visitor in visitors {
        visitor.pass();
    }
    for run in runs {
        run.completed().await.unwrap();
    }
    let third = media.request(Deed::Return(3)).await.unwrap();
    assert_eq!(third.allowed().unwrap().completed().await.unwrap().value, 3);
}
