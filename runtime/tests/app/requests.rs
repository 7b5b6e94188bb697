//! Requests, arguments, results, progress, conditions, events.

use std::time::Duration;

use bgtask::{
    AnyTask, App, AppState, CancelReason, Code, EventKind, Holds, Outcome, RequestOutcome,
    RunError, Suppression,
    inspect::{self, Request, Response},
};
use futures_util::FutureExt;
use libtest_mimic::Trial;
use serde_json::json;

use crate::{
    checked, event, harness,
    harness::{Gate, Home},
    held, outcome, start_run,
    tasks::{
        Deed, GATE, LET_GO, OneWay, act, asked_for_anything, returns_one_way, takes_a_text,
        takes_one_way,
    },
    trial,
};

pub(crate) fn trials() -> Vec<Trial> {
    let mut trials: Vec<Trial> = [
        "progress_comes_in_order_and_its_last_value_before_the_end",
        "progress_of_a_host_comes_in_order_and_its_last_value_before_the_end",
        "progress_of_a_second_attempt_is_shown",
        "a_result_that_does_not_fit_is_an_error",
        "arguments_that_do_not_fit_are_not_accepted",
        "a_reader_that_gives_up_waiting_loses_no_completion",
        "arguments_that_cannot_be_kept_are_refused_alone",
        "a_condition_lost_before_the_body_began_holds_again",
        "a_request_that_cannot_be_kept_keeps_no_other_from_running",
        "the_name_of_another_functions_task_is_refused",
        "arguments_of_a_task_without_are_not_accepted",
        "a_second_request_is_answered_with_currently_running",
        "with_a_queue_requests_wait",
        "a_request_is_held_until_its_own_condition_is_true",
        "what_nobody_knows_holds",
        "a_raised_event_reaches_every_listener",
        "an_event_that_starts_nothing_is_kept_with_its_registration",
        "a_failed_run_is_tried_again",
        "what_is_cancelled_before_it_starts_never_starts",
        "what_runs_or_waits_is_cancelled_by_its_id",
        "arguments_may_be_as_long_as_is_allowed_and_not_longer",
        "an_app_may_allow_less",
        "where_the_app_is_is_shown",
    ]
    .map(checked)
    .into();
    trials.push(trial("what_is_held_survives_a_restart", || {
        let home = Home::new();
        home.start("held_and_stopped").succeeds();
        home.start("held_still").succeeds();
        let mut open = home.command("held_and_released");
        open.env("GATE_OPEN", "1");
        harness::Process::start(open).succeeds();
    }));
    trials
}

pub(crate) async fn play(app: &App, name: &str) -> bool {
    match name {
        "progress_comes_in_order_and_its_last_value_before_the_end" => progress(app, "here").await,
        "progress_of_a_host_comes_in_order_and_its_last_value_before_the_end" => {
            progress(app, "hosted").await;
        }
        "progress_of_a_second_attempt_is_shown" => {
            let run = start_run(app, "again", Deed::StepsAgain).await;
            let mut progress = run.progress();
            let mut shown = Vec::new();
            while let Some(step) = progress.next().await {
                shown.push((step.done, step.total));
            }
            assert_eq!(shown.last(), Some(&(1, 1)), "{shown:?}");
        }
        "a_result_that_does_not_fit_is_an_error" => {
            let request = app.task::<returns_one_way>().request(()).await.unwrap();
            match request.allowed().unwrap().completed().await {
                Err(RunError::Unreadable(error)) => assert_eq!(error.code(), Code::BadResult),
                other => panic!("{other:?}"),
            }
        }
        "a_reader_that_gives_up_waiting_loses_no_completion" => gives_up_waiting(app).await,
        "arguments_that_cannot_be_kept_are_refused_alone" => refused_alone(app).await,
        "a_condition_lost_before_the_body_began_holds_again" => lost_before(app).await,
        "a_request_that_cannot_be_kept_keeps_no_other_from_running" => others_run(app).await,
        "arguments_that_do_not_fit_are_not_accepted" => {
            let nonsense = json!({"nonsense": 1});
            let fired = app.fire("here", Some(nonsense.clone())).await.unwrap_err();
            let missing = app.fire("here", None).await.unwrap_err();
            let raised = app.raise("hello", nonsense).await.unwrap_err();
            let request = app.task::<takes_one_way>().request(OneWay).await;
            for error in [fired, missing, raised, request.unwrap_err()] {
                assert_eq!(error.code(), Code::BadArguments, "{error}");
                assert!(error.task_name().is_some() && error.help().is_some());
            }
            nothing_was_accepted(app).await;
        }
        "the_name_of_another_functions_task_is_refused" => {
            let refused = |named: bgtask::Result<()>| {
                let error = named.unwrap_err();
                assert_eq!(error.code(), Code::BadArguments, "{error}");
                error.to_string()
            };
            let other = refused(app.task_named::<takes_one_way>("here").map(drop));
            let both =
                "`here`: its function is `app::tasks::act`, and not `app::tasks::takes_one_way`";
            assert!(other.starts_with(both), "{other}");
            let takes = refused(app.task_named::<act>("takes_nothing").map(drop));
            let both = "it takes no arguments, and `app::tasks::act` takes `app::tasks::Deed`";
            assert!(takes.contains(both), "{takes}");
            let none = refused(app.task_named::<returns_one_way>("here").map(drop));
            assert!(none.contains("its function is `app::tasks::act`"), "{none}");
            // What fits, and JSON, which is checked when it comes.
            app.task_named::<act>("here").unwrap();
            app.task_named::<returns_one_way>("takes_nothing").unwrap();
            let any = app.task_named::<AnyTask>("here").unwrap();
            let bad = any.request(json!({"nonsense": 1})).await.unwrap_err();
            assert_eq!(bad.code(), Code::BadArguments);
            let good = json!({"Return": 4});
            let run = any.request(good).await.unwrap().allowed().unwrap();
            assert_eq!(run.completed().await.unwrap()["value"], 4);
        }
        "arguments_of_a_task_without_are_not_accepted" => {
            let error = app.fire("takes_nothing", Some(json!(1))).await.unwrap_err();
            assert_eq!(error.code(), Code::BadArguments, "{error}");
            nothing_was_accepted(app).await;
        }
        "a_second_request_is_answered_with_currently_running" => {
            let gate = Gate::new(harness::home().join("gate"));
            let deed = Deed::Visit(gate.path().into());
            let run = start_run(app, "one_at_a_time", deed).await;
            let visitor = gate.visitor();
            let task = app.task_named::<act>("one_at_a_time").unwrap();
            let second = task.request(Deed::Return(2)).await.unwrap();
            assert!(matches!(second, RequestOutcome::CurrentlyRunning));
            visitor.pass();
            run.completed().await.unwrap();
            let third = task.request(Deed::Return(3)).await.unwrap();
            assert_eq!(third.allowed().unwrap().completed().await.unwrap().value, 3);
        }
        "with_a_queue_requests_wait" => queue(app).await,
        "a_request_is_held_until_its_own_condition_is_true" => {
            let mut events = app.events();
            let run = start_run(app, "guarded", Deed::Return(4)).await;
            let reason = held(&mut events, "guarded").await;
            assert!(reason.contains("gate_open"), "{reason}");
            let why = app.why("guarded").await.unwrap();
            assert!(why.answer.contains("gate_open"), "{}", why.answer);
            assert_eq!(why.held.len(), 1);
            GATE.send_replace(true);
            assert_eq!(run.completed().await.unwrap().value, 4);
        }
        "what_nobody_knows_holds" => unknown(app).await,
        "a_raised_event_reaches_every_listener" => raise(app).await,
        "an_event_that_starts_nothing_is_kept_with_its_registration" => suppressed(app).await,
        "a_failed_run_is_tried_again" => retry(app).await,
        "arguments_may_be_as_long_as_is_allowed_and_not_longer" => bounds(app, 1 << 20).await,
        "where_the_app_is_is_shown" => {
            for state in [AppState::Foreground, AppState::Background] {
                let live = inspect::connect(harness::APP).await.unwrap().unwrap();
                assert_eq!((app.state(), live.hello().state), (state, state));
                app.enter_background().await;
            }
            app.leave_background().await;
            assert_eq!(app.state(), AppState::Foreground);
            outcome(app, "here", Deed::Return(1)).await;
        }
        "an_app_may_allow_less" => bounds(app, 1000).await,
        "what_runs_or_waits_is_cancelled_by_its_id" => cancelled_by_id(app).await,
        "what_is_cancelled_before_it_starts_never_starts" => {
            let mut events = app.events();
            let mut run = start_run(app, "guarded", Deed::Return(4)).await;
            held(&mut events, "guarded").await;
            run.cancel(CancelReason::Abort).await.unwrap();
            let ended = run.ended().await.unwrap();
            assert!(matches!(ended, Outcome::Suppressed { .. }), "{ended:?}");
            GATE.send_replace(true);
            assert_eq!(app.why("guarded").await.unwrap().waiting, 0);
        }
        "held_and_stopped" => {
            let mut events = app.events();
            let run = start_run(app, "guarded", Deed::Return(4)).await;
            held(&mut events, "guarded").await;
            drop(run);
            app.shutdown().await;
        }
        "held_still" => {
            let why = app.why("guarded").await.unwrap();
            assert_eq!((why.waiting, why.running.len()), (1, 0), "{why}");
            app.shutdown().await;
        }
        "held_and_released" => {
            let completed = app.completions().next().await.unwrap();
            assert_eq!(completed.task, "guarded");
            assert!(completed.outcome.is_completed(), "{:?}", completed.outcome);
            assert_eq!(app.history(None, 10).await.unwrap().len(), 1);
        }
        _ => return false,
    }
    true
}

async fn progress(app: &App, task: &str) {
    let run = start_run(app, task, Deed::Steps(2000)).await;
    let mut progress = run.progress();
    let (mut sequence, mut done) = (0, 0);
    while let Some(now) = progress.next().await {
        assert!(now.sequence > sequence && now.done > done && now.total == 2000);
        (sequence, done) = (now.sequence, now.done);
    }
    assert_eq!((sequence, done), (2000, 2000));
    run.completed().await.unwrap();
}

async fn nothing_was_accepted(app: &App) {
    let mut events = app.events();
    // Had anything been accepted before, it would come first.
    outcome(app, "other", Deed::Return(1)).await;
    let first = events.next().await.unwrap();
    assert_eq!(first.task, "other");
    assert_eq!(app.history(None, 10).await.unwrap().len(), 1);
    for task in ["here", "first_listener", "second_listener", "takes_nothing"] {
        assert_eq!(app.why(task).await.unwrap().waiting, 0);
    }
}

async fn queue(app: &App) {
    let gate = Gate::new(harness::home().join("gate"));
    let first = start_run(app, "two_wait", Deed::Visit(gate.path().into())).await;
    let visitor = gate.visitor();
    let second = start_run(app, "two_wait", Deed::Return(2)).await;
    let third = start_run(app, "two_wait", Deed::Return(3)).await;
    let mut fourth = start_run(app, "two_wait", Deed::Return(4)).await;
    // The queue holds two.
    let refused = fourth.ended().await.unwrap();
    assert!(matches!(refused, Outcome::Suppressed { .. }), "{refused:?}");
    assert_eq!(app.why("two_wait").await.unwrap().waiting, 2);
    visitor.pass();
    first.completed().await.unwrap();
    assert_eq!(second.completed().await.unwrap().value, 2);
    assert_eq!(third.completed().await.unwrap().value, 3);
}

/// `gate_open && !never_said`: true and unknown is unknown.
async fn unknown(app: &App) {
    let mut events = app.events();
    let _run = start_run(app, "unsure", Deed::Return(1)).await;
    let reason = held(&mut events, "unsure").await;
    assert!(reason.contains("gate_open"), "{reason}");
    GATE.send_replace(true);
    // A run behind the same fact alone starts: the broker knows it.
    outcome(app, "guarded", Deed::Return(1)).await;
    let why = app.why("unsure").await.unwrap();
    assert_eq!((why.waiting, why.running.len()), (1, 0), "{why}");
    assert!(why.answer.contains("never_said"), "{}", why.answer);
}

async fn gives_up_waiting(app: &App) {
    let mut completions = app.completions();
    let mut events = app.events();
    assert!(completions.next().now_or_never().is_none());
    let gate = Gate::new(harness::home().join("gate"));
    drop(start_run(app, "here", Deed::Visit(gate.path().into())).await);
    gate.visitor().pass();
    event(&mut events, |event| {
        matches!(event.kind, EventKind::Ended { .. }).then_some(())
    })
    .await;
    // The completion was handed to the call that was given up.
    app.why("here").await.unwrap();
    assert!(completions.next().now_or_never().is_some());
    assert!(completions.ready().await.is_none());
}

/// Asked for at once, so that they are written together.
async fn refused_alone(app: &App) {
    let deep = (0..110).fold(json!(1), |value, _| json!([value]));
    let asked = (0..50).map(|number| {
        let arguments = if number % 10 == 5 {
            deep.clone()
        } else {
            json!(1)
        };
        app.fire("takes_anything", Some(arguments))
    });
    let answers = futures_util::future::join_all(asked).await;
    for (number, answer) in answers.into_iter().enumerate() {
        match answer {
            Ok(_) => assert_ne!(number % 10, 5),
            Err(error) => {
                assert_eq!(error.code(), Code::BadArguments);
                assert_eq!(number % 10, 5, "{error}");
            }
        }
    }
}

async fn others_run(app: &App) {
    let deep = (0..110).fold(json!(1), |value, _| json!([value]));
    let task = app.task::<asked_for_anything>();
    let asked = (0..50).map(|number| {
        let refused = number % 10 == 5;
        let arguments = if refused { deep.clone() } else { json!(1) };
        let request = task.request(arguments);
        async move { (refused, request.await) }
    });
    for (refused, answer) in futures_util::future::join_all(asked).await {
        match answer {
            Ok(outcome) => {
                let run = outcome.allowed().expect("allowed");
                run.completed().await.expect("completed");
                assert!(!refused);
            }
            Err(error) => {
                assert_eq!(error.code(), Code::BadArguments);
                assert!(refused, "{error}");
            }
        }
    }
    let why = app.why("asked_for_anything").await.expect("known");
    assert_eq!((why.waiting, why.running.len()), (0, 0), "{why}");
}

async fn raise(app: &App) {
    let mut events = app.events();
    assert_eq!(app.raise("hello", 40).await.unwrap().len(), 2);
    let mut values = Vec::new();
    while values.len() < 2 {
        let (task, outcome) = event(&mut events, |event| match &event.kind {
            EventKind::Ended { outcome, .. } => Some((event.task.clone(), outcome.clone())),
            _ => None,
        })
        .await;
        let Outcome::Completed { value } = outcome else {
            panic!("{outcome:?}");
        };
        values.push((task, value));
    }
    values.sort_by(|one, other| one.0.cmp(&other.0));
    let expected = [
        ("first_listener".to_owned(), json!(41)),
        ("second_listener".to_owned(), json!(42)),
    ];
    assert_eq!(values, expected);
    assert!(app.raise("nobody_listens", 1).await.unwrap().is_empty());
}

/// An event that starts nothing is kept with its registration.
async fn suppressed(app: &App) {
    let mut events = app.events();
    assert_eq!(app.raise("one", ()).await.unwrap().len(), 1);
    event(&mut events, |event| {
        matches!(event.kind, EventKind::Started { .. }).then_some(())
    })
    .await;
    assert!(app.raise("one", ()).await.unwrap().is_empty());
    let told = event(&mut events, |event| match &event.kind {
        EventKind::Suppressed { activation, why } => Some((*activation, why.clone())),
        _ => None,
    })
    .await;
    assert_eq!(told, (None, Suppression::Overlap));
    let all = app.registrations().await.unwrap();
    let kept = all.iter().find(|one| one.name == "skips_events").unwrap();
    assert_eq!(kept.suppressed, 1);
    let last = kept.last_suppression.as_ref().map(|(_, why)| why);
    assert_eq!(last, Some(&Suppression::Overlap));
    LET_GO.add_permits(1);
}

async fn retry(app: &App) {
    let failed = outcome(app, "again", Deed::Fail).await;
    assert!(matches!(failed, Outcome::Failed { .. }), "{failed:?}");
    let history = app.history(Some("again"), 10).await.unwrap();
    let attempts: Vec<_> = history
        .iter()
        .rev()
        .map(|run| (run.attempt, run.retry_at.is_some()))
        .collect();
    assert_eq!(attempts, [(1, true), (2, true), (3, false)]);
    let activations: std::collections::HashSet<_> =
        history.iter().map(|run| run.activation).collect();
    assert_eq!(activations.len(), 1);
    for pair in history.windows(2) {
        let (later, earlier) = (&pair[0], &pair[1]);
        let due = earlier.retry_at.unwrap();
        assert!(due >= earlier.ended && later.started.unwrap() >= due);
    }
}

async fn cancelled_by_id(app: &App) {
    let gate = Gate::new(harness::home().join("gate"));
    let mut events = app.events();
    let mut runs = start_run(app, "here", Deed::Visit(gate.path().into())).await;
    let _visitor = gate.visitor();
    let mut waits = start_run(app, "guarded", Deed::Return(4)).await;
    held(&mut events, "guarded").await;

    let mut live = inspect::connect(harness::APP).await.unwrap().unwrap();
    let Response::List { tasks, .. } = live.ask(&Request::List).await.unwrap() else {
        panic!("another answer");
    };
    let listed = |task: &str| {
        let task = tasks.iter().find(|one| one.task == task).unwrap();
        let [run] = &task.runs[..] else {
            panic!("{task:?}");
        };
        run.clone()
    };
    let (running, waiting) = (listed("here"), listed("guarded"));
    assert_eq!(running.activation, runs.activation());
    assert_eq!(
        (waiting.run, waiting.activation),
        (None, waits.activation())
    );
    let cancel = |id: &str| Request::Cancel {
        id: id.to_owned(),
        reason: CancelReason::ServicingUpdate,
    };

    // Both begin with the same time.
    let error = live.ask(&cancel("0")).await.unwrap_err();
    assert_eq!(error.code(), Code::UnknownRun, "{error}");
    assert!(error.rule().contains("several"), "{error}");
    let error = live.ask(&cancel("ffff")).await.unwrap_err();
    assert_eq!(error.code(), Code::UnknownRun, "{error}");

    let run = running.run.unwrap();
    let asked = live.ask(&cancel(&run.to_string())).await.unwrap();
    assert_eq!(
        asked,
        Response::Cancelled {
            task: "here".to_owned(),
            activation: running.activation,
            run: Some(run),
            reason: CancelReason::ServicingUpdate,
            grace: Duration::from_millis(200),
        }
    );
    assert_eq!(
        runs.ended().await.unwrap(),
        Outcome::Cancelled {
            reason: CancelReason::ServicingUpdate,
            overrun: false,
        }
    );

    // The last digit is not needed: no other id is left that begins so.
    let id = waiting.id().to_uppercase();
    let asked = live.ask(&cancel(&id[..id.len() - 1])).await.unwrap();
    assert!(matches!(asked, Response::Cancelled { run: None, .. }));
    assert_eq!(
        waits.ended().await.unwrap(),
        Outcome::Suppressed {
            why: Suppression::Cancelled {
                reason: CancelReason::ServicingUpdate,
            },
        }
    );

    let error = live.ask(&cancel(&run.to_string())).await.unwrap_err();
    assert_eq!(error.code(), Code::RunEnded, "{error}");
    assert_eq!(error.task_name(), Some("here"));
    assert!(error.rule().contains("the app is being updated"), "{error}");
}

/// Arguments of so many bytes of JSON.
fn text(length: usize) -> serde_json::Value {
    "x".repeat(length - 2).into()
}

async fn bounds(app: &App, allowed: usize) {
    let mut live = inspect::connect(harness::APP).await.unwrap().unwrap();
    let fire = |length: usize| Request::Fire {
        task: "takes_anything".to_owned(),
        arguments: Some(text(length)),
    };
    let refused = [
        live.ask(&fire(allowed + 1)).await.unwrap_err(),
        app.fire("takes_anything", Some(text(allowed + 1)))
            .await
            .unwrap_err(),
        app.raise("anything", text(allowed + 1)).await.unwrap_err(),
        app.task::<takes_a_text>()
            .request("x".repeat(allowed - 1))
            .await
            .unwrap_err(),
    ];
    for error in refused {
        assert_eq!(error.code(), Code::TooLarge, "{error}");
        let sizes = format!(
            "are {} bytes of JSON, and {allowed} are allowed",
            allowed + 1
        );
        assert!(error.rule().contains(&sizes), "{error}");
        assert!(error.help().unwrap().contains("max_payload"), "{error}");
    }
    nothing_was_accepted(app).await;

    live.ask(&fire(allowed)).await.unwrap();
    app.fire("takes_anything", Some(text(allowed)))
        .await
        .unwrap();
    let raised = app.raise("anything", text(allowed)).await.unwrap();
    assert_eq!(raised.len(), 1);
    let request = app
        .task::<takes_a_text>()
        .request("x".repeat(allowed - 2))
        .await;
    let run = request.unwrap().allowed().unwrap();
    assert_eq!(run.completed().await.unwrap(), allowed - 2);
}

/// The store takes the request and refuses its start for a while.
async fn lost_before(app: &App) {
    GATE.send_replace(true);
    start_run(app, "guarded", Deed::Return(1))
        .await
        .completed()
        .await
        .unwrap();
    let refuse = "CREATE TRIGGER no_start BEFORE UPDATE OF run ON activation \
                  BEGIN SELECT RAISE(ABORT, 'not now'); END";
    change_store(refuse);
    let mut events = app.events();
    let run = start_run(app, "guarded", Deed::Return(2)).await;
    GATE.send_replace(false);
    while app.why("guarded").await.unwrap().facts[0].holds == Holds::Yes {
        tokio::task::yield_now().await;
    }
    change_store("DROP TRIGGER no_start");
    assert!(held(&mut events, "guarded").await.contains("gate_open"));
    let why = app.why("guarded").await.unwrap();
    assert_eq!((why.running.len(), why.waiting), (0, 1), "{why}");
    GATE.send_replace(true);
    let report = run.completed().await.unwrap();
    assert_eq!((report.value, report.attempt), (2, 1));
}

fn change_store(statement: &str) {
    let store = harness::home().join("state").join("bgtask");
    let store = store.join(harness::APP).join("store.db");
    let store = bgtask::rusqlite::Connection::open(store).unwrap();
    store
        .busy_timeout(std::time::Duration::from_secs(20))
        .unwrap();
    store.execute_batch(statement).unwrap();
}
