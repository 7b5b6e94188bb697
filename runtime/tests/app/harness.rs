//! Programs under test: each is this executable again, with directories of its own, and a limit
//! after which it is killed. Everything waits for events: lines, exits, connections.

use std::{
    io::{BufRead, BufReader, Read, Write},
    os::{
        fd::AsFd,
        unix::{
            net::{UnixListener, UnixStream},
            process::ExitStatusExt,
        },
    },
    path::{Path, PathBuf},
    process::{Child, Command, ExitStatus, Stdio},
    sync::mpsc::{self, Receiver},
    thread::JoinHandle,
    time::{Duration, Instant},
};

use rustix::{
    event::{PollFd, PollFlags, Timespec, poll},
    process::{Pid, PidfdFlags, Signal, kill_process, pidfd_open},
};
use tempfile::TempDir;

/// Names the scenario that a program under test plays.
pub(crate) const SCENARIO: &str = "BGTASK_SCENARIO";

/// The id of the apps under test.
pub(crate) const APP: &str = "app-under-test";

/// No trial takes so long, even on a busy machine.
const WATCHDOG: Duration = Duration::from_secs(60);

/// The scenario to play, if this process is a program under test or its host.
pub(crate) fn scenario() -> Option<String> {
    std::env::var(SCENARIO).ok()
}

/// The directories of one app.
pub(crate) struct Home {
    dir: TempDir,
}

impl Home {
    pub(crate) fn new() -> Self {
        let dir = tempfile::Builder::new().prefix("bgt").tempdir().unwrap();
        for name in ["state", "run"] {
            use std::os::unix::fs::DirBuilderExt;
            let path = dir.path().join(name);
            std::fs::DirBuilder::new().mode(0o700).create(path).unwrap();
        }
        Self { dir }
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    /// Where the app keeps its store.
    pub(crate) fn store(&self) -> PathBuf {
        self.path("state").join("bgtask").join(APP)
    }

    pub(crate) fn command(&self, scenario: &str) -> Command {
        let mut command = Command::new(std::env::current_exe().unwrap());
        self.surround(&mut command, scenario);
        command
    }

    pub(crate) fn surround(&self, command: &mut Command, scenario: &str) {
        command
            .env(SCENARIO, scenario)
            .env("BGTASK_HOME", self.dir.path())
            .env("HOME", self.dir.path())
            .env("TEST_ADDED", "added")
            .env("TEST_OTHER", "other")
            .env("XDG_STATE_HOME", self.path("state"))
            .env("XDG_CONFIG_HOME", self.path("config"))
            .env("XDG_RUNTIME_DIR", self.path("run"))
            .env("DBUS_SYSTEM_BUS_ADDRESS", "unix:path=/nonexistent/bus")
            .env_remove("DBUS_SESSION_BUS_ADDRESS")
            .env("RUST_BACKTRACE", "0");
    }

    /// Writes the file in which the app's user overrides its tasks.
    pub(crate) fn configure(&self, text: &str) {
        let dir = self.path("config").join("bgtask");
        std::fs::create_dir_all(&dir).unwrap();
        std::fs::write(dir.join(APP).with_extension("toml"), text).unwrap();
    }

    /// The lines that programs wrote to the file `told`.
    pub(crate) fn told(&self) -> Vec<String> {
        let told = std::fs::read_to_string(self.path("told")).unwrap();
        told.lines().map(str::to_owned).collect()
    }

    pub(crate) fn start(&self, scenario: &str) -> Process {
        Process::start(self.command(scenario))
    }

    /// A listener that bodies come to.
    pub(crate) fn gate(&self) -> Gate {
        Gate::new(self.path("gate"))
    }
}

/// Plays a scenario that checks itself.
pub(crate) fn check(scenario: &str) {
    Home::new().start(scenario).succeeds();
}

/// The directory of the program under test, as it sees it.
pub(crate) fn home() -> PathBuf {
    PathBuf::from(std::env::var_os("BGTASK_HOME").unwrap())
}

/// A running program under test; killed when dropped.
pub(crate) struct Process {
    child: Child,
    lines: Receiver<String>,
    seen: Vec<String>,
    errors: Option<JoinHandle<String>>,
    deadline: Instant,
}

impl Process {
    pub(crate) fn start(command: Command) -> Self {
        Self::start_with(command, Stdio::null())
    }

    /// With this as its standard input.
    pub(crate) fn start_with(mut command: Command, input: Stdio) -> Self {
        let mut child = command
            .stdin(input)
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let (line, lines) = mpsc::channel();
        let stdout = BufReader::new(child.stdout.take().unwrap());
        std::thread::spawn(move || {
            for text in stdout.lines().map_while(Result::ok) {
                let _ = line.send(text);
            }
        });
        let mut stderr = child.stderr.take().unwrap();
        let errors = std::thread::spawn(move || {
            let mut bytes = Vec::new();
            let _ = stderr.read_to_end(&mut bytes);
            String::from_utf8_lossy(&bytes).into_owned()
        });
        Self {
            child,
            lines,
            seen: Vec::new(),
            errors: Some(errors),
            deadline: Instant::now() + WATCHDOG,
        }
    }

    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Waits for a line that starts so, and returns what follows it.
    #[track_caller]
    pub(crate) fn line(&mut self, prefix: &str) -> String {
        loop {
            let left = self.deadline.saturating_duration_since(Instant::now());
            match self.lines.recv_timeout(left) {
                Ok(line) => {
                    let found = line.strip_prefix(prefix).map(|rest| rest.trim().to_owned());
                    self.seen.push(line);
                    if let Some(found) = found {
                        return found;
                    }
                }
                Err(error) => self.fail(&format!("no line `{prefix}`: {error}")),
            }
        }
    }

    /// Waits for its first line; `false` when it ends without one.
    #[track_caller]
    pub(crate) fn speaks(&mut self) -> bool {
        let left = self.deadline.saturating_duration_since(Instant::now());
        match self.lines.recv_timeout(left) {
            Ok(line) => {
                self.seen.push(line);
                true
            }
            Err(mpsc::RecvTimeoutError::Disconnected) => false,
            Err(error) => self.fail(&format!("no line: {error}")),
        }
    }

    pub(crate) fn signal(&self, signal: Signal) {
        kill_process(pid_of(self.pid()), signal).unwrap();
    }

    /// Waits for its end.
    #[track_caller]
    pub(crate) fn wait(&mut self) -> ExitStatus {
        let left = self.deadline.saturating_duration_since(Instant::now());
        if !ends_within(self.pid(), left) {
            self.fail("it did not end");
        }
        self.child.wait().unwrap()
    }

    /// Waits for a good end.
    #[track_caller]
    pub(crate) fn succeeds(mut self) {
        let status = self.wait();
        if !status.success() {
            self.fail(&format!("it ended with {status}"));
        }
    }

    /// Waits for its end and returns its exit code and what it said on standard error.
    #[track_caller]
    pub(crate) fn fails(mut self) -> (i32, String) {
        let status = self.wait();
        (status.code().unwrap_or(-1), self.errors())
    }

    /// Waits for its end by signal.
    #[track_caller]
    pub(crate) fn ends_by_signal(mut self) -> i32 {
        let status = self.wait();
        match status.signal() {
            Some(signal) => signal,
            None => self.fail(&format!("it ended with {status}")),
        }
    }

    fn errors(&mut self) -> String {
        // Hosts have the same standard error, and end with the program.
        self.errors
            .take()
            .map(|errors| errors.join().unwrap())
            .unwrap_or_default()
    }

    #[track_caller]
    fn fail(&mut self, what: &str) -> ! {
        let _ = self.child.kill();
        let _ = self.child.wait();
        self.seen.extend(self.lines.try_iter());
        let (seen, errors) = (self.seen.join("\n"), self.errors());
        panic!("{what}\n--- lines\n{seen}\n--- errors\n{errors}");
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let ended = self.child.try_wait();
        let _ = self.child.kill();
        let _ = self.child.wait();
        if std::thread::panicking() && self.errors.is_some() {
            self.seen.extend(self.lines.try_iter());
            let (seen, errors) = (self.seen.join("\n"), self.errors());
            eprintln!("it had ended: {ended:?}\n--- lines\n{seen}\n--- errors\n{errors}");
        }
    }
}

/// Waits until a process that is not ours to reap has ended.
#[track_caller]
pub(crate) fn gone(pid: u32) {
    assert!(ends_within(pid, WATCHDOG), "process {pid} did not end");
}

fn ends_within(pid: u32, limit: Duration) -> bool {
    let Ok(process) = pidfd_open(pid_of(pid), PidfdFlags::empty()) else {
        return true;
    };
    let mut ends = [PollFd::new(&process, PollFlags::IN)];
    let limit = Timespec::try_from(limit).unwrap();
    poll(&mut ends, Some(&limit)).unwrap() == 1
}

fn pid_of(pid: u32) -> Pid {
    Pid::from_raw(i32::try_from(pid).unwrap()).unwrap()
}

/// Where bodies come to, say something, and wait to be let through.
pub(crate) struct Gate {
    path: PathBuf,
    listener: UnixListener,
}

/// A body at the gate.
pub(crate) struct Visitor {
    stream: UnixStream,
    /// What it said.
    pub(crate) said: String,
}

impl Gate {
    pub(crate) fn new(path: PathBuf) -> Self {
        let listener = UnixListener::bind(&path).unwrap();
        Self { path, listener }
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// Waits for the next body.
    #[track_caller]
    pub(crate) fn visitor(&self) -> Visitor {
        let mut waits = [PollFd::from_borrowed_fd(
            self.listener.as_fd(),
            PollFlags::IN,
        )];
        let limit = Timespec::try_from(WATCHDOG).unwrap();
        assert_eq!(
            poll(&mut waits, Some(&limit)).unwrap(),
            1,
            "nobody came to the gate"
        );
        let (stream, _) = self.listener.accept().unwrap();
        let mut said = String::new();
        BufReader::new(&stream).read_line(&mut said).unwrap();
        let said = said.trim_end().to_owned();
        Visitor { stream, said }
    }
}

impl Visitor {
    /// Lets it through.
    pub(crate) fn pass(mut self) {
        self.stream.write_all(b"pass\n").unwrap();
    }

    /// Waits until it has given up: its end of the connection is closed.
    pub(crate) fn leaves(mut self) {
        self.stream.set_read_timeout(Some(WATCHDOG)).unwrap();
        let mut rest = Vec::new();
        self.stream.read_to_end(&mut rest).unwrap();
    }
}

/// The body's side: comes to the gate and waits there, on its thread.
pub(crate) fn visit(gate: &Path, say: &str) {
    let mut stream = UnixStream::connect(gate).unwrap();
    writeln!(stream, "{say}").unwrap();
    let mut answer = String::new();
    let _ = BufReader::new(stream).read_line(&mut answer);
}

/// The body's side: comes to the gate and waits there, at an await point.
pub(crate) async fn visit_async(gate: &Path, say: &str) {
    use tokio::io::{AsyncBufReadExt, AsyncWriteExt};
    let mut stream = tokio::net::UnixStream::connect(gate).await.unwrap();
    stream
        .write_all(format!("{say}\n").as_bytes())
        .await
        .unwrap();
    let mut answer = String::new();
    let _ = tokio::io::BufReader::new(stream)
        .read_line(&mut answer)
        .await;
}

/// Waits for an event.
pub(crate) async fn event<T>(
    events: &mut bgtask::Events,
    mut wanted: impl FnMut(&bgtask::Event) -> Option<T>,
) -> T {
    loop {
        let event = events.next().await.expect("the broker is there");
        if let Some(found) = wanted(&event) {
            return found;
        }
    }
}
