//! The machine's power, told by stand-ins for the system's services on a bus of the trial's own.

use std::{
    io::{BufRead, BufReader},
    path::Path,
    process::{Child, Command, Stdio},
};

use bgtask::{App, EventKind, WorkCost, prelude::*};
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
        _ => return false,
    }
    true
}

/// A process that ends with its owner.
struct Service(Child);

impl Drop for Service {
    fn drop(&mut self) {
        self.0.kill().unwrap();
        self.0.wait().unwrap();
    }
}

/// A bus of the trial's own.
struct Bus {
    address: String,
    _daemon: Service,
}

impl Bus {
    fn start(home: &Home) -> Self {
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
    fn mock(&self, template: &str, parameters: &str) -> Service {
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
        let script = format!(
            "import dbus\n\
             bus = dbus.SystemBus()\n\
             bus.get_object('{name}', '{path}').UpdateProperties('{name}', \
             dbus.Dictionary({{{property}}}, signature='sv'), dbus_interface='org.freedesktop.DBus.Mock')\n"
        );
        let status = self.python(&script).status().unwrap();
        assert!(status.success(), "{name} {property}: {status}");
    }

    fn python(&self, script: &str) -> Command {
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

    fn app(&self, home: &Home, scenario: &str) -> Process {
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
