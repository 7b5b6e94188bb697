//! The machine's power, told by stand-ins for the system's services on a bus of the trial's own.

use std::{
    io::{BufRead, BufReader},
    path::Path,
    process::{Child, Command, Stdio},
};

use bgtask::{App, EnergyLevel, EventKind, LogQuery, WorkCost, prelude::*};
use libtest_mimic::Trial;

use crate::{
    event,
    harness::{Home, Process},
    held, trial,
};

#[background_task(name = "spin up", trigger = custom("spin"), condition = ac_power)]
async fn spin_up() {}

#[background_task(name = "dust off", trigger = custom("dust"))]
async fn dust_off() {}

#[background_task(name = "note the power", trigger = system(power_state_change))]
async fn note_the_power() {}

/// Uses several times the budget on one thread.
fn burn() {
    let used = || rustix::time::clock_gettime(rustix::time::ClockId::ThreadCPUTime);
    let used = || std::time::Duration::try_from(used()).unwrap();
    let end = used() + std::time::Duration::from_millis(100);
    while used() < end {
        std::hint::spin_loop();
    }
}

#[background_task(name = "burn", trigger = custom("burn"))]
async fn burns() {
    burn();
}

#[background_task(name = "keep watch", trigger = custom("dust"), standby)]
fn keeps_watch() {}

pub(crate) fn trials() -> Vec<Trial> {
    vec![
        trial("what_needs_mains_waits_on_the_battery", || {
            let home = Home::new();
            let bus = Bus::start(&home);
            let _upower = bus.mock("upower", r#"{"OnBattery": true}"#);
            let mut app = bus.app(&home, "waits_for_mains");
            app.line("held");
            let name = "org.freedesktop.UPower";
            bus.set(name, "/org/freedesktop/UPower", "'OnBattery': False");
            app.succeeds();
        }),
        trial("while_energy_is_saved_everything_is_held", || {
            let home = Home::new();
            let bus = Bus::start(&home);
            let _profiles = bus.mock("power_profiles_daemon", "{}");
            let mut app = bus.app(&home, "is_held_while_energy_is_saved");
            let name = "net.hadess.PowerProfiles";
            let path = "/net/hadess/PowerProfiles";
            app.line("normal");
            bus.set(name, path, "'ActiveProfile': 'power-saver'");
            app.line("held");
            bus.set(name, path, "'ActiveProfile': 'balanced'");
            app.succeeds();
        }),
        trial("over_its_budget_an_app_is_held_on_the_battery", || {
            let home = Home::new();
            let bus = Bus::start(&home);
            let _upower = bus.mock("upower", r#"{"OnBattery": true}"#);
            let mut app = bus.app(&home, "is_held_over_its_budget");
            app.line("held");
            let name = "org.freedesktop.UPower";
            bus.set(name, "/org/freedesktop/UPower", "'OnBattery': False");
            app.succeeds();
            bus.set(name, "/org/freedesktop/UPower", "'OnBattery': True");
            bus.app(&home, "remembers_what_was_used").succeeds();
        }),
    ]
}

pub(crate) async fn play(app: &App, name: &str) -> bool {
    let mut events = app.events();
    let ended = |task: &'static str| {
        move |event: &bgtask::Event| {
            let ended = matches!(event.kind, EventKind::Ended { .. });
            (ended && event.task == task).then_some(())
        }
    };
    match name {
        "waits_for_mains" => {
            // Read before anything fires, so that what follows is a change.
            assert_eq!(app.work_cost().await, Some(WorkCost::Medium));
            app.raise("spin", ()).await.unwrap();
            let why = held(&mut events, "spin up").await;
            assert!(why.contains("ac_power"), "{why}");
            println!("held");
            event(&mut events, ended("spin up")).await;
            assert_eq!(app.work_cost().await, Some(WorkCost::Low));
            let history = app.history(Some("note the power"), 10).await.unwrap();
            if history.is_empty() {
                event(&mut events, ended("note the power")).await;
            }
        }
        "is_held_while_energy_is_saved" => {
            app.work_cost().await;
            println!("normal");
            event(&mut events, |event| {
                let fired = matches!(event.kind, EventKind::Fired { .. });
                (fired && event.task == "note the power").then_some(())
            })
            .await;
            app.raise("dust", ()).await.unwrap();
            let why = held(&mut events, "dust off").await;
            assert!(why.contains("energy saver"), "{why}");
            println!("held");
            event(&mut events, ended("dust off")).await;
        }
        "is_held_over_its_budget" => {
            assert_eq!(app.work_cost().await, Some(WorkCost::Medium));
            assert_eq!(app.energy_level().await.unwrap(), EnergyLevel::UnderHalf);
            // The broker hears of the battery in its own time.
            while app.energy_level().await.unwrap() != EnergyLevel::OverBudget {
                app.raise("burn", ()).await.unwrap();
                event(&mut events, ended("burn")).await;
            }
            assert_eq!(
                app.energy_prediction().await.unwrap(),
                EnergyLevel::OverBudget
            );
            let part = app.energy_contribution("burn").await.unwrap().unwrap();
            assert!(part > 50.0, "{part}");

            let throttled = async |task| app.registered(task).await.unwrap().last_throttled();
            assert_eq!(throttled("dust off").await, None);
            app.raise("dust", ()).await.unwrap();
            let why = held(&mut events, "dust off").await;
            assert!(why.contains("energy budget is spent"), "{why}");
            let why = app.why("dust off").await.unwrap().to_string();
            assert!(why.contains("energy budget is spent"), "{why}");
            while app.history(Some("keep watch"), 1).await.unwrap().is_empty() {
                event(&mut events, ended("keep watch")).await;
            }
            assert_eq!(throttled("keep watch").await, None);
            let at = throttled("dust off").await;
            assert!(at.is_some());
            println!("held");
            event(&mut events, ended("dust off")).await;

            // On mains the same budget holds nobody.
            app.raise("dust", ()).await.unwrap();
            event(&mut events, ended("dust off")).await;
            assert_eq!(app.energy_level().await.unwrap(), EnergyLevel::OverBudget);
            assert_eq!(throttled("dust off").await, at);
            let log = LogQuery {
                task: Some("dust off".to_owned()),
                ..LogQuery::default()
            };
            let log = app.log(log).await.unwrap();
            let put_off = log
                .iter()
                .filter(|event| event.kind == EventKind::Throttled);
            assert_eq!(put_off.count(), 1);
        }
        "remembers_what_was_used" => {
            assert_eq!(app.energy_level().await.unwrap(), EnergyLevel::OverBudget);
            // The broker hears of the battery in its own time; until then it runs.
            let held = async |events: &mut bgtask::Events| {
                app.fire("dust off", None).await.unwrap();
                event(events, |event| match &event.kind {
                    _ if event.task != "dust off" => None,
                    EventKind::Held { reason, .. } => Some(Some(reason.clone())),
                    EventKind::Ended { .. } => Some(None),
                    _ => None,
                })
                .await
            };
            let why = loop {
                if let Some(why) = held(&mut events).await {
                    break why;
                }
            };
            assert!(why.contains("energy budget is spent"), "{why}");
        }
        _ => return false,
    }
    true
}

/// A process that ends with its owner.
pub(crate) struct Service(Child);

impl Drop for Service {
    fn drop(&mut self) {
        self.0.kill().unwrap();
        self.0.wait().unwrap();
    }
}

/// A bus of the trial's own.
pub(crate) struct Bus {
    address: String,
    _daemon: Service,
}

impl Bus {
    pub(crate) fn start(home: &Home) -> Self {
        let config = home.path("bus.conf");
        let address = format!("unix:path={}", home.path("bus").display());
        let text = format!(
            r#"<!DOCTYPE busconfig PUBLIC "-//freedesktop//DTD D-Bus Bus Configuration 1.0//EN"
                "http://www.freedesktop.org/standards/dbus/1.0/busconfig.dtd">
            <busconfig><type>session</type><listen>{address}</listen>
            <auth>EXTERNAL</auth><policy context="default">
            <allow send_destination="*" eavesdrop="true"/><allow eavesdrop="true"/>
            <allow own="*"/><allow user="*"/>
            </policy></busconfig>"#
        );
        std::fs::write(&config, text).unwrap();
        let mut daemon = Command::new("dbus-daemon")
            .args(["--nofork", "--nopidfile", "--print-address"])
            .arg(format!("--config-file={}", config.display()))
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .expect("this trial needs the Debian package dbus");
        // It prints its address once it listens.
        first_line(&mut daemon);
        Self {
            address,
            _daemon: Service(daemon),
        }
    }

    /// A stand-in that has its name when this returns.
    pub(crate) fn mock(&self, template: &str, parameters: &str) -> Service {
        let script = "import sys, runpy\n\
            sys.argv = ['dbusmock', '--system', '--logfile', '/dev/null', '--template', sys.argv[1], '--parameters', sys.argv[2]]\n\
            from gi.repository import GLib\n\
            GLib.idle_add(lambda: print('there', flush=True))\n\
            runpy.run_module('dbusmock', run_name='__main__')\n";
        let mut child = self
            .python(script)
            .args([template, parameters])
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        first_line(&mut child);
        Service(child)
    }

    /// Makes a stand-in change a property, and tell.
    fn set(&self, name: &str, path: &str, property: &str) {
        self.set_of(name, path, name, property);
    }

    /// As [`set`](Self::set), of an interface that is not called as the service is.
    pub(crate) fn set_of(&self, name: &str, path: &str, interface: &str, property: &str) {
        let script = format!(
            "import dbus\n\
             bus = dbus.SystemBus()\n\
             bus.get_object('{name}', '{path}').UpdateProperties('{interface}', \
             dbus.Dictionary({{{property}}}, signature='sv'), dbus_interface='org.freedesktop.DBus.Mock')\n"
        );
        let status = self.python(&script).status().unwrap();
        assert!(status.success(), "{name} {property}: {status}");
    }

    /// Makes a stand-in tell a signal: the types of its values, and they as Python writes them.
    pub(crate) fn emit(
        &self,
        (name, path, interface): (&str, &str, &str),
        signal: &str,
        types: &str,
        values: &str,
    ) {
        let body = format!(
            "EmitSignal('{interface}', '{signal}', '{types}', {values}, \
             dbus_interface='org.freedesktop.DBus.Mock')"
        );
        self.order(name, path, &body);
    }

    /// Makes a method of a stand-in, of those of logind's locks, do something else.
    pub(crate) fn method(&self, name: &str, path: &str, interface: &str, method: &str, does: &str) {
        let body = format!(
            "AddMethod('{interface}', '{method}', 'ssss', 'h', \"\"\"{does}\"\"\", \
             dbus_interface='org.freedesktop.DBus.Mock')"
        );
        self.order(name, path, &body);
    }

    fn order(&self, name: &str, path: &str, body: &str) {
        let script =
            format!("import dbus\ndbus.SystemBus().get_object('{name}', '{path}').{body}\n");
        let status = self.python(&script).status().unwrap();
        assert!(status.success(), "{body}: {status}");
    }

    pub(crate) fn python(&self, script: &str) -> Command {
        let python = Path::new("/usr/bin/python3");
        let has = Command::new(python)
            .args(["-c", "import dbusmock"])
            .output();
        let has = has.is_ok_and(|output| output.status.success());
        assert!(has, "this trial needs the Debian package python3-dbusmock");
        let mut command = Command::new(python);
        command
            .args(["-c", script])
            .env("DBUS_SYSTEM_BUS_ADDRESS", &self.address)
            .env("DBUS_SESSION_BUS_ADDRESS", &self.address);
        command
    }

    /// As [`app`](Self::app), with this as the bus of the user's session too.
    pub(crate) fn app_of_session(&self, home: &Home, scenario: &str) -> Process {
        let mut command = home.command(scenario);
        command
            .env("DBUS_SYSTEM_BUS_ADDRESS", &self.address)
            .env("DBUS_SESSION_BUS_ADDRESS", &self.address);
        Process::start(command)
    }

    pub(crate) fn app(&self, home: &Home, scenario: &str) -> Process {
        let mut command = home.command(scenario);
        command.env("DBUS_SYSTEM_BUS_ADDRESS", &self.address);
        Process::start(command)
    }
}

fn first_line(child: &mut Child) {
    let mut line = String::new();
    let stdout = child.stdout.take().unwrap();
    BufReader::new(stdout).read_line(&mut line).unwrap();
    assert_ne!(line, "", "it ended");
}
