//! What people who write background tasks for Windows suffer from, and do not here.

use bgtask::{App, Code, OnDuplicate, prelude::*};

use crate::{
    Family, ended, harness,
    harness::{Gate, Home},
    refused, request_access, scenarios, tell, trials,
};

pub(crate) const FAMILY: Family = Family {
    rules: scenarios![
        an_error_names_task_rule_and_remedy,
        tasks_that_share_code_can_exclude_each_other,
        an_async_task_needs_no_deferral,
        why_names_what_silently_keeps_a_task_from_running,
    ],
    parts: scenarios![registers_at_launch, registers_another_interval],
    launches: trials![
        registering_at_each_launch_does_not_reset_the_timer,
        a_changed_interval_is_applied_at_the_next_launch,
        registrations_do_not_pile_up,
    ],
};

#[background_task(name = "daily", trigger = time(1440))]
async fn daily() {}

#[background_task(name = "visits", trigger = application, register = false)]
async fn visits(task: TaskContext) {
    let gate = harness::home().join("gate");
    harness::visit_async(&gate, task.task()).await;
}

// There: "class not registered (0x80040154)".
// https://github.com/MicrosoftDocs/windows-dev-docs/issues/784
async fn an_error_names_task_rule_and_remedy(app: App) {
    let weekly = || app.registration("weekly").entry::<daily>();
    let unasked = refused(&app, weekly().trigger("time(10080)")).await;
    assert_eq!(unasked[0].code(), Code::AccessNotRequested);
    assert!(unasked[0].help().unwrap().contains("request_access"));
    request_access(&app).await;
    weekly().trigger("time(10080)").register().await.unwrap();
    for (draft, rule, remedy) in [
        (
            weekly().trigger("tmie(15)"),
            "unknown trigger `tmie`",
            "`time",
        ),
        (weekly().trigger("time(14)"), "15 to 43200 minutes", "every"),
        (
            weekly().trigger("system(sms_received)"),
            "no source for the trigger `system(sms_received)`",
            "custom",
        ),
        (weekly().trigger("device_use"), "process", "host = process"),
        (
            app.registration("weekly").trigger("time(15)"),
            "no entry point",
            ".entry::<",
        ),
        (
            weekly()
                .trigger("time(15)")
                .on_duplicate(OnDuplicate::Error),
            "another registration has this name",
            "another name",
        ),
    ] {
        let error = draft.register().await.unwrap_err();
        assert_eq!(error.task_name(), Some("weekly"), "{error}");
        assert!(error.rule().contains(rule), "{error}");
        assert!(error.help().unwrap().contains(remedy), "{error}");
    }
}

// https://github.com/CommunityToolkit/WindowsCommunityToolkit/pull/364
fn registering_at_each_launch_does_not_reset_the_timer() {
    let home = Home::new();
    for _ in 0..3 {
        home.start("registers_at_launch").succeeds();
    }
    let told = home.told();
    assert!(told.iter().all(|due| *due == told[0]), "{told:?}");
}

// https://github.com/microsoft/TemplateStudio/issues/2505
fn a_changed_interval_is_applied_at_the_next_launch() {
    let home = Home::new();
    home.start("registers_at_launch").succeeds();
    home.start("registers_another_interval").succeeds();
    let told = home.told();
    assert_ne!(told[0], told[1]);
}

// https://github.com/shinyorg/shiny/issues/511
fn registrations_do_not_pile_up() {
    let home = Home::new();
    for _ in 0..5 {
        home.start("registers_at_launch").succeeds();
        home.start("registers_another_interval").succeeds();
    }
}

async fn registers_at_launch(app: App) {
    registers(&app, "time(1440)").await;
}

async fn registers_another_interval(app: App) {
    registers(&app, "time(60)").await;
}

/// As an app does that registers all it has at each launch, and looks for nothing.
async fn registers(app: &App, trigger: &str) {
    request_access(app).await;
    app.register_declared().await.unwrap();
    let one = app.registration("one").entry::<daily>().trigger(trigger);
    let one = one.register().await.unwrap();
    assert_eq!(one.trigger(), trigger);
    let declared = app.registered("daily").await.unwrap();
    let due = [&declared, &one].map(|one| one.next_due().unwrap().to_string());
    tell(&due.join(" "));
    let all = app.registrations().await.unwrap();
    assert_eq!(all.len(), 2, "{all:#?}");
}

// https://github.com/microsoft/Windows-universal-samples/issues/558
async fn tasks_that_share_code_can_exclude_each_other(app: App) {
    request_access(&app).await;
    let gate = Gate::new(harness::home().join("gate"));
    for name in ["first", "second"] {
        let one = app.registration(name).entry::<visits>();
        let one = one.trigger("custom(\"both\")").set("exclusive", "the disk");
        one.register().await.unwrap();
    }
    let mut events = app.events();
    assert_eq!(app.raise("both", ()).await.unwrap().len(), 2);
    let visitor = gate.visitor();
    let (runs, waits) = match &*visitor.said {
        "first" => ("first", "second"),
        _ => ("second", "first"),
    };
    let why = app.why(waits).await.unwrap();
    assert_eq!((why.held.len(), why.running.len()), (1, 0), "{why}");
    assert!(why.held[0].reason.contains("the disk"), "{why}");
    visitor.pass();
    assert!(ended(&mut events, runs).await.is_completed());
    let visitor = gate.visitor();
    assert_eq!(visitor.said, waits);
    visitor.pass();
    assert!(ended(&mut events, waits).await.is_completed());
}

#[background_task(name = "waits", trigger = application, register = false)]
async fn waits() -> String {
    let gate = harness::home().join("gate");
    harness::visit_async(&gate, "here").await;
    "all of it".to_owned()
}

// https://learn.microsoft.com/uwp/api/windows.applicationmodel.background.ibackgroundtaskinstance.getdeferral
async fn an_async_task_needs_no_deferral(app: App) {
    request_access(&app).await;
    let gate = Gate::new(harness::home().join("gate"));
    let one = app.registration("one").entry::<waits>();
    let one = one.trigger("application").register().await.unwrap();
    let run = one.request::<waits>(()).await.unwrap().allowed().unwrap();
    let visitor = gate.visitor();
    assert_eq!(one.why().await.unwrap().running.len(), 1);
    visitor.pass();
    assert_eq!(run.completed().await.unwrap(), "all of it");
}

// https://github.com/microsoft/WindowsAppSDK/issues/4113
async fn why_names_what_silently_keeps_a_task_from_running(app: App) {
    request_access(&app).await;
    let why = async || app.why("one").await.unwrap().to_string();
    let one = |trigger: &str| app.registration("one").entry::<daily>().trigger(trigger);
    let mut kept = one("time(60)").register().await.unwrap();
    assert!(why().await.contains("due"), "{}", why().await);
    kept.disable().await.unwrap();
    assert!(why().await.contains("disabled"), "{}", why().await);
    kept.enable().await.unwrap();
    kept.pause().await.unwrap();
    assert!(why().await.contains("paused"), "{}", why().await);
    kept.resume().await.unwrap();
    app.remove_access().await.unwrap();
    while !why().await.contains("access") {
        tokio::task::yield_now().await;
    }
    request_access(&app).await;
    let held = one("custom(\"news\")").condition("windows::execution::sun_shines");
    held.register().await.unwrap();
    app.raise("news", ()).await.unwrap();
    while !why().await.contains("sun_shines") {
        tokio::task::yield_now().await;
    }
}
