//! Against a stand-in for the service of notifications, on a bus of our own.

use std::time::Duration;

use bgtask_model::Trigger;
use jiff::Timestamp;
use tokio::{sync::mpsc, time::timeout};
use zbus::wire::{OwnedVariant, Variant};

use super::*;
use crate::{
    ToastAction,
    clock::ManualClock,
    monitor::{
        Change,
        bench::PATIENCE,
        bus_bench::{Bus, Process},
    },
};

const NAME: &str = "org.freedesktop.Notifications";
const PATH: &str = "/org/freedesktop/Notifications";

struct Bench {
    bus: Bus,
    toasts: Toasts,
    told: mpsc::UnboundedReceiver<Change>,
}

impl Bench {
    fn new() -> Self {
        let bus = Bus::start();
        let (changes, told) = mpsc::unbounded_channel();
        let place = Place {
            app: "com.example.mail".to_owned(),
            session_bus: Some(bus.address.clone()),
        };
        // Nothing waits for it to move.
        let clock = Arc::new(ManualClock::new(Timestamp::UNIX_EPOCH));
        let toasts = Toasts::start(place, clock, changes);
        Self { bus, toasts, told }
    }

    /// Somebody who shows notifications and can do this.
    async fn desktop(&self, capabilities: &str) -> Process {
        let parameters = format!("{{\"capabilities\": \"{capabilities}\"}}");
        let desktop = self.bus.mock_with("notification_daemon", &parameters);
        self.bus.owned(NAME).await;
        desktop
    }

    /// The desktop tells something.
    async fn tell(&self, signal: &str, toast: ToastId, value: impl Into<Variant<'static>>) {
        let value: Variant<'static> = value.into();
        let types = match value {
            Variant::U32(_) => "uu",
            _ => "us",
        };
        let values = vec![Variant::from(toast.0), value];
        let body = (NAME, signal, types, values);
        self.bus.call(NAME, PATH, "EmitSignal", &body).await;
    }

    /// What was pressed next.
    async fn pressed(&mut self) -> ToastAction {
        let change = timeout(PATIENCE, self.told.recv()).await;
        let change = change.expect("something is told").expect("it runs");
        let Change::Raised { trigger, details } = change else {
            panic!("{change:?}");
        };
        assert_eq!(trigger, Trigger::ToastAction);
        details.toast.expect("what was pressed")
    }

    /// The arguments of what the desktop was asked to show last.
    async fn shown(&self) -> Vec<OwnedVariant> {
        let bus = zbus::conn::Builder::address(&*self.bus.address);
        let bus = bus.build().await.expect("a bus");
        let mock = Some("org.freedesktop.DBus.Mock");
        let calls = bus.call_method(Some(NAME), PATH, mock, "GetMethodCalls", &("Notify",));
        let calls = calls.await.expect("an answer");
        let mut calls: Vec<(u64, Vec<OwnedVariant>)> = calls.body().deserialize().expect("calls");
        calls.pop().expect("a call").1
    }
}

fn mail() -> Toast {
    Toast::new("A mail from Ada")
        .body("a < b & c")
        .argument("open:7")
        .button("archive:7", "Archive")
        .button("delete:7", "Delete")
}

#[tokio::test]
async fn what_is_pressed_of_a_toast_is_told() {
    let mut bench = Bench::new();
    let _desktop = bench.desktop("actions body body-markup").await;
    assert_eq!(bench.toasts.learn().await, Shows::Yes);
    let toast = bench.toasts.show(mail()).await.expect("shown");
    let [app, replaces, icon, title, body, actions, ..] = &bench.shown().await[..] else {
        panic!("seven arguments and more");
    };
    let text = |value: &OwnedVariant| String::try_from(value.clone()).expect("text");
    assert_eq!(text(app), "com.example.mail");
    assert_eq!(u32::try_from(replaces.clone()).expect("a number"), 0);
    assert_eq!(text(icon), "");
    assert_eq!(text(title), "A mail from Ada");
    assert_eq!(text(body), "a &lt; b &amp; c");
    let actions = Vec::<String>::try_from(actions.clone()).expect("texts");
    assert_eq!(actions, ["default", "", "0", "Archive", "1", "Delete"]);

    let other = bench.toasts.show(Toast::new("Other").argument("other"));
    let other = other.await.expect("shown");
    assert_ne!(toast, other);
    for (toast, key, argument) in [
        (toast, "1", "delete:7"),
        (other, "default", "other"),
        (toast, "0", "archive:7"),
        (toast, "default", "open:7"),
    ] {
        bench.tell("ActionInvoked", toast, key).await;
        let pressed = bench.pressed().await;
        assert_eq!((&*pressed.argument, pressed.toast), (argument, toast));
        assert_eq!(pressed.activation_token, None);
    }
    bench.tell("ActivationToken", toast, "front").await;
    bench.tell("ActionInvoked", toast, "0").await;
    let token = bench.pressed().await.activation_token;
    assert_eq!(token.as_deref(), Some("front"));

    // What was closed, what has no such part, and what others show is not told.
    bench.tell("NotificationClosed", toast, 2_u32).await;
    bench.tell("ActionInvoked", toast, "0").await;
    bench.tell("ActionInvoked", ToastId(99), "0").await;
    for key in ["0", "banana", ""] {
        bench.tell("ActionInvoked", other, key).await;
    }
    bench.tell("ActionInvoked", other, "default").await;
    assert_eq!(bench.pressed().await.argument, "other");
    bench.toasts.hide(other).await;
    bench.tell("ActionInvoked", other, "default").await;
    let last = bench.toasts.show(Toast::new("Last").argument("last"));
    let last = last.await.expect("shown");
    bench.tell("ActionInvoked", last, "default").await;
    assert_eq!(bench.pressed().await.argument, "last");
}

#[tokio::test]
async fn only_who_shows_a_toast_is_believed() {
    let mut bench = Bench::new();
    let _desktop = bench.desktop("actions").await;
    let toast = bench.toasts.show(mail()).await.expect("shown");
    let liar = zbus::conn::Builder::address(&*bench.bus.address);
    let liar = liar.build().await.expect("a bus");
    let body = (toast.0, "0");
    let lie = liar.emit_signal(None::<&str>, PATH, NAME, "ActionInvoked", &body);
    lie.await.expect("sent");
    // What the same connection said is there before what it says of itself.
    bench.tell("ActionInvoked", toast, "1").await;
    assert_eq!(bench.pressed().await.argument, "delete:7");
    assert!(bench.told.try_recv().is_err());
}

#[tokio::test]
async fn a_desktop_that_comes_back_knows_no_toast_of_the_last_one() {
    let mut bench = Bench::new();
    let desktop = bench.desktop("actions").await;
    let toast = bench.toasts.show(mail()).await.expect("shown");
    desktop.end();
    let _desktop = bench.desktop("actions").await;
    let again = bench.toasts.show(Toast::new("Again").argument("again"));
    let again = again.await.expect("shown");
    assert_eq!(toast, again, "it counts from the beginning");
    bench.tell("ActionInvoked", again, "0").await;
    bench.tell("ActionInvoked", again, "default").await;
    assert_eq!(bench.pressed().await.argument, "again");
}

#[tokio::test]
async fn what_is_missing_for_toasts_is_found_out() {
    let bench = Bench::new();
    assert_eq!(bench.toasts.known(), Shows::Yes, "nobody asked yet");
    assert_eq!(bench.toasts.learn().await, Shows::NoService);
    assert_eq!(bench.toasts.known(), Shows::NoService);
    assert!(bench.toasts.show(mail()).await.is_err());
    let plain = bench.desktop("body").await;
    assert_eq!(bench.toasts.learn().await, Shows::NoButtons);
    let toast = bench.toasts.show(mail()).await;
    assert!(toast.is_ok(), "{toast:?}");
    let body = bench.shown().await[4].clone();
    assert_eq!(
        String::try_from(body).expect("text"),
        "a < b & c",
        "no markup"
    );
    plain.end();
    // Somebody who can be started is there as good as now.
    let services = bench.bus.folder.path().join("services");
    std::fs::create_dir_all(&services).expect("made");
    let service = format!("[D-BUS Service]\nName={NAME}\nExec=/bin/false\n");
    std::fs::write(services.join("desktop.service"), service).expect("written");
    let bus = zbus::conn::Builder::address(&*bench.bus.address);
    let bus = bus.build().await.expect("a bus");
    let driver = Some("org.freedesktop.DBus");
    let path = "/org/freedesktop/DBus";
    let reload = bus.call_method(driver, path, driver, "ReloadConfig", &());
    reload.await.expect("read again");
    let learned = timeout(PATIENCE, async {
        // The bus tells of the end of the one that was there in its own time.
        while bench.toasts.learn().await != Shows::Yes {}
    });
    learned.await.expect("it can be started");

    let (changes, _told) = mpsc::unbounded_channel();
    let place = Place {
        app: "com.example.mail".to_owned(),
        session_bus: Some("unix:path=/nonexistent/bus".to_owned()),
    };
    let clock = Arc::new(ManualClock::new(Timestamp::UNIX_EPOCH));
    let nowhere = Toasts::start(place, clock, changes);
    assert_eq!(nowhere.learn().await, Shows::NoBus);
    let refused = timeout(Duration::from_secs(20), nowhere.show(mail())).await;
    assert!(refused.expect("an answer").is_err());
}
