//! Tasks in the app's process: errors, panics, cancellation, overruns.

use bgtask::{
    App, CancelReason, Code, EventKind, Outcome,
    inspect::{self, Request, Response},
};
use libtest_mimic::Trial;

use crate::{
    checked, event, harness,
    harness::{Gate, Home},
    outcome, report, start_plain, start_run,
    tasks::Deed,
    trial,
};

pub(crate) fn trials() -> Vec<Trial> {
    let mut trials: Vec<Trial> = [
        "an_error_is_an_outcome",
        "a_panic_is_an_outcome_and_frees_its_slot",
        "a_cancelled_async_body_is_dropped_at_its_await_point",
        "a_plain_body_that_overruns_keeps_its_slot_until_it_returns",
        "an_async_body_that_never_awaits_is_an_overrun_and_the_app_still_ends",
        "a_deferral_keeps_the_run_open",
        "ok_after_cancellation_stays_completed",
        "an_error_after_cancellation_is_cancelled",
    ]
    .map(checked)
    .into();
    trials.push(trial(
        "on_overrun_abort_ends_the_app_and_is_recorded",
        on_overrun_abort,
    ));
    trials
}

fn on_overrun_abort() {
    let home = Home::new();
    assert_eq!(home.start("on_overrun_abort").ends_by_signal(), 6);
    home.start("on_overrun_abort_recorded").succeeds();
}

pub(crate) async fn play(app: &App, name: &str) -> bool {
    match name {
        "an_error_is_an_outcome" => {
            let failed = outcome(app, "here", Deed::Fail).await;
            let error = "as asked".to_owned();
            assert_eq!(failed, Outcome::Failed { error });
        }
        "a_panic_is_an_outcome_and_frees_its_slot" => {
            let panicked = outcome(app, "one_at_a_time", Deed::Panic).await;
            let message = "as asked".to_owned();
            assert_eq!(panicked, Outcome::Panicked { message });
            assert_eq!(report(app, "one_at_a_time").await.value, 7);
        }
        "a_cancelled_async_body_is_dropped_at_its_await_point" => {
            let gate = Gate::new(harness::home().join("gate"));
            let mut run = start_run(app, "here", Deed::Visit(gate.path().into())).await;
            let visitor = gate.visitor();
            run.cancel(CancelReason::Abort).await.unwrap();
            assert_eq!(run.ended().await.unwrap(), aborted());
            visitor.leaves();
        }
        "a_plain_body_that_overruns_keeps_its_slot_until_it_returns" => overrun(app).await,
        "an_async_body_that_never_awaits_is_an_overrun_and_the_app_still_ends" => {
            let mut events = app.events();
            let mut run = start_run(app, "here", Deed::Spin).await;
            started(&mut events, "here").await;
            run.cancel(CancelReason::Abort).await.unwrap();
            assert_eq!(
                run.ended().await.unwrap(),
                Outcome::Cancelled {
                    reason: CancelReason::Abort,
                    overrun: true,
                }
            );
            assert_eq!(report(app, "one_at_a_time").await.value, 7);
        }
        "on_overrun_abort" => {
            let gate = Gate::new(harness::home().join("gate"));
            let deed = Deed::Visit(gate.path().into());
            let mut run = start_plain(app, "aborts_app", deed).await;
            let outcome = run.ended().await;
            panic!("the process should have ended: {outcome:?}");
        }
        "on_overrun_abort_recorded" => {
            let history = app.history(Some("aborts_app"), 10).await.unwrap();
            assert_eq!(history.len(), 1);
            assert_eq!(history[0].outcome, over_time());
        }
        "a_deferral_keeps_the_run_open" => {
            let gate = Gate::new(harness::home().join("gate"));
            let run = start_run(app, "here", Deed::Defer(gate.path().into())).await;
            let visitor = gate.visitor();
            // The body has returned: it is what the deferral waited for.
            assert_eq!(app.why("here").await.unwrap().running.len(), 1);
            assert!(app.history(Some("here"), 1).await.unwrap().is_empty());
            visitor.pass();
            run.completed().await.unwrap();
        }
        "ok_after_cancellation_stays_completed" => {
            let mut events = app.events();
            let run = start_run(app, "here", Deed::Outlast(5)).await;
            started(&mut events, "here").await;
            run.cancel(CancelReason::Abort).await.unwrap();
            assert_eq!(run.completed().await.unwrap().value, 5);
        }
        "an_error_after_cancellation_is_cancelled" => {
            let gate = Gate::new(harness::home().join("gate"));
            let deed = Deed::Checkpoints(gate.path().into());
            let mut run = start_plain(app, "here_plain_patient", deed).await;
            gate.visitor().pass();
            run.cancel(CancelReason::Abort).await.unwrap();
            assert_eq!(run.ended().await.unwrap(), aborted());
        }
        _ => return false,
    }
    true
}

async fn overrun(app: &App) {
    let gate = Gate::new(harness::home().join("gate"));
    let mut events = app.events();
    let deed = Deed::Visit(gate.path().into());
    let mut first = start_plain(app, "here_plain", deed).await;
    let visitor = gate.visitor();
    let second = start_plain(app, "here_plain", Deed::Return(6)).await;
    assert_eq!(first.ended().await.unwrap(), over_time());

    let why = app.why("here_plain").await.unwrap();
    assert!(why.running[0].overrun, "{why}");
    assert_eq!((why.running.len(), why.waiting), (1, 1), "{why}");

    let mut live = inspect::connect(harness::APP).await.unwrap().unwrap();
    let Response::List { tasks, .. } = live.ask(&Request::List).await.unwrap() else {
        panic!("another answer");
    };
    let listed = tasks.iter().find(|one| one.task == "here_plain").unwrap();
    assert_eq!((listed.running, listed.waiting), (1, 1), "{listed:?}");
    assert!(listed.runs[0].overrun, "{listed:?}");
    let cancel = Request::Cancel {
        id: listed.runs[0].id(),
        reason: CancelReason::Abort,
    };
    let error = live.ask(&cancel).await.unwrap_err();
    assert_eq!(error.code(), Code::RunEnded, "{error}");
    assert!(error.rule().contains("cannot be stopped"), "{error}");

    visitor.pass();
    assert_eq!(second.completed().await.unwrap(), 6);
    // What the first returned at last changed nothing.
    started(&mut events, "here_plain").await;
    let history = app.history(Some("here_plain"), 10).await.unwrap();
    assert_eq!(history.len(), 2);
    assert_eq!(history[1].outcome, over_time());
    assert!(app.why("here_plain").await.unwrap().running.is_empty());
}

async fn started(events: &mut bgtask::Events, task: &str) {
    event(events, |event| {
        (event.task == task && matches!(event.kind, EventKind::Started { .. })).then_some(())
    })
    .await;
}

fn aborted() -> Outcome {
    Outcome::Cancelled {
        reason: CancelReason::Abort,
        overrun: false,
    }
}

fn over_time() -> Outcome {
    Outcome::Cancelled {
        reason: CancelReason::ExecutionTimeExceeded,
        overrun: true,
    }
}
