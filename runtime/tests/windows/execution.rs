//! Where a task runs, when it may start, and how long it may take.

use std::{
    sync::LazyLock,
    thread::{self, ThreadId},
    time::Duration,
};

use bgtask::{
    App, EventKind, Explanation, Holds, Outcome, RunError, manifest::Manifest, model::Trigger,
    prelude::*,
};
use tokio::sync::watch;

use crate::{Family, ended, harness, harness::Gate, request_access, scenarios};

pub(crate) const FAMILY: Family = Family {
    rules: scenarios![
        an_unset_entry_point_runs_in_process,
        a_task_in_process_runs_off_the_main_thread,
        conditions_latch_until_all_are_true,
        a_condition_lost_during_the_run_is_ignored_unless_asked,
        a_failed_run_is_an_error_where_its_result_is_taken,
        short_tasks_have_25_seconds_and_long_ones_ten_minutes,
        a_task_has_five_seconds_after_it_was_told_to_end,
        there_are_twelve_reasons_in_windows_order,
        a_second_cancellation_changes_no_reason,
    ],
    parts: &[],
    launches: &[],
};

#[background_task(name = "here", trigger = application, register = false)]
async fn here() -> u32 {
    std::process::id()
}

#[background_task(name = "apart", trigger = application, host = process, register = false)]
async fn apart() -> u32 {
    std::process::id()
}

// https://learn.microsoft.com/windows/uwp/launch-resume/create-and-register-an-inproc-background-task
async fn an_unset_entry_point_runs_in_process(app: App) {
    request_access(&app).await;
    let one = app.registration("here").entry::<here>();
    let one = one.trigger("application").register().await.unwrap();
    let run = one.request::<here>(()).await.unwrap().allowed().unwrap();
    assert_eq!(run.completed().await.unwrap(), std::process::id());
    one.unregister(false).await.unwrap();
    let other = app.registration("apart").entry::<apart>();
    let other = other.trigger("application").register().await.unwrap();
    let run = other.request::<apart>(()).await.unwrap().allowed().unwrap();
    assert_ne!(run.completed().await.unwrap(), std::process::id());
}

/// The thread of the body that ran last.
static RAN_ON: LazyLock<watch::Sender<Option<ThreadId>>> = LazyLock::new(watch::Sender::default);

#[background_task(name = "waits here", trigger = custom("go"), register = false)]
async fn waits_here() {
    RAN_ON.send_replace(Some(thread::current().id()));
}

#[background_task(name = "works here", trigger = custom("go"), register = false)]
fn works_here() {
    RAN_ON.send_replace(Some(thread::current().id()));
}

// https://learn.microsoft.com/windows/uwp/launch-resume/create-and-register-an-inproc-background-task
async fn a_task_in_process_runs_off_the_main_thread(app: App) {
    request_access(&app).await;
    for entry in ["waits here", "works here"] {
        let one = app.registration(entry.to_uppercase()).entry_named(entry);
        let one = one.trigger("custom(\"go\")").register().await.unwrap();
        let mut events = app.events();
        app.raise("go", ()).await.unwrap();
        assert!(ended(&mut events, one.name()).await.is_completed());
        let ran_on = RAN_ON.send_replace(None);
        assert!(ran_on.is_some() && ran_on != crate::MAIN.get().copied());
        one.unregister(false).await.unwrap();
    }
}

static SUN: LazyLock<watch::Sender<bool>> = LazyLock::new(watch::Sender::default);
static WIND: LazyLock<watch::Sender<bool>> = LazyLock::new(watch::Sender::default);

#[background_condition]
async fn sun_shines(report: ConditionReporter) {
    follow(&SUN, report).await;
}

#[background_condition]
async fn wind_blows(report: ConditionReporter) {
    follow(&WIND, report).await;
}

async fn follow(weather: &watch::Sender<bool>, report: ConditionReporter) {
    let mut weather = weather.subscribe();
    loop {
        report.set(*weather.borrow_and_update());
        if weather.changed().await.is_err() {
            return;
        }
    }
}

#[background_task(name = "sails", trigger = custom("cast off"), register = false)]
async fn sails() {}

/// Waits until the conditions are seen to be so.
async fn seen(app: &App, task: &str, expected: &[Holds]) -> Explanation {
    loop {
        let why = app.why(task).await.unwrap();
        if why
            .facts
            .iter()
            .map(|fact| fact.holds)
            .eq(expected.iter().copied())
        {
            return why;
        }
        tokio::task::yield_now().await;
    }
}

// https://learn.microsoft.com/windows/uwp/launch-resume/set-conditions-for-running-a-background-task
async fn conditions_latch_until_all_are_true(app: App) {
    use Holds::{No, Yes};

    request_access(&app).await;
    let sailed = app.registration("sailed").entry::<sails>();
    let sailed = sailed
        .trigger("custom(\"cast off\")")
        .condition("windows::execution::sun_shines")
        .condition("windows::execution::wind_blows");
    sailed.register().await.unwrap();
    seen(&app, "sailed", &[No, No]).await;
    let mut events = app.events();
    app.raise("cast off", ()).await.unwrap();
    // Each of them is true once, and never both.
    for (weather, facts) in [(&SUN, [Yes, No]), (&WIND, [No, Yes])] {
        weather.send_replace(true);
        let why = seen(&app, "sailed", &facts).await;
        assert_eq!((why.held.len(), why.running.len()), (1, 0), "{why}");
        weather.send_replace(false);
        seen(&app, "sailed", &[No, No]).await;
    }
    assert!(app.history(Some("sailed"), 0).await.unwrap().is_empty());
    SUN.send_replace(true);
    WIND.send_replace(true);
    assert!(ended(&mut events, "sailed").await.is_completed());
}

#[background_task(name = "stays out", trigger = custom("cast off"), register = false)]
async fn stays_out(task: TaskContext) -> Result<(), Cancelled> {
    let gate = harness::home().join("gate");
    tokio::select! {
        () = harness::visit_async(&gate, "out") => Ok(()),
        reason = task.cancelled() => Err(Cancelled(reason)),
    }
}

// https://learn.microsoft.com/uwp/api/windows.applicationmodel.background.backgroundtaskbuilder.cancelonconditionloss
async fn a_condition_lost_during_the_run_is_ignored_unless_asked(app: App) {
    request_access(&app).await;
    let gate = Gate::new(harness::home().join("gate"));
    for asked in [false, true] {
        SUN.send_replace(true);
        let sailed = app.registration("sailed").entry::<stays_out>();
        let sailed = sailed
            .trigger("custom(\"cast off\")")
            .condition("windows::execution::sun_shines")
            .cancel_on_condition_loss(asked);
        sailed.register().await.unwrap();
        let mut events = app.events();
        app.raise("cast off", ()).await.unwrap();
        let visitor = gate.visitor();
        SUN.send_replace(false);
        let why = seen(&app, "sailed", &[Holds::No]).await;
        if asked {
            visitor.leaves();
        } else {
            assert_eq!(why.running[0].cancelled, None);
            visitor.pass();
        }
        let outcome = ended(&mut events, "sailed").await;
        let cancelled = match outcome {
            Outcome::Completed { .. } => None,
            Outcome::Cancelled { reason, .. } => Some(reason),
            other => panic!("{other}"),
        };
        assert_eq!(cancelled, asked.then_some(CancelReason::ConditionLoss));
    }
}

#[background_task(name = "fails", trigger = application, register = false)]
async fn fails() -> Result<(), String> {
    Err("no wind".to_owned())
}

// https://learn.microsoft.com/uwp/api/windows.applicationmodel.background.backgroundtaskcompletedeventargs.checkresult
async fn a_failed_run_is_an_error_where_its_result_is_taken(app: App) {
    request_access(&app).await;
    let failed = app.registration("failed").entry::<fails>();
    let failed = failed.trigger("application").register().await.unwrap();
    let run = failed.request::<fails>(()).await.unwrap();
    let error = run.allowed().unwrap().completed().await.unwrap_err();
    assert!(error.to_string().contains("no wind"), "{error}");
    let _: RunError = error;
}

// https://learn.microsoft.com/windows/uwp/launch-resume/guidelines-for-background-tasks
async fn short_tasks_have_25_seconds_and_long_ones_ten_minutes(_: App) {
    for (trigger, seconds) in [
        ("time(15)", Some(25)),
        ("system(time_zone_change)", Some(25)),
        ("push", Some(25)),
        ("application", Some(600)),
        ("media_processing", Some(600)),
        ("maintenance(15)", Some(600)),
        ("device_use", Some(600)),
        ("device_servicing", Some(1800)),
        ("startup", None),
        ("app_service(\"name\")", None),
    ] {
        let quota = trigger.parse::<Trigger>().unwrap().quota();
        assert_eq!(quota, seconds.map(Duration::from_secs), "{trigger}");
    }
}

// https://learn.microsoft.com/windows/uwp/launch-resume/handle-a-cancelled-background-task
async fn a_task_has_five_seconds_after_it_was_told_to_end(_: App) {
    let manifest = Manifest::of_this_program().unwrap();
    let mut graces = manifest.tasks().iter().map(|one| one.declaration.grace());
    assert!(graces.all(|grace| grace == Duration::from_secs(5)));
}

// https://learn.microsoft.com/uwp/api/windows.applicationmodel.background.backgroundtaskcancellationreason
async fn there_are_twelve_reasons_in_windows_order(_: App) {
    let words = [
        "abort",
        "terminating",
        "logging_off",
        "servicing_update",
        "idle_task",
        "uninstall",
        "condition_loss",
        "system_policy",
        "quiet_hours_entered",
        "execution_time_exceeded",
        "resource_revocation",
        "energy_saver",
    ];
    assert_eq!(CancelReason::ALL.map(CancelReason::word), words);
    for (value, reason) in CancelReason::ALL.into_iter().enumerate() {
        assert_eq!(reason as usize, value, "Windows' value");
    }
}

#[background_task(name = "says why", trigger = application, register = false)]
async fn says_why(task: TaskContext) -> String {
    task.cancelled().await;
    let gate = harness::home().join("gate");
    harness::visit_async(&gate, "asked").await;
    task.cancel_reason().unwrap().word().to_owned()
}

// https://learn.microsoft.com/uwp/api/windows.applicationmodel.background.ibackgroundtaskinstance.canceled
async fn a_second_cancellation_changes_no_reason(app: App) {
    request_access(&app).await;
    let gate = Gate::new(harness::home().join("gate"));
    let one = app.registration("one").entry::<says_why>();
    let one = one.trigger("application").register().await.unwrap();
    let mut events = app.events();
    let run = one.request::<says_why>(()).await.unwrap();
    let run = run.allowed().unwrap();
    run.cancel(CancelReason::ResourceRevocation).await.unwrap();
    let visitor = gate.visitor();
    run.cancel(CancelReason::Abort).await.unwrap();
    visitor.pass();
    let mut reasons = Vec::new();
    loop {
        match events.next().await.unwrap().kind {
            EventKind::CancelRequested { reason, .. } => reasons.push(reason),
            EventKind::Ended { .. } => break,
            _ => {}
        }
    }
    assert_eq!(reasons, [CancelReason::ResourceRevocation]);
    assert_eq!(run.completed().await.unwrap(), "resource_revocation");
}
