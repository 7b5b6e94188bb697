//! A bus of our own for tests, with stand-ins for the services on it.

use std::{
    io::{BufRead, BufReader},
    path::Path,
    process::{Child, Command, Stdio},
};

use tempfile::TempDir;
use zbus::DynamicType;

/// A command that comes with a Debian package is not there.
pub(crate) fn missing(package: &str, command: &[&str], error: &std::io::Error) -> ! {
    panic!("{command:?}: {error}; this test needs the Debian package {package}");
}

/// A process that ends with its owner.
pub(crate) struct Process(pub(super) Child);

impl Process {
    pub(super) fn id(&self) -> u32 {
        self.0.id()
    }

    pub(crate) fn end(self) {
        drop(self);
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.0.kill().expect("killed");
        self.0.wait().expect("its end");
    }
}

/// A bus of our own.
pub(crate) struct Bus {
    pub(crate) daemon: Process,
    pub(crate) address: String,
    pub(crate) folder: TempDir,
}

impl Bus {
    pub(crate) fn start() -> Self {
        Self::start_in(tempfile::tempdir().expect("a folder"))
    }

    pub(crate) fn start_in(folder: TempDir) -> Self {
        let (daemon, address) = Self::run(folder.path());
        Self {
            daemon,
            address,
            folder,
        }
    }

    fn run(folder: &Path) -> (Process, String) {
        let socket = folder.join("bus");
        let socket = socket.to_str().expect("plain text");
        let services = folder.join("services");
        let services = services.display();
        let config = format!(
            r#"<!DOCTYPE busconfig PUBLIC "-//freedesktop//DTD D-Bus Bus Configuration 1.0//EN"
                "http://www.freedesktop.org/standards/dbus/1.0/busconfig.dtd">
            <busconfig><type>session</type><listen>unix:path={socket}</listen>
            <servicedir>{services}</servicedir>
            <auth>EXTERNAL</auth><policy context="default">
            <allow send_destination="*" eavesdrop="true"/><allow eavesdrop="true"/>
            <allow own="*"/><allow user="*"/>
            </policy></busconfig>"#
        );
        let file = folder.join("bus.conf");
        std::fs::write(&file, config).expect("written");
        let command = ["dbus-daemon", "--nofork", "--nopidfile", "--print-address"];
        let mut daemon = Command::new(command[0])
            .args(&command[1..])
            .arg(format!("--config-file={}", file.display()))
            .stdout(Stdio::piped())
            .spawn()
            .unwrap_or_else(|error| missing("dbus", &command, &error));
        // It prints its address once it listens.
        let mut line = String::new();
        let stdout = daemon.stdout.take().expect("piped");
        BufReader::new(stdout)
            .read_line(&mut line)
            .expect("its address");
        assert!(line.starts_with("unix:"), "{line:?}");
        (Process(daemon), format!("unix:path={socket}"))
    }

    /// A stand-in for a service, by the name of its template.
    pub(crate) fn mock(&self, template: &str) -> Process {
        self.mock_with(template, "{}")
    }

    /// As [`mock`](Self::mock), with the parameters of the template in JSON.
    pub(crate) fn mock_with(&self, template: &str, parameters: &str) -> Process {
        let command = ["/usr/bin/python3", "-m", "dbusmock", "--system"];
        let output = Command::new(command[0])
            .args(["-c", "import dbusmock"])
            .output();
        let there = output.is_ok_and(|output| output.status.success());
        assert!(there, "this test needs the Debian package python3-dbusmock");
        let child = Command::new(command[0])
            .args(&command[1..])
            .args(["--template", template, "--parameters", parameters])
            .env("DBUS_SYSTEM_BUS_ADDRESS", &self.address)
            .env("DBUS_SESSION_BUS_ADDRESS", &self.address)
            .stdout(Stdio::null())
            .spawn()
            .unwrap_or_else(|error| missing("python3-dbusmock", &command, &error));
        Process(child)
    }

    /// Waits until somebody has this name.
    pub(crate) async fn owned(&self, name: &'static str) {
        let bus = zbus::conn::Builder::address(&*self.address).build().await;
        let bus = bus.expect("a bus");
        let bus = zbus::fdo::DBusProxy::new(&bus)
            .await
            .expect("the bus itself");
        let changes = bus.receive_name_owner_changed_with_args(&[(0, name)]).await;
        let mut changes = changes.expect("subscribed");
        let known = zbus::names::BusName::try_from(name).expect("a name");
        while !bus.name_has_owner(known.clone()).await.expect("told") {
            futures_util::StreamExt::next(&mut changes)
                .await
                .expect("the bus goes on");
        }
    }

    /// Orders a stand-in about.
    pub(crate) async fn call(
        &self,
        name: &str,
        path: &str,
        method: &str,
        body: &(impl serde::Serialize + DynamicType),
    ) {
        let bus = zbus::conn::Builder::address(&*self.address).build().await;
        let bus = bus.expect("a bus");
        let mock = "org.freedesktop.DBus.Mock";
        bus.call_method(Some(name), path, Some(mock), method, body)
            .await
            .expect("it does");
    }
}
