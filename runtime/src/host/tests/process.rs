//! Bodies in processes of their own: this test program, started as a host.

mod context;
mod descendants;
mod ends;
mod limits;
mod places;
mod runs;
mod starts;

use std::{
    ffi::OsString,
    io::Write,
    net::Shutdown,
    os::unix::net::UnixStream,
    path::{Path, PathBuf},
    process::ExitCode,
    sync::Arc,
    time::Duration,
};

use super::{bodies::tasks, *};
use crate::{
    CancelReason, KillCause,
    host::{
        Host, ProcessConfig, ProcessHosts,
        child::{self, Connection},
        conversation::hold,
    },
    ipc::{
        frame::Frames,
        host_message::{FromHost, ToHost, Work},
    },
    state::StateMap,
};

const SCRIPT: &str = "BGTASK_TEST_SCRIPT";
const IDLE: Duration = Duration::from_secs(30);
const STARTUP: Duration = Duration::from_secs(60);
const TERM_GRACE: Duration = Duration::from_secs(1);

/// What the other tests start as their host. Run as a test of its own, it is no host.
#[test]
fn act_as_child() -> ExitCode {
    let Some(connection) = child::connect().expect("a hello") else {
        assert!(
            std::env::var_os(SCRIPT).is_none(),
            "a host without its socket"
        );
        return ExitCode::SUCCESS;
    };
    // Also those that only pretend end with the test that started them.
    let lifeline = connection.socket.try_clone().expect("a descriptor");
    std::thread::spawn(move || hold(&lifeline));
    match std::env::var(SCRIPT).as_deref() {
        Ok("garbage") => say(connection.socket, &[0, 0, 0, 3, 0xc1, 0xc1, 0xc1]),
        Ok("endless frame") => say(connection.socket, &[0xff; 64]),
        Ok("mute") => say(connection.socket, &[]),
        Ok("closes") => {
            connection
                .socket
                .shutdown(Shutdown::Write)
                .expect("shut down");
            rest()
        }
        Ok("idles") => pretend(connection.socket, |work| {
            let run = work.run;
            vec![FromHost::Started { run }, FromHost::Idle { run }]
        }),
        Ok("floods") => pretend(connection.socket, |work| {
            let run = work.run;
            let progress = |done| FromHost::Progress {
                run,
                progress: Progress {
                    sequence: done,
                    done,
                    total: 1_000,
                    message: None,
                },
            };
            let outcome = completed(7);
            let cpu = None;
            let end = [FromHost::Ended { run, outcome, cpu }];
            let start = [FromHost::Started { run }];
            start
                .into_iter()
                .chain((1..=1_000).map(progress))
                .chain(end)
                .collect()
        }),
        Ok("setup fails") => serve(connection, Err("no database".to_owned())),
        Ok("serves") => serve(connection, Ok(Arc::new(StateMap::default()))),
        other => panic!("no such script: {other:?}"),
    }
}

fn serve(connection: Connection, state: Result<Arc<StateMap>, String>) -> ExitCode {
    let conversation = connection.open().expect("a thread");
    conversation.serve(tasks(), state)
}

fn say(mut socket: UnixStream, bytes: &[u8]) -> ! {
    socket.write_all(bytes).expect("written");
    rest()
}

/// Speaks the protocol, and says this of each run instead of running it.
fn pretend(socket: UnixStream, said: impl Fn(&Work) -> Vec<FromHost>) -> ! {
    let talk = async {
        socket.set_nonblocking(true).expect("a socket");
        let socket = tokio::net::UnixStream::from_std(socket).expect("a socket");
        let mut app = Frames::<ToHost, FromHost>::new(socket);
        app.send(&FromHost::Ready).await.expect("sent");
        while let Some(message) = app.receive().await.expect("a message") {
            if let ToHost::Start(work) = message {
                for one in &said(&work) {
                    app.send(one).await.expect("sent");
                }
            }
        }
    };
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build();
    runtime.expect("a runtime").block_on(talk);
    rest()
}

/// Stays until it is killed.
fn rest() -> ! {
    loop {
        std::thread::park();
    }
}

struct Set {
    hosts: ProcessHosts,
    events: Events,
    clock: Arc<StandingClock>,
}

fn config(script: &str) -> ProcessConfig {
    ProcessConfig {
        args: [
            "--exact",
            "host::tests::process::act_as_child",
            "--nocapture",
        ]
        .map(OsString::from)
        .to_vec(),
        envs: vec![(SCRIPT.into(), script.into())],
        // Not the one of whoever runs the tests.
        session_bus: Some("unix:path=/nonexistent/bus".to_owned()),
        ..ProcessConfig::new("test")
    }
}

fn set_of(config: ProcessConfig) -> Set {
    let (sender, events) = Events::new();
    let (clock, shared) = clock();
    Set {
        hosts: ProcessHosts::new(config, sender, shared, supervision()),
        events,
        clock,
    }
}

fn set() -> Set {
    set_of(config("serves"))
}

impl Set {
    fn start(&self, task: &str) -> RunId {
        self.start_with(assignment(task))
    }

    fn start_with(&self, assignment: Assignment) -> RunId {
        let run = assignment.run;
        self.hosts.start(assignment);
        run
    }

    /// Starts a body that tells where it is, and waits for that.
    async fn start_to_its_point(&mut self, task: &str) -> (RunId, u32) {
        let run = self.start(task);
        let pid = self.events.started(run).await;
        self.events.progress(run).await;
        (run, pid)
    }

    /// Runs a body in a fresh process, as after each loss of one.
    async fn the_next_one_runs(&mut self) {
        let run = self.start("value");
        assert_eq!(self.events.finished(run).await, completed(7));
        self.events.nothing_more();
    }
}

fn killed(cause: KillCause) -> Outcome {
    Outcome::Killed { cause }
}

fn lost(detail: &str) -> Outcome {
    killed(KillCause::HostLost {
        detail: detail.to_owned(),
    })
}

/// Neither running nor left as a zombie.
fn is_gone(pid: u32) -> bool {
    !Path::new(&format!("/proc/{pid}")).exists()
}

/// Waits until it is so.
async fn eventually(is_so: impl Fn() -> bool) {
    let wait = async {
        while !is_so() {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(STUCK, wait)
        .await
        .expect("it comes to that");
}
