//! What starts tasks, and in which process.

use bgtask::{App, Code, DeviceDetails, Error, prelude::*};

use crate::{
    Family, access::say_of, codes, ended, harness::Home, refused, request_access, scenarios, trials,
};

pub(crate) const FAMILY: Family = Family {
    rules: scenarios![
        triggers_that_need_a_process_are_refused_in_process,
        an_unsupported_trigger_is_refused_at_registration_not_silently_accepted,
        a_condition_that_cannot_be_known_is_refused,
        arguments_of_a_request_are_what_the_task_is_given,
        media_processing_is_requested_and_answered_as_an_application_trigger_is,
        second_media_processing_trigger_is_refused,
        second_device_use_trigger_is_refused,
        a_registered_task_is_fired_by_hand,
    ],
    parts: scenarios![registers_where_nobody_knows_the_cost],
    launches: trials![a_network_of_which_nobody_knows_the_cost_may_be_let_pass],
};

#[background_task(name = "at home", trigger = custom("here"), register = false)]
async fn here() {}

#[background_task(name = "abroad", trigger = custom("apart"), host = process, register = false)]
async fn apart() {}

#[background_task(name = "steers", trigger = device_use, host = process("devices"), register = false)]
async fn steers(device: DeviceDetails) -> String {
    device.path.display().to_string()
}

#[background_task(name = "heeds", trigger = application, register = false)]
async fn heeds(Args(words): Args<Vec<String>>) -> String {
    words.join(" ")
}

// https://learn.microsoft.com/windows/uwp/launch-resume/create-and-register-an-inproc-background-task
async fn triggers_that_need_a_process_are_refused_in_process(app: App) {
    request_access(&app).await;
    for trigger in ["device_use", "device_servicing", "voip", "startup"] {
        let draft = app.registration("one").entry::<here>().trigger(trigger);
        let errors = refused(&app, draft).await;
        let codes = codes(&errors);
        assert!(codes.contains(&Code::HostModelUnsupported), "{errors:?}");
    }
    // In a process of its own, `startup` is what it is there.
    let starts = app.registration("one").entry::<apart>();
    starts.trigger("startup").register().await.unwrap();
}

// There, a desktop app's requests are answered with `Allowed` and nothing runs:
// https://github.com/microsoft/WindowsAppSDK/issues/3840
async fn an_unsupported_trigger_is_refused_at_registration_not_silently_accepted(app: App) {
    request_access(&app).await;
    for trigger in [
        "system(control_channel_reset)",
        "system(lock_screen_application_added)",
        "system(sms_received)",
        "voip",
    ] {
        let draft = app.registration("one").entry::<apart>().trigger(trigger);
        let errors = refused(&app, draft).await;
        assert_eq!(codes(&errors), [Code::Unsupported], "{errors:?}");
        assert!(errors[0].rule().contains(trigger), "{}", errors[0]);
        assert_eq!(errors[0].task_name(), Some("one"));
        assert!(errors.iter().all(|error| Error::help(error).is_some()));
    }
}

// Windows takes any, and holds the task for ever:
// https://learn.microsoft.com/uwp/api/windows.applicationmodel.background.systemconditiontype
async fn a_condition_that_cannot_be_known_is_refused(app: App) {
    request_access(&app).await;
    for condition in ["user_present", "device_idle", "unmetered"] {
        let draft = app.registration("one").entry::<here>();
        let draft = draft.trigger("time(60)").condition(condition);
        let errors = refused(&app, draft).await;
        assert_eq!(codes(&errors), [Code::Unsupported]);
        assert!(errors[0].rule().contains(condition), "{}", errors[0]);
    }
}

// https://learn.microsoft.com/uwp/api/windows.applicationmodel.background.systemconditiontype
fn a_network_of_which_nobody_knows_the_cost_may_be_let_pass() {
    let home = Home::new();
    say_of("unknown_metering", &home.path(""), "allow");
    let app = home.start("registers_where_nobody_knows_the_cost");
    app.succeeds();
}

async fn registers_where_nobody_knows_the_cost(app: App) {
    request_access(&app).await;
    let draft = app.registration("one").entry::<here>();
    let draft = draft.trigger("time(60)").condition("free_network");
    draft.register().await.unwrap();
}

// https://learn.microsoft.com/uwp/api/windows.applicationmodel.background.applicationtriggerdetails.arguments
async fn arguments_of_a_request_are_what_the_task_is_given(app: App) {
    request_access(&app).await;
    let heeded = app.registration("heeded").entry::<heeds>();
    let heeded = heeded.trigger("application").register().await.unwrap();
    let words = ["one", "two"].map(str::to_owned).to_vec();
    let run = heeded.request::<heeds>(words).await.unwrap();
    let answer = run.allowed().unwrap().completed().await.unwrap();
    assert_eq!(answer, "one two");
}

// https://learn.microsoft.com/uwp/api/windows.applicationmodel.background.mediaprocessingtrigger.requestasync
async fn media_processing_is_requested_and_answered_as_an_application_trigger_is(app: App) {
    request_access(&app).await;
    let mixed = app.registration("mixed").entry::<heeds>();
    let mixed = mixed.trigger("media_processing").register().await.unwrap();
    let tracks = ["drums", "bass"].map(str::to_owned).to_vec();
    let run = mixed.request::<heeds>(tracks).await.unwrap();
    let answer = run.allowed().unwrap().completed().await.unwrap();
    assert_eq!(answer, "drums bass");
}

// https://learn.microsoft.com/uwp/api/windows.applicationmodel.background.mediaprocessingtrigger
async fn second_media_processing_trigger_is_refused(app: App) {
    request_access(&app).await;
    let media = |name| {
        let draft = app.registration(name).entry::<heeds>();
        draft.trigger("media_processing")
    };
    media("first").register().await.unwrap();
    let errors = refused(&app, media("second")).await;
    assert_eq!(codes(&errors), [Code::TriggerLimitExceeded], "{errors:?}");
    // It takes nothing from the one `application` trigger, and its own name is no second one.
    let other = app.registration("second").entry::<heeds>();
    other.trigger("application").register().await.unwrap();
    media("first").register().await.unwrap();
}

// https://learn.microsoft.com/uwp/api/windows.applicationmodel.background.deviceusetrigger
async fn second_device_use_trigger_is_refused(app: App) {
    request_access(&app).await;
    let steered = |name| {
        let draft = app.registration(name).entry::<steers>();
        draft.trigger("device_use")
    };
    steered("first").register().await.unwrap();
    let errors = refused(&app, steered("second")).await;
    assert_eq!(codes(&errors), [Code::TriggerLimitExceeded], "{errors:?}");
    steered("first").register().await.unwrap();
}

// https://learn.microsoft.com/windows/uwp/launch-resume/debug-a-background-task
async fn a_registered_task_is_fired_by_hand(app: App) {
    request_access(&app).await;
    let hourly = app.registration("hourly").entry::<here>();
    let hourly = hourly.trigger("time(60)").register().await.unwrap();
    let mut events = app.events();
    app.fire("hourly", None).await.unwrap();
    assert!(ended(&mut events, "hourly").await.is_completed());
    let mut now = hourly.clone();
    assert!(now.reload().await.unwrap());
    assert_eq!(now.next_due(), hourly.next_due(), "its time is as it was");
}
