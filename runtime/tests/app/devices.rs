//! Work on devices, which ends with them: a node of the kernel's, and a terminal that goes away.

use std::{
    os::fd::OwnedFd,
    path::{Path, PathBuf},
    time::Duration,
};

use bgtask::{
    App, CancelReason, Code, DeviceDetails, DeviceRequestOutcome, EventKind, Outcome, Suppression,
    prelude::*,
};
use libtest_mimic::Trial;
use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
use serde::{Deserialize, Serialize};

use crate::{
    checked,
    harness::{self, Home, Process, visit_async},
    power::Bus,
    trial,
};

/// Names the terminal to the app.
const TERMINAL: &str = "TEST_TERMINAL";

#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Given {
    id: PathBuf,
    path: PathBuf,
    expected: Option<Duration>,
    words: Vec<String>,
}

/// Says what it is given; with a gate, waits there.
#[background_task(name = "use a device", trigger = device_use, host = process("devices"))]
#[background_task(name = "service a device", trigger = device_servicing, host = process("devices"), overlap = queue(4))]
async fn on_device(
    task: TaskContext,
    device: DeviceDetails,
    Args(words): Args<Vec<String>>,
) -> Result<Given, Cancelled> {
    if let [gate] = &words[..] {
        tokio::select! {
            () = visit_async(Path::new(gate), "here") => {}
            _ = task.cancelled() => {}
        }
        task.checkpoint()?;
    }
    Ok(Given {
        id: device.id,
        path: device.path,
        expected: device.expected,
        words,
    })
}

pub(crate) fn trials() -> Vec<Trial> {
    let mut trials: Vec<Trial> = [
        "a_request_for_a_device_is_given_it",
        "a_device_that_is_not_there_is_refused",
        "a_request_for_a_device_has_one_of_four_answers",
        "without_a_device_nothing_is_fired",
    ]
    .map(checked)
    .into();
    trials.push(trial("a_run_ends_with_its_device", || {
        let home = Home::new();
        let gate = home.gate();
        let (terminal, name) = terminal();
        let mut command = home.command("ends_with_its_device");
        command.env(TERMINAL, name);
        let mut app = Process::start(command);
        let visitor = gate.visitor();
        app.line("one waits");
        drop(terminal);
        visitor.leaves();
        app.succeeds();
    }));
    trials.push(trial(
        "a_low_battery_keeps_a_device_from_being_serviced",
        || {
            let home = Home::new();
            let bus = Bus::start(&home);
            let _upower = bus.mock("upower", r#"{"OnBattery": true}"#);
            charge(&bus, 33);
            bus.app(&home, "is_too_low").succeeds();
            charge(&bus, 34);
            bus.app(&home, "is_enough").succeeds();
        },
    ));
    trials
}

/// A terminal, which is there while the first part is, and its name.
fn terminal() -> (OwnedFd, String) {
    let master = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY | OpenptFlags::CLOEXEC).unwrap();
    grantpt(&master).unwrap();
    unlockpt(&master).unwrap();
    let name = ptsname(&master, Vec::new()).unwrap();
    (master, name.into_string().unwrap())
}

fn charge(bus: &Bus, percent: u32) {
    bus.set_of(
        "org.freedesktop.UPower",
        "/org/freedesktop/UPower/devices/DisplayDevice",
        "org.freedesktop.UPower.Device",
        &format!("'Type': dbus.UInt32(2), 'IsPresent': True, 'Percentage': dbus.Double({percent})"),
    );
}

pub(crate) async fn play(app: &App, name: &str) -> bool {
    match name {
        "a_request_for_a_device_is_given_it" => given(app).await,
        "a_device_that_is_not_there_is_refused" => not_there(app).await,
        "a_request_for_a_device_has_one_of_four_answers" => answers(app).await,
        "without_a_device_nothing_is_fired" => {
            let error = app.fire("use a device", None).await.unwrap_err();
            assert_eq!(error.code(), Code::BadArguments, "{error}");
            let words = Some(serde_json::json!([]));
            let error = app.fire("use a device", words).await.unwrap_err();
            assert_eq!(error.code(), Code::Unsupported, "{error}");
            assert!(error.help().unwrap().contains("request_device"), "{error}");
        }
        "ends_with_its_device" => ends(app).await,
        "is_too_low" => assert!(matches!(
            serviced(app).await,
            DeviceRequestOutcome::LowBattery
        )),
        "is_enough" => {
            serviced(app).await.allowed().unwrap();
            // Its use asks for no charge.
            let using = app.task_named::<on_device>("use a device").unwrap();
            let run = using.request_device("/dev/null", Vec::new()).await;
            run.unwrap().allowed().unwrap();
        }
        _ => return false,
    }
    true
}

async fn serviced(app: &App) -> DeviceRequestOutcome<on_device> {
    let servicing = app.task_named::<on_device>("service a device").unwrap();
    let expected = Duration::from_secs(60);
    let asked = servicing.request_servicing("/dev/null", expected, Vec::new());
    asked.await.unwrap()
}

async fn given(app: &App) {
    let using = app.task_named::<on_device>("use a device").unwrap();
    let words = ["one", "two"].map(str::to_owned).to_vec();
    let run = using.request_device("/sys/class/mem/null", words.clone());
    let run = run.await.unwrap().allowed().unwrap();
    let given = Given {
        id: "/sys/class/mem/null".into(),
        path: "/sys/devices/virtual/mem/null".into(),
        expected: None,
        words,
    };
    assert_eq!(run.completed().await.unwrap(), given);
    let given = serviced(app).await.allowed().unwrap();
    let given = given.completed().await.unwrap();
    assert_eq!(given.expected, Some(Duration::from_secs(60)));
    assert_eq!(given.path, Path::new("/dev/null"));
}

async fn not_there(app: &App) {
    let using = app.task_named::<on_device>("use a device").unwrap();
    for id in ["/dev/no-such-device", "/etc/hostname", "null"] {
        let error = using.request_device(id, Vec::new()).await.unwrap_err();
        assert_eq!(error.code(), Code::UnknownDevice, "{error}");
        assert_eq!(error.task_name(), Some("use a device"));
    }
    // A task with another trigger has none.
    let error = app.task_named::<on_device>("one_at_a_time").unwrap_err();
    assert_eq!(error.code(), Code::BadArguments);
    assert!(app.history(None, 1).await.unwrap().is_empty());
}

async fn answers(app: &App) {
    let gate = harness::Gate::new(harness::home().join("gate"));
    let waits = vec![gate.path().display().to_string()];
    let using = app.task_named::<on_device>("use a device").unwrap();
    let run = using.request_device("/dev/null", waits).await.unwrap();
    let run = run.allowed().unwrap();
    let visitor = gate.visitor();
    let second = using.request_device("/dev/null", Vec::new()).await.unwrap();
    assert!(
        matches!(second, DeviceRequestOutcome::DeniedBySystem),
        "{second:?}"
    );
    let error = second.allowed().unwrap_err();
    assert_eq!(error.code(), Code::NotAccepted);
    visitor.pass();
    run.completed().await.unwrap();

    let mut registered = app.registered("use a device").await.unwrap();
    registered.disable().await.unwrap();
    let third = using.request_device("/dev/null", Vec::new()).await.unwrap();
    assert!(
        matches!(third, DeviceRequestOutcome::DeniedByUser),
        "{third:?}"
    );
}

/// What runs is asked to stop, and what waits never starts.
async fn ends(app: &App) {
    let terminal = std::env::var(TERMINAL).unwrap();
    let servicing = app.task_named::<on_device>("service a device").unwrap();
    let gate = harness::home().join("gate").display().to_string();
    let first = servicing.request_device(&terminal, vec![gate]).await;
    let mut first = first.unwrap().allowed().unwrap();
    let mut events = app.events();
    let second = servicing.request_device(&terminal, Vec::new()).await;
    let mut second = second.unwrap().allowed().unwrap();
    println!("one waits");
    match first.ended().await.unwrap() {
        Outcome::Cancelled { reason, .. } => assert_eq!(reason, CancelReason::SystemPolicy),
        other => panic!("{other:?}"),
    }
    match second.ended().await.unwrap() {
        Outcome::Suppressed { why } => assert_eq!(
            why,
            Suppression::Cancelled {
                reason: CancelReason::SystemPolicy
            }
        ),
        other => panic!("{other:?}"),
    }
    harness::event(&mut events, |event| {
        let asked = matches!(event.kind, EventKind::CancelRequested { .. });
        asked.then_some(())
    })
    .await;
    let error = servicing.request_device(&terminal, Vec::new()).await;
    assert_eq!(error.unwrap_err().code(), Code::UnknownDevice);
}
