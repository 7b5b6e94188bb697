//! Tasks that keep the system awake, under a stand-in for logind on a bus of the trial's own.

use bgtask::{Code, prelude::*};
use libtest_mimic::Trial;

use crate::{
    harness::{self, Home, visit_async},
    power::Bus,
    trial,
};

#[background_task(name = "stay up", trigger = application)]
async fn stay_up() {
    visit_async(&harness::home().join("gate"), "up").await;
}

pub(crate) fn trials() -> Vec<Trial> {
    vec![
        trial(
            "a_task_that_needs_the_network_keeps_the_system_awake",
            keeps_awake,
        ),
        trial(
            "without_logind_what_needs_the_network_is_refused",
            without_logind,
        ),
        trial("a_logind_that_comes_later_is_found", logind_comes),
    ]
}

fn logind_comes() {
    let home = Home::new();
    let bus = Bus::start(&home);
    let mut app = bus.app(&home, "waits_for_a_logind");
    app.line("refused");
    let _logind = bus.mock("logind", "{}");
    app.succeeds();
}

fn keeps_awake() {
    let home = Home::new();
    let gate = home.gate();
    let bus = Bus::start(&home);
    let _logind = bus.mock("logind", "{}");
    let mut app = bus.app(&home, "keeps_the_system_awake");
    let visitor = gate.visitor();
    let lock = "sleep:idle|app-under-test|the task `mine` needs the network|block";
    locks(&bus, &[lock]);
    visitor.pass();
    app.line("ended");
    locks(&bus, &[]);
    app.signal(rustix::process::Signal::TERM);
    app.succeeds();
}

/// Waits until these locks are held, and no others.
pub(crate) fn locks(bus: &Bus, expected: &[&str]) {
    let script = "import dbus, sys\n\
        logind = dbus.SystemBus().get_object('org.freedesktop.login1', '/org/freedesktop/login1')\n\
        while True:\n    \
            locks = logind.ListInhibitors(dbus_interface='org.freedesktop.login1.Manager')\n    \
            if ['|'.join(lock[:4]) for lock in locks] == sys.argv[1:]: break\n";
    let mut waits = bus.python(script);
    let waits = waits.args(expected).stdout(std::process::Stdio::piped());
    let child = waits.spawn().unwrap();
    harness::gone(child.id());
    let done = child.wait_with_output().unwrap();
    assert!(done.status.success(), "{done:?}");
}

fn without_logind() {
    let home = Home::new();
    harness::check("cannot_keep_the_system_awake");
    let bus = Bus::start(&home);
    bus.app(&home, "cannot_keep_the_system_awake").succeeds();
}

pub(crate) async fn play(app: &App, name: &str) -> bool {
    let mine = app.registration("mine").entry::<stay_up>();
    let mine = mine.trigger("application").set("network_requested", true);
    match name {
        "keeps_the_system_awake" => {
            let mine = mine.register().await.unwrap();
            let run = mine
                .request::<stay_up>(())
                .await
                .unwrap()
                .allowed()
                .unwrap();
            run.completed().await.unwrap();
            println!("ended");
            app.run_until_shutdown().await.unwrap();
        }
        "waits_for_a_logind" => {
            mine.validate().await.unwrap_err();
            println!("refused");
            while mine.validate().await.is_err() {}
            mine.register().await.unwrap();
        }
        "cannot_keep_the_system_awake" => {
            let error = mine.validate().await.unwrap_err().remove(0);
            assert_eq!(error.code(), Code::Unsupported);
            assert!(error.rule().contains("`network_requested`"), "{error}");
            assert!(error.help().unwrap().contains("systemd-logind"), "{error}");
            assert_eq!(mine.register().await.unwrap_err().code(), Code::Unsupported);
        }
        _ => return false,
    }
    true
}
