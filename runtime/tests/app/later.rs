//! Requests for a later time, and runs that are found again by their ids.

use std::{fs, time::Duration};

use bgtask::{
    ActivationId, App, CancelReason, Code, Outcome, RequestOutcome, Run, TaskHandle,
    inspect::{self, Request, Response},
};
use jiff::Timestamp;
use libtest_mimic::Trial;

use crate::{
    checked, harness,
    harness::{Gate, Home},
    start_run,
    tasks::{Deed, act, takes_a_text},
    trial,
};

pub(crate) fn trials() -> Vec<Trial> {
    let mut trials: Vec<Trial> = [
        "a_run_of_now_refuses_no_later_request_and_a_later_one_refuses_none_of_now",
        "a_later_request_is_shown_with_its_time_and_can_be_cancelled",
        "a_run_is_found_while_it_waits_while_it_runs_and_when_it_has_ended",
        "a_run_that_is_not_there_is_an_error",
    ]
    .map(checked)
    .into();
    trials.push(trial(
        "a_later_request_survives_a_restart_and_does_not_start_early",
        || {
            let home = Home::new();
            home.start("later_and_stopped").succeeds();
            home.start("later_and_open").succeeds();
            home.start("found_in_the_history").succeeds();
        },
    ));
    trials
}

pub(crate) async fn play(app: &App, name: &str) -> bool {
    match name {
        "a_run_of_now_refuses_no_later_request_and_a_later_one_refuses_none_of_now" => {
            beside_each_other(app).await;
        }
        "a_later_request_is_shown_with_its_time_and_can_be_cancelled" => shown(app).await,
        "a_run_is_found_while_it_waits_while_it_runs_and_when_it_has_ended" => found(app).await,
        "a_run_that_is_not_there_is_an_error" => not_there(app).await,
        "later_and_stopped" => {
            let at = Timestamp::now() + Duration::from_millis(400);
            let run = one_at_a_time(app).request_later(at, Deed::Return(5)).await;
            let run = run.unwrap().allowed().unwrap();
            let told = format!("{} {at}", run.activation());
            fs::write(harness::home().join("told"), told).unwrap();
            app.shutdown().await;
        }
        "later_and_open" => {
            let (id, _) = told();
            let run: Run<act> = one_at_a_time(app).run(id).await.unwrap();
            assert_eq!(run.completed().await.unwrap().value, 5);
        }
        "found_in_the_history" => {
            let (id, at) = told();
            let mut run = one_at_a_time(app).run(id).await.unwrap();
            assert!(run.progress().next().await.is_none());
            assert!(run.ended().await.unwrap().is_completed());
            let history = app.history(None, 10).await.unwrap();
            assert_eq!(history.len(), 1);
            assert!(history[0].started.unwrap() >= at, "{history:?}");
            assert!(app.completions().ready().await.is_none());
        }
        _ => return false,
    }
    true
}

fn one_at_a_time(app: &App) -> TaskHandle<act> {
    app.task_named("one_at_a_time").unwrap()
}

fn told() -> (ActivationId, Timestamp) {
    let told = fs::read_to_string(harness::home().join("told")).unwrap();
    let (id, at) = told.split_once(' ').unwrap();
    (id.parse().unwrap(), at.parse().unwrap())
}

async fn beside_each_other(app: &App) {
    let gate = Gate::new(harness::home().join("gate"));
    let deed = Deed::Visit(gate.path().into());
    let first = start_run(app, "one_at_a_time", deed).await;
    let visitor = gate.visitor();
    let task = one_at_a_time(app);
    let in_an_hour = task.request_after(Duration::from_secs(3600), Deed::Return(1));
    drop(in_an_hour.await.unwrap().allowed().unwrap());
    let soon = Timestamp::now() + Duration::from_millis(20);
    let soon = task.request_later(soon, Deed::Return(2)).await.unwrap();
    let soon = soon.allowed().unwrap();
    let now = task.request(Deed::Return(3)).await.unwrap();
    assert!(matches!(now, RequestOutcome::CurrentlyRunning));
    visitor.pass();
    first.completed().await.unwrap();
    assert_eq!(soon.completed().await.unwrap().value, 2);
    // Only the one of the next hour waits.
    let now = task.request(Deed::Return(3)).await.unwrap();
    assert_eq!(now.allowed().unwrap().completed().await.unwrap().value, 3);
}

async fn shown(app: &App) {
    let at: Timestamp = "2126-01-02T03:04:05Z".parse().unwrap();
    let zoned = at.to_zoned(jiff::tz::TimeZone::UTC);
    let mut run = one_at_a_time(app)
        .request_later(zoned, Deed::Return(1))
        .await
        .unwrap()
        .allowed()
        .unwrap();
    let why = app.why("one_at_a_time").await.unwrap();
    assert_eq!(why.held[0].until, Some(at));
    let shown = at.to_zoned(jiff::tz::TimeZone::system());
    let shown = format!("waits until {}", shown.strftime("%Y-%m-%d %H:%M:%S"));
    assert!(why.to_string().contains(&shown), "{why}");
    let mut live = inspect::connect(harness::APP).await.unwrap().unwrap();
    let Response::List { tasks, .. } = live.ask(&Request::List).await.unwrap() else {
        panic!("a list");
    };
    let listed = tasks.iter().find(|task| task.task == "one_at_a_time");
    assert_eq!(listed.unwrap().runs[0].until, Some(at));
    run.cancel(CancelReason::Abort).await.unwrap();
    let ended = run.ended().await.unwrap();
    assert!(matches!(ended, Outcome::Suppressed { .. }), "{ended}");
}

async fn found(app: &App) {
    let gate = Gate::new(harness::home().join("gate"));
    let deed = Deed::Visit(gate.path().into());
    let id = start_run(app, "one_at_a_time", deed).await.activation();
    let visitor = gate.visitor();
    let handle = one_at_a_time(app);
    let runs = handle.run(id).await.unwrap();
    let later = Timestamp::now() + Duration::from_millis(10);
    let later = handle.request_later(later, Deed::Return(2)).await.unwrap();
    let waits = handle
        .run(later.allowed().unwrap().activation())
        .await
        .unwrap();
    visitor.pass();
    runs.completed().await.unwrap();
    assert_eq!(waits.completed().await.unwrap().value, 2);
    // It has ended: the same once more, and by the function's own name.
    assert_eq!(
        handle
            .run(id)
            .await
            .unwrap()
            .completed()
            .await
            .unwrap()
            .value,
        0
    );
    let text = app.task::<takes_a_text>().request("four".to_owned()).await;
    let text = text.unwrap().allowed().unwrap().activation();
    let again = app.run::<takes_a_text>(text).await.unwrap();
    assert_eq!(again.completed().await.unwrap(), 4);
}

async fn not_there(app: &App) {
    let text = app.task::<takes_a_text>().request("four".to_owned()).await;
    let mut text = text.unwrap().allowed().unwrap();
    let other = one_at_a_time(app).run(text.activation()).await.unwrap_err();
    text.ended().await.unwrap();
    let ended = one_at_a_time(app).run(text.activation()).await.unwrap_err();
    let never = app
        .run::<takes_a_text>(ActivationId::now())
        .await
        .unwrap_err();
    for error in [&other, &ended, &never] {
        assert_eq!(error.code(), Code::UnknownRun, "{error}");
    }
    assert!(other.rule().contains("`takes_a_text`"), "{other}");
    assert!(ended.rule().contains("`takes_a_text`"), "{ended}");
}
