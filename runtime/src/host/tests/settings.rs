//! What a host is: its environment, descriptors and priority, as its own bodies see them.

use std::{
    collections::BTreeMap,
    ffi::OsString,
    fs,
    io::{Read, Write},
    os::{fd::OwnedFd, unix::net::UnixStream},
    path::PathBuf,
    process::{Command, ExitCode, Stdio},
    sync::Arc,
};

use rustix::io::{FdFlags, fcntl_setfd};

use super::*;
use crate::{
    KillCause,
    body::{self, Ask, Linked},
    host::{
        Host, ProcessConfig, ProcessHosts,
        child::{self, Connection},
        conversation::hold,
    },
    ipc::{
        frame,
        host_message::{FromHost, ToHost},
    },
    state::StateMap,
};

const SCRIPT: &str = "BGTASK_TEST_SCRIPT";

/// What the other tests start as their host. Run as a test of its own, it is no host.
#[test]
fn act_as_child() -> ExitCode {
    let Ok(script) = std::env::var(SCRIPT) else {
        return ExitCode::SUCCESS;
    };
    if script == "refuses" {
        return refuse();
    }
    let connection = match child::connect() {
        Ok(connection) => connection.expect("a host"),
        Err(error) => panic!("{error}"),
    };
    let lifeline = connection.socket.try_clone().expect("a descriptor");
    std::thread::spawn(move || hold(&lifeline));
    match script.as_str() {
        "serves" => return serve(connection),
        "twice ready" => {
            connection.says(&FromHost::Ready);
            connection.says(&FromHost::Ready)
        }
        "garbage when ready" => {
            connection.says(&FromHost::Ready);
            connection.babbles()
        }
        "garbage in a run" => {
            connection.says(&FromHost::Ready);
            let Ok(ToHost::Start(work)) = frame::read(&connection.socket) else {
                panic!("no start");
            };
            connection.says(&FromHost::Started { run: work.run });
            connection.babbles()
        }
        other => panic!("no such script: {other}"),
    }
    loop {
        std::thread::park();
    }
}

impl Connection {
    fn says(&self, message: &FromHost) {
        frame::write(&self.socket, message).expect("written");
    }

    /// Says what is no message.
    fn babbles(&self) {
        (&self.socket)
            .write_all(&[0, 0, 0, 3, 0xc1, 0xc1, 0xc1])
            .expect("written");
    }
}

fn serve(connection: Connection) -> ExitCode {
    let linked = |_: &str| Some(&LINKED);
    let conversation = connection.open().expect("a thread");
    conversation.serve(Arc::new(linked), Ok(Arc::new(StateMap::default())))
}

/// Says that it heard no hello.
fn refuse() -> ExitCode {
    let socket = rustix::stdio::stdin()
        .try_clone_to_owned()
        .expect("a socket");
    let socket = UnixStream::from(socket);
    let error = "its first message is no hello".to_owned();
    frame::write(socket, &FromHost::Refused { error }).expect("written");
    ExitCode::FAILURE
}

static LINKED: Linked = Linked {
    entry: b"",
    task: |ask| match ask {
        Ask::Start(context) => {
            let task = context.task().to_owned();
            body::from_closure(Box::new(move || look(&task)))
        }
        Ask::Requirements(_) => None,
    },
    output: || "",
};

/// What a body sees of its process.
fn look(at: &str) -> serde_json::Value {
    match at {
        "environment" => {
            let all: BTreeMap<String, String> = std::env::vars().collect();
            serde_json::json!(all)
        }
        "descriptors" => {
            let links = fs::read_dir("/proc/self/fd").expect("a list");
            let links = links.filter_map(|link| fs::read_link(link.ok()?.path()).ok());
            serde_json::json!(links.collect::<Vec<PathBuf>>())
        }
        other => panic!("nothing to look at: {other}"),
    }
}

fn args() -> Vec<OsString> {
    [
        "--exact",
        "host::tests::settings::act_as_child",
        "--nocapture",
    ]
    .map(OsString::from)
    .to_vec()
}

fn config(script: &str) -> ProcessConfig {
    ProcessConfig {
        args: args(),
        envs: vec![(SCRIPT.into(), script.into())],
        ..ProcessConfig::new("test")
    }
}

/// How a run ends whose body looks at this.
async fn outcome(config: ProcessConfig, task: &str, settings: ProcessSettings) -> Outcome {
    let (sender, mut events) = Events::new();
    let (_, clock) = clock();
    let hosts = ProcessHosts::new(config, sender, clock, supervision());
    let mut assignment = assignment(task);
    assignment.place.settings = settings;
    let run = assignment.run;
    hosts.start(assignment);
    events.finished(run).await
}

async fn seen<T: serde::de::DeserializeOwned>(
    config: ProcessConfig,
    task: &str,
    settings: ProcessSettings,
) -> T {
    match outcome(config, task, settings).await {
        Outcome::Completed { value } => serde_json::from_value(value).expect("what was looked at"),
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn a_host_has_the_listed_the_added_and_the_declared_variables_alone() {
    let mut config = config("serves");
    config.env_names = vec!["CARGO_PKG_N*".to_owned()];
    let declared = ProcessSettings {
        env: vec![("OWN".to_owned(), "declared".to_owned())],
        ..ProcessSettings::default()
    };
    let seen: BTreeMap<String, String> = seen(config, "environment", declared).await;
    assert_eq!(seen["OWN"], "declared");
    assert_eq!(seen["PATH"], std::env::var("PATH").expect("a path"));
    // Cargo sets this and many more for a test.
    assert_eq!(seen["CARGO_PKG_NAME"], "bgtask");
    assert!(std::env::var_os("CARGO_MANIFEST_DIR").is_some());
    assert_eq!(seen.get("CARGO_MANIFEST_DIR"), None);
}

#[tokio::test]
async fn a_host_has_no_descriptor_of_the_app() {
    let file = tempfile::NamedTempFile::new().expect("a file");
    // As a library without care would open it.
    fcntl_setfd(file.as_file(), FdFlags::empty()).expect("set");
    let seen: Vec<PathBuf> =
        seen(config("serves"), "descriptors", ProcessSettings::default()).await;
    assert!(!seen.contains(&file.path().to_owned()), "{seen:?}");
    assert_eq!(seen[0].to_str(), Some("/dev/null"), "{seen:?}");
}

#[tokio::test]
async fn a_host_that_heard_no_hello_is_lost() {
    let detail = "its first message is no hello".to_owned();
    let cause = KillCause::HostLost { detail };
    assert_eq!(
        outcome(config("refuses"), "environment", ProcessSettings::default()).await,
        Outcome::Killed { cause }
    );
}

/// What a host answers to this, what it says on standard error, and whether it succeeds.
fn answer_to(first: &[u8]) -> (FromHost, String, bool) {
    let (mut ours, theirs) = UnixStream::pair().expect("a socket pair");
    ours.write_all(first).expect("written");
    let mut child = Command::new(std::env::current_exe().expect("this program"))
        .args(args())
        .env(SCRIPT, "serves")
        .env(child::MARKER, format!("{}:", std::process::id()))
        .stdin(Stdio::from(OwnedFd::from(theirs)))
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .expect("a process");
    let answer = frame::read(&ours).expect("an answer");
    let mut said = String::new();
    let mut stderr = child.stderr.take().expect("a pipe");
    stderr.read_to_string(&mut said).expect("read");
    (answer, said, child.wait().expect("waited for").success())
}

#[test]
fn a_first_message_that_is_no_hello_ends_the_host() {
    let mut shutdown = Vec::new();
    frame::write(&mut shutdown, &ToHost::Shutdown).expect("written");
    for (first, why) in [
        (&shutdown[..], "its first message is no hello"),
        (&[0, 0, 0, 1, 0xc1], "a message cannot be read"),
        (&[0xff; 8], "a message is too long"),
    ] {
        let (answer, said, success) = answer_to(first);
        assert!(
            matches!(&answer, FromHost::Refused { error } if error.starts_with(why)),
            "{answer:?}"
        );
        assert!(said.contains(why), "{said}");
        assert!(!success, "{why}");
    }
}

#[tokio::test]
async fn a_host_that_is_not_to_be_trusted_any_more_is_killed_whenever_it_shows() {
    for (script, why) in [
        ("twice ready", "it spoke out of turn"),
        ("garbage when ready", "a message cannot be read"),
        ("garbage in a run", "a message cannot be read"),
    ] {
        let seen = outcome(config(script), "environment", ProcessSettings::default()).await;
        assert!(
            matches!(&seen, Outcome::Killed { cause: KillCause::HostLost { detail } }
                if detail.starts_with(why)),
            "{script}: {seen:?}"
        );
    }
}

#[tokio::test]
async fn a_sandbox_that_would_not_hold_every_thread_is_not_entered() {
    // The harness runs each test on a thread of its own, beside the main one.
    let settings = ProcessSettings {
        sandbox: Some(bgtask_model::Sandbox {
            read: vec!["/etc".to_owned()],
            write: Vec::new(),
        }),
        ..ProcessSettings::default()
    };
    let error = "a thread that started before `main` would not be in the sandbox".to_owned();
    let cause = KillCause::HostSettings { error };
    assert_eq!(
        outcome(config("serves"), "environment", settings).await,
        Outcome::Killed { cause }
    );
}
