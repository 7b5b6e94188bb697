//! What is registered, under which rules, and for how long.

use bgtask::{App, Code, OnDuplicate, Origin, RegistrationBuilder, prelude::*};

use crate::{
    Family, codes, ended, harness::Home, refused, request_access, scenarios, tell, trials,
};

pub(crate) const FAMILY: Family = Family {
    rules: scenarios![
        what_the_builder_is_told_is_registered,
        a_registration_without_a_trigger_is_refused,
        a_second_trigger_is_refused,
        an_entry_point_that_is_not_there_is_refused,
        an_empty_name_is_refused,
        freshness_below_fifteen_minutes_is_refused,
        freshness_above_thirty_days_is_refused,
        conditions_that_exclude_each_other_are_refused,
        validation_registers_nothing,
        registering_a_name_again_replaces_it,
        a_one_shot_unregisters_itself,
    ],
    parts: scenarios![tells_its_id],
    launches: trials![a_registration_keeps_its_id_over_restarts],
};

#[background_task(name = "tidy", trigger = custom("tidy"), register = false)]
async fn tidy() {}

fn tidied(app: &App) -> RegistrationBuilder {
    app.registration("tidied").entry::<tidy>()
}

// https://learn.microsoft.com/uwp/api/windows.applicationmodel.background.backgroundtaskbuilder
async fn what_the_builder_is_told_is_registered(app: App) {
    request_access(&app).await;
    let tidied = tidied(&app).trigger("time(60)").condition("internet");
    let tidied = tidied.condition("ac_power").register().await.unwrap();
    assert_eq!((tidied.name(), tidied.entry()), ("tidied", "tidy"));
    assert_eq!(
        (tidied.trigger(), tidied.origin()),
        ("time(60)".into(), Origin::Built)
    );
    let why = tidied.why().await.unwrap();
    assert_eq!(why.condition.as_deref(), Some("internet && ac_power"));
    assert!(tidied.next_due().is_some());
    let all = app.all_tasks().await.unwrap();
    assert_eq!(all[0].id(), tidied.id());
    assert_eq!(
        all.len(),
        1,
        "declared ones are registered when the app says so"
    );
}

// https://learn.microsoft.com/uwp/api/windows.applicationmodel.background.backgroundtaskbuilder.settrigger
async fn a_registration_without_a_trigger_is_refused(app: App) {
    request_access(&app).await;
    let errors = refused(&app, tidied(&app)).await;
    assert_eq!(codes(&errors), [Code::InvalidDeclaration]);
    assert!(errors[0].rule().contains("trigger"), "{}", errors[0]);
}

// https://learn.microsoft.com/windows/uwp/launch-resume/create-and-register-a-background-task
async fn a_second_trigger_is_refused(app: App) {
    request_access(&app).await;
    let two = tidied(&app).trigger("time(60)").trigger("application");
    let errors = refused(&app, two).await;
    assert_eq!(codes(&errors), [Code::InvalidDeclaration]);
    assert!(errors[0].rule().contains("one trigger"), "{}", errors[0]);
    let help = errors[0].help().unwrap();
    assert!(help.contains("another registration"), "{help}");
}

// https://learn.microsoft.com/uwp/api/windows.applicationmodel.background.backgroundtaskbuilder.taskentrypoint
async fn an_entry_point_that_is_not_there_is_refused(app: App) {
    request_access(&app).await;
    let nothing = app.registration("tidied").entry_named("windows::nothing");
    let errors = refused(&app, nothing.trigger("time(60)")).await;
    assert_eq!(codes(&errors), [Code::UnknownTask]);
}

// https://learn.microsoft.com/uwp/api/windows.applicationmodel.background.backgroundtaskbuilder.name
async fn an_empty_name_is_refused(app: App) {
    request_access(&app).await;
    let unnamed = app.registration("").entry::<tidy>().trigger("time(60)");
    let errors = refused(&app, unnamed).await;
    assert_eq!(codes(&errors), [Code::InvalidDeclaration]);
    assert!(errors[0].rule().contains("name"), "{}", errors[0]);
}

// https://learn.microsoft.com/uwp/api/windows.applicationmodel.background.timetrigger.-ctor
async fn freshness_below_fifteen_minutes_is_refused(app: App) {
    request_access(&app).await;
    for trigger in ["time(14)", "maintenance(14)"] {
        let errors = refused(&app, tidied(&app).trigger(trigger)).await;
        assert_eq!(codes(&errors), [Code::InvalidDeclaration]);
        let rule = errors[0].rule();
        assert!(rule.contains("15 to 43200 minutes"), "{rule}");
    }
    tidied(&app).trigger("time(15)").register().await.unwrap();
}

// https://learn.microsoft.com/uwp/api/windows.applicationmodel.background.maintenancetrigger.-ctor
async fn freshness_above_thirty_days_is_refused(app: App) {
    request_access(&app).await;
    for trigger in ["time(43201)", "maintenance(43201)"] {
        let errors = refused(&app, tidied(&app).trigger(trigger)).await;
        assert_eq!(codes(&errors), [Code::InvalidDeclaration]);
        let rule = errors[0].rule();
        assert!(rule.contains("15 to 43200 minutes"), "{rule}");
    }
    let longest = tidied(&app).trigger("time(43200)");
    longest.register().await.unwrap();
}

// Windows takes them, and never runs the task:
// https://learn.microsoft.com/windows/uwp/launch-resume/set-conditions-for-running-a-background-task
async fn conditions_that_exclude_each_other_are_refused(app: App) {
    request_access(&app).await;
    let never = tidied(&app).trigger("time(60)");
    let never = never.condition("internet").condition("no_internet");
    let errors = refused(&app, never).await;
    assert_eq!(codes(&errors), [Code::InvalidDeclaration]);
    let rule = errors[0].rule();
    assert!(rule.contains("internet"), "{rule}");
}

// https://learn.microsoft.com/uwp/api/windows.applicationmodel.background.backgroundtaskbuilder.validate
async fn validation_registers_nothing(app: App) {
    request_access(&app).await;
    let sound = tidied(&app).trigger("time(60)");
    sound.validate().await.unwrap();
    assert!(app.registrations().await.unwrap().is_empty());
    // All that is wrong is told, where Windows answers no.
    let wrong = tidied(&app).trigger("time(14)").condition("nternet");
    let errors = refused(&app, wrong).await;
    assert_eq!(codes(&errors), [Code::InvalidDeclaration; 2], "{errors:#?}");
}

// https://learn.microsoft.com/uwp/api/windows.applicationmodel.background.backgroundtaskbuilder.register
async fn registering_a_name_again_replaces_it(app: App) {
    request_access(&app).await;
    let first = tidied(&app).trigger("time(60)").register().await.unwrap();
    let second = tidied(&app).trigger("time(30)").register().await.unwrap();
    assert_ne!(first.id(), second.id());
    let all = app.all_tasks().await.unwrap();
    assert_eq!((all.len(), all[0].id()), (1, second.id()));
    // As `Register()` without a name: one beside the other.
    let third = tidied(&app).trigger("time(30)");
    let third = third.on_duplicate(OnDuplicate::Allow);
    third.register().await.unwrap();
    assert_eq!(app.all_tasks().await.unwrap().len(), 2);
}

// https://learn.microsoft.com/uwp/api/windows.applicationmodel.background.timetrigger.oneshot
async fn a_one_shot_unregisters_itself(app: App) {
    request_access(&app).await;
    let mut events = app.events();
    let once = tidied(&app).trigger("every(\"1ms\", once)");
    let once = once.register().await.unwrap();
    assert!(ended(&mut events, "tidied").await.is_completed());
    let left = app.all_tasks().await.unwrap();
    assert!(left.iter().all(|one| one.id() != once.id()), "{left:?}");
    // Its name is free.
    tidied(&app).trigger("time(15)").register().await.unwrap();
    assert_eq!(app.all_tasks().await.unwrap().len(), 1);
}

// https://learn.microsoft.com/uwp/api/windows.applicationmodel.background.backgroundtaskregistration.taskid
fn a_registration_keeps_its_id_over_restarts() {
    let home = Home::new();
    for _ in 0..3 {
        home.start("tells_its_id").succeeds();
    }
    let told = home.told();
    assert!(told.iter().all(|id| *id == told[0]), "{told:?}");
}

async fn tells_its_id(app: App) {
    request_access(&app).await;
    if app.all_tasks().await.unwrap().is_empty() {
        tidied(&app).trigger("time(60)").register().await.unwrap();
    }
    let all = app.all_tasks().await.unwrap();
    assert_eq!(all.len(), 1);
    tell(&all[0].id().to_string());
}
