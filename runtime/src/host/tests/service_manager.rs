//! A bus of our own, with a stand-in for the service manager.

use std::{
    io::{BufRead, BufReader},
    process::{Child, Command, Stdio},
};

use futures_util::StreamExt;
use tempfile::TempDir;
use zbus::{
    Connection, MessageStream,
    conn::Builder,
    message::{Message, Type},
    wire::OwnedVariant,
};

/// A bus, which ends with its owner.
pub(in crate::host) struct Bus {
    daemon: Child,
    pub(in crate::host) address: String,
    _folder: TempDir,
}

impl Bus {
    pub(in crate::host) fn start() -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let address = format!("unix:path={}", folder.path().join("bus").display());
        let mut daemon = Command::new("dbus-daemon")
            .args(["--session", "--nofork", "--nopidfile", "--print-address"])
            .arg(format!("--address={address}"))
            .stdout(Stdio::piped())
            .spawn()
            .expect("this test needs the Debian package dbus");
        let told = daemon.stdout.take().expect("piped");
        let mut line = String::new();
        BufReader::new(told).read_line(&mut line).expect("a line");
        Self {
            daemon,
            address,
            _folder: folder,
        }
    }
}

impl Drop for Bus {
    fn drop(&mut self) {
        self.daemon.kill().expect("killed");
        self.daemon.wait().expect("reaped");
    }
}

/// Has the manager's name, and hears what is called.
pub(in crate::host) async fn manager(bus: &Bus) -> (Connection, MessageStream) {
    let manager = Builder::address(&*bus.address)
        .build()
        .await
        .expect("a bus");
    let calls = MessageStream::from(&manager);
    manager
        .request_name("org.freedesktop.systemd1")
        .await
        .expect("the name");
    (manager, calls)
}

pub(in crate::host) async fn next_call(calls: &mut MessageStream) -> Message {
    loop {
        let message = calls.next().await.expect("a message").expect("readable");
        if message.message_type() == Type::MethodCall {
            return message;
        }
    }
}

type Properties = Vec<(String, OwnedVariant)>;

/// The unit's name, the mode, its properties, and other units.
pub(in crate::host) fn request(
    call: &Message,
) -> (String, String, Properties, Vec<(String, Properties)>) {
    call.body().deserialize().expect("as systemd has it")
}
