//! Notifications of the desktop, under a stand-in for it on a bus of the trial's own.

use bgtask::{Code, Toast, ToastAction, prelude::*};
use libtest_mimic::Trial;

use crate::{
    harness::{Home, event},
    power::Bus,
    trial,
};

const NAME: &str = "org.freedesktop.Notifications";
const PATH: &str = "/org/freedesktop/Notifications";

#[background_task(name = "pressed", trigger = toast_action, register = false)]
async fn pressed(toast: ToastAction) {
    let token = toast.activation_token.unwrap_or_default();
    println!("pressed {} {token}", toast.argument);
}

pub(crate) fn trials() -> Vec<Trial> {
    vec![
        trial("a_pressed_toast_runs_its_task", || {
            let home = Home::new();
            let bus = Bus::start(&home);
            let _desktop = bus.mock("notification_daemon", r#"{"capabilities": "actions"}"#);
            let mut app = bus.app_of_session(&home, "shows_a_toast");
            app.line("shown");
            let press = |signal: &str, values: &str| {
                bus.emit((NAME, PATH, NAME), signal, "us", values);
            };
            press("ActivationToken", "[dbus.UInt32(1), 'front']");
            press("ActionInvoked", "[dbus.UInt32(1), '0']");
            assert_eq!(app.line("pressed"), "archive:7 front");
            assert_eq!(app.line("pressed"), "by hand");
            app.succeeds();
        }),
        trial("without_a_desktop_toast_action_is_refused", || {
            let home = Home::new();
            let bus = Bus::start(&home);
            bus.app_of_session(&home, "cannot_show_a_toast").succeeds();
            bus.app(&home, "has_no_session_bus").succeeds();
        }),
    ]
}

pub(crate) async fn play(app: &App, name: &str) -> bool {
    let mine = app.registration("mine").entry::<pressed>();
    let mine = mine.trigger("toast_action");
    let mut events = app.events();
    let mut ended = async || {
        event(&mut events, |event| {
            let ended = matches!(event.kind, bgtask::EventKind::Ended { .. });
            (ended && event.task == "mine").then_some(())
        })
        .await;
    };
    match name {
        "shows_a_toast" => {
            mine.register().await.unwrap();
            let toast = Toast::new("A mail").button("archive:7", "Archive");
            let shown = app.show_toast(toast).await.unwrap();
            println!("shown");
            ended().await;
            let by_hand = serde_json::json!({ "argument": "by hand" });
            app.fire("mine", Some(by_hand)).await.unwrap();
            ended().await;
            let unfit = serde_json::json!({ "argument": 7 });
            let error = app.fire("mine", Some(unfit)).await.unwrap_err();
            assert_eq!(error.code(), Code::BadArguments);
            assert!(error.help().unwrap().contains("argument"), "{error}");
            app.hide_toast(shown).await;
        }
        "cannot_show_a_toast" | "has_no_session_bus" => {
            let why = if name == "has_no_session_bus" {
                "there is no session bus"
            } else {
                "nobody shows notifications"
            };
            let errors = mine.validate().await.unwrap_err();
            assert_eq!(errors.len(), 1, "{errors:?}");
            assert_eq!(errors[0].code(), Code::Unsupported);
            assert!(errors[0].rule().contains(why), "{errors:?}");
            let error = mine.register().await.unwrap_err();
            assert_eq!(error.code(), Code::Unsupported);
            let error = app.show_toast(Toast::new("A mail")).await.unwrap_err();
            assert_eq!(error.code(), Code::Unsupported);
        }
        _ => return false,
    }
    true
}
