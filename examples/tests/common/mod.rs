//! The examples as programs: built, started in a place and a network of their own, watched.
#![allow(dead_code, reason = "each test program uses a part of it")]

use std::{
    fs,
    io::{BufRead, BufReader, Read},
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::{Once, mpsc},
    thread,
    time::Duration,
};

use rustix::process::{Pid, Signal, kill_process};
use tempfile::TempDir;

/// All examples.
pub(crate) const EXAMPLES: [&str; 5] = ["echo", "hello", "linked", "outbox", "quickstart"];

/// Far more than any step takes: a test that waits for so long has failed.
const PATIENCE: Duration = Duration::from_secs(60);

/// The executable of an example, as new as its source.
pub(crate) fn executable(example: &str) -> PathBuf {
    static BUILT: Once = Once::new();
    let test = std::env::current_exe().expect("a path");
    // <target>/<profile>/deps/<test>
    let profile = test.ancestors().nth(2).expect("a profile's folder");
    // `cargo test --test NAME` leaves the examples as they are; this brings them up to date.
    BUILT.call_once(|| {
        let mut cargo = Command::new(env!("CARGO"));
        cargo
            .args([
                "build",
                "--quiet",
                "--locked",
                "--examples",
                "--manifest-path",
            ])
            .arg(Path::new(env!("CARGO_MANIFEST_DIR")).join("Cargo.toml"))
            .arg("--target-dir")
            .arg(profile.parent().expect("a target folder"));
        if !cfg!(debug_assertions) {
            cargo.arg("--release");
        }
        let status = cargo.status().expect("cargo");
        assert!(status.success(), "the examples do not build: {status}");
    });
    profile.join("examples").join(example)
}

/// A place of its own: folders for the store, the socket, and files to work on.
pub(crate) struct Place {
    dir: TempDir,
}

impl Place {
    pub(crate) fn new() -> Self {
        let place = Self {
            dir: tempfile::tempdir().expect("a folder"),
        };
        for name in ["state", "runtime", "files"] {
            let path = place.dir.path().join(name);
            fs::create_dir(&path).expect("a folder");
            // The folder of sockets must be the user's alone.
            fs::set_permissions(&path, fs::Permissions::from_mode(0o700)).expect("a mode");
        }
        place
    }

    pub(crate) fn files(&self) -> PathBuf {
        self.dir.path().join("files")
    }

    pub(crate) fn write(&self, name: &str, text: &str) -> PathBuf {
        let path = self.files().join(name);
        fs::create_dir_all(path.parent().expect("a parent")).expect("a folder");
        fs::write(&path, text).expect("a file");
        path
    }

    fn apply(&self, command: &mut Command) {
        command
            .env("XDG_STATE_HOME", self.dir.path().join("state"))
            .env("XDG_RUNTIME_DIR", self.dir.path().join("runtime"))
            .env_remove("BGTASK_STATE_DIR")
            // The machine's own network service would speak of another network.
            .env("DBUS_SYSTEM_BUS_ADDRESS", "unix:path=/nonexistent")
            .env("TZ", "UTC");
    }
}

/// What a program's network namespace has when it starts.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Network {
    /// A default route over a link with a carrier, and the machine itself.
    Up,
    /// Nothing.
    Down,
}

/// Makes a default route, with `$ip` as the program to call.
const ROUTE: &str = "ip link set lo up && \
    ip link add veth0 type veth peer name veth1 && ip link set veth1 up && \
    ip link set veth0 up && ip addr add 10.9.0.2/24 dev veth0 && \
    ip route add default via 10.9.0.1";

/// A started example.
pub(crate) struct Program {
    child: Child,
    lines: mpsc::Receiver<String>,
    seen: Vec<String>,
    errors: Option<thread::JoinHandle<String>>,
}

impl Program {
    /// Starts an example in a network namespace of its own, which needs root, or user namespaces
    /// for all.
    pub(crate) fn start(example: &str, args: &[&Path], place: &Place, network: Network) -> Self {
        let setup = match network {
            Network::Up => ROUTE,
            Network::Down => "true",
        };
        let mut command = Command::new("unshare");
        command
            .args(["--map-root-user", "--net", "sh", "-c"])
            .arg(format!("{setup} && exec \"$@\""))
            .arg("sh")
            .arg(executable(example))
            .args(args)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        place.apply(&mut command);
        let mut child = command.spawn().unwrap_or_else(|error| {
            panic!("unshare: {error}; this test needs the Debian packages util-linux and iproute2")
        });
        let out = BufReader::new(child.stdout.take().expect("a pipe"));
        let mut err = child.stderr.take().expect("a pipe");
        let (sender, lines) = mpsc::channel();
        thread::spawn(move || {
            out.lines()
                .map_while(Result::ok)
                .try_for_each(|line| sender.send(line))
        });
        let errors = thread::spawn(move || {
            let mut text = String::new();
            err.read_to_string(&mut text).expect("UTF-8");
            text
        });
        Self {
            child,
            lines,
            seen: Vec::new(),
            errors: Some(errors),
        }
    }

    /// Gives the running program's network a default route.
    pub(crate) fn connect(&self) {
        let output = Command::new("nsenter")
            .args(["--preserve-credentials", "--user", "--net", "--target"])
            .arg(self.child.id().to_string())
            .args(["sh", "-c", ROUTE])
            .output()
            .unwrap_or_else(|error| {
                panic!("nsenter: {error}; this test needs the Debian package util-linux")
            });
        assert!(
            output.status.success(),
            "a default route, which needs the Debian package iproute2: {}",
            String::from_utf8_lossy(&output.stderr)
        );
    }

    /// Waits until so many lines contain this.
    pub(crate) fn wait_for(&mut self, count: usize, what: &str) {
        while self.seen.iter().filter(|line| line.contains(what)).count() < count {
            match self.lines.recv_timeout(PATIENCE) {
                Ok(line) => self.seen.push(line),
                Err(error) => {
                    let _ = self.child.kill();
                    let errors = self.errors.take().map(thread::JoinHandle::join);
                    panic!(
                        "no line with `{what}`, {count} of them: {error}\n{}\n{errors:?}",
                        self.seen.join("\n")
                    );
                }
            }
        }
    }

    /// Ctrl-C, and the end it asks for; all lines.
    pub(crate) fn interrupt(self) -> Vec<String> {
        kill_process(Pid::from_child(&self.child), Signal::INT).expect("a running program");
        let (code, lines, errors) = self.end();
        assert_eq!((code, &errors[..]), (Some(0), ""), "{}", lines.join("\n"));
        lines
    }

    /// Waits for its end: exit code, all lines, all errors.
    pub(crate) fn end(mut self) -> (Option<i32>, Vec<String>, String) {
        let mut lines = std::mem::take(&mut self.seen);
        loop {
            match self.lines.recv_timeout(PATIENCE) {
                Ok(line) => lines.push(line),
                Err(mpsc::RecvTimeoutError::Disconnected) => break,
                Err(mpsc::RecvTimeoutError::Timeout) => {
                    let _ = self.child.kill();
                    panic!("it does not end:\n{}", lines.join("\n"));
                }
            }
        }
        let errors = self.errors.take().expect("not taken").join();
        let status = self.child.wait().expect("a child");
        (status.code(), lines, errors.expect("read to the end"))
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        // A test that fails must not leave a program behind.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
