//! The tasks of the app under test: they do what their arguments say.

use std::path::PathBuf;

use bgtask::prelude::*;
use serde::{Deserialize, Serialize};

use crate::harness::{visit, visit_async};

/// What a body is to do.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) enum Deed {
    Return(u32),
    Fail,
    Panic,
    Abort,
    Exit(i32),
    /// Never comes to an end, nor to an await point.
    Spin,
    /// Closes the connection of its host, and goes on.
    CloseConnection,
    /// Waits at a gate.
    Visit(PathBuf),
    /// Waits until it is asked to stop, and returns this all the same.
    Outlast(u32),
    /// Waits until it is asked to stop, goes to the gate with the reason, and returns.
    SayGoodbye(PathBuf),
    /// Comes to checkpoints until one says to stop.
    Checkpoints(PathBuf),
    /// Reports so many steps.
    Steps(u64),
    /// Reports three steps and fails; the second attempt reports one and does not.
    StepsAgain,
    /// Takes a deferral to the gate and returns before it.
    Defer(PathBuf),
    /// Allocates without end.
    Allocate,
    /// Returns a text of so many bytes.
    Text(usize),
}

/// What a body says of itself.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Report {
    pub(crate) value: u32,
    pub(crate) pid: u32,
    /// The process that made the state.
    pub(crate) origin: u32,
    pub(crate) attempt: u32,
    pub(crate) text: String,
}

/// The state: the process that ran `setup`.
pub(crate) struct Origin(pub(crate) u32);

#[background_task(name = "hosted", trigger = application, host = process("one"), overlap = allow(8), grace = "200ms")]
#[background_task(name = "other", trigger = application, host = process("two"), overlap = allow(8))]
#[background_task(name = "hosted_brief", trigger = application, host = process("brief"), timeout = "200ms", grace = "200ms")]
#[background_task(name = "bomb", trigger = application, host = process("bomb"), memory = "64MiB")]
#[background_task(name = "here", trigger = application, overlap = allow(8), grace = "200ms")]
#[background_task(name = "one_at_a_time", trigger = application)]
#[background_task(name = "two_wait", trigger = application, overlap = queue(2))]
#[background_task(name = "again", trigger = application, retry(max = 2, backoff = fixed("10ms")))]
#[background_task(name = "guarded", trigger = application, condition = self::gate_open)]
#[background_task(name = "unsure", trigger = application, condition = self::gate_open && !self::never_said)]
#[background_task(name = "leaves", trigger = application, host = process("leaves"))]
#[background_task(name = "media", trigger = media_processing, host = process("media"))]
pub(crate) async fn act(
    task: TaskContext,
    Args(deed): Args<Deed>,
    State(origin): State<Origin>,
) -> Result<Report, String> {
    let mut text = String::new();
    let value = match deed {
        Deed::Visit(gate) => {
            let say = format!("{} {}", std::process::id(), task.attempt());
            visit_async(&gate, &say).await;
            0
        }
        Deed::Outlast(value) => {
            task.cancelled().await;
            value
        }
        Deed::SayGoodbye(gate) => {
            visit_async(&gate, "here").await;
            let reason = task.cancelled().await;
            visit_async(&gate, &format!("{reason:?}")).await;
            0
        }
        Deed::Steps(steps) => {
            for step in 1..=steps {
                task.progress(step, steps);
                tokio::task::yield_now().await;
            }
            0
        }
        Deed::StepsAgain if task.attempt() == 1 => {
            for step in 1..=3 {
                task.progress(step, 3);
            }
            return Err("as asked".to_owned());
        }
        Deed::StepsAgain => {
            task.progress(1, 1);
            0
        }
        Deed::Defer(gate) => {
            let (returned, returns) = tokio::sync::oneshot::channel::<()>();
            let deferral = task.deferral();
            tokio::spawn(async move {
                // An error: the body has returned, and dropped its end.
                let _ = returns.await;
                visit_async(&gate, "deferred").await;
                drop(deferral);
            });
            drop_at_return(returned)
        }
        Deed::Text(length) => {
            text = "x".repeat(length);
            0
        }
        blocking => at_once(&task, blocking)?,
    };
    Ok(Report {
        value,
        pid: std::process::id(),
        origin: origin.0,
        attempt: task.attempt(),
        text,
    })
}

/// As [`act`], on a blocking thread.
#[background_task(name = "hosted_plain", trigger = application, host = process("plain"), timeout = "200ms", grace = "200ms")]
#[background_task(name = "here_plain", trigger = application, overlap = queue(2), timeout = "200ms", grace = "200ms")]
#[background_task(name = "aborts_app", trigger = application, timeout = "200ms", grace = "200ms", on_overrun = abort)]
#[background_task(name = "here_plain_patient", trigger = application)]
pub(crate) fn act_plainly(task: TaskContext, Args(deed): Args<Deed>) -> Result<u32, String> {
    at_once(&task, deed)
}

fn at_once(task: &TaskContext, deed: Deed) -> Result<u32, String> {
    match deed {
        Deed::Return(value) => Ok(value),
        Deed::Fail => Err("as asked".to_owned()),
        Deed::Panic => panic!("as asked"),
        Deed::Abort => std::process::abort(),
        Deed::Exit(code) => std::process::exit(code),
        Deed::Spin => loop {
            std::hint::spin_loop();
        },
        Deed::Visit(gate) => {
            visit(&gate, "here");
            Ok(0)
        }
        Deed::Checkpoints(gate) => {
            visit(&gate, "here");
            loop {
                task.checkpoint()
                    .map_err(|cancelled| cancelled.to_string())?;
                std::thread::yield_now();
            }
        }
        Deed::CloseConnection => {
            close_connection();
            loop {
                std::thread::park();
            }
        }
        Deed::Allocate => {
            let mut all = Vec::new();
            while all.len() < 1024 {
                all.push(vec![1_u8; 1 << 20]);
            }
            Ok(u32::try_from(all.len()).unwrap())
        }
        other => Err(format!("{other:?} has to be awaited")),
    }
}

fn drop_at_return(_: tokio::sync::oneshot::Sender<()>) -> u32 {
    0
}

/// Closes this host's side of the connection to its app.
#[allow(
    unsafe_code,
    reason = "a body that breaks its own process, which the product has to survive"
)]
fn close_connection() {
    use rustix::{
        fd::BorrowedFd,
        net::{Shutdown, shutdown, sockopt::socket_peercred},
    };

    let app = rustix::process::getppid();
    let mut closed = 0;
    for entry in std::fs::read_dir("/proc/self/fd").unwrap().flatten() {
        let Some(Ok(fd)) = entry.file_name().to_str().map(str::parse::<i32>) else {
            continue;
        };
        // SAFETY: it was open a moment ago, and is not kept beyond this turn of the loop.
        let fd = unsafe { BorrowedFd::borrow_raw(fd) };
        if socket_peercred(fd).is_ok_and(|peer| Some(peer.pid) == app) {
            shutdown(fd, Shutdown::Write).unwrap();
            closed += 1;
        }
    }
    assert_eq!(closed, 1);
}

/// Does not read back what it writes.
#[derive(Debug)]
pub(crate) struct OneWay;

impl Serialize for OneWay {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str("not a number")
    }
}

impl<'de> Deserialize<'de> for OneWay {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        u32::deserialize(deserializer).map(|_| Self)
    }
}

#[background_task(name = "returns_one_way", trigger = application, host = process("one"))]
pub(crate) async fn returns_one_way() -> OneWay {
    OneWay
}

#[background_task(name = "takes_one_way", trigger = application)]
pub(crate) async fn takes_one_way(_: Args<OneWay>) {}

#[background_task(name = "takes_a_value", trigger = application)]
pub(crate) async fn takes_a_value(_: Args<serde_json::Value>) {}

#[background_task(name = "takes_a_text", trigger = application, host = process("one"))]
pub(crate) async fn takes_a_text(Args(text): Args<String>) -> usize {
    text.len()
}

#[background_task(name = "first_listener", trigger = custom("hello"))]
pub(crate) async fn first_listener(Args(number): Args<u32>) -> u32 {
    number + 1
}

#[background_task(name = "second_listener", trigger = custom("hello"), host = process("one"))]
pub(crate) fn second_listener(Args(number): Args<u32>) -> u32 {
    number + 2
}

/// Lets `skips_events` end.
pub(crate) static LET_GO: tokio::sync::Semaphore = tokio::sync::Semaphore::const_new(0);

#[background_task(name = "skips_events", trigger = custom("one"), overlap = skip)]
pub(crate) async fn skips_events() {
    LET_GO.acquire().await.expect("it stays open").forget();
}

#[background_task(name = "takes_nothing", trigger = custom("nothing"))]
pub(crate) async fn takes_nothing() {}

#[background_task(name = "takes_anything", trigger = custom("anything"), overlap = allow(100))]
pub(crate) async fn takes_anything(_: Args<serde_json::Value>) {}

#[background_task(name = "asked_for_anything", trigger = application, overlap = allow(100))]
pub(crate) async fn asked_for_anything(_: Args<serde_json::Value>) {}

/// What `gate_open` says.
pub(crate) static GATE: std::sync::LazyLock<tokio::sync::watch::Sender<bool>> =
    std::sync::LazyLock::new(|| {
        let open = std::env::var_os("GATE_OPEN").is_some();
        tokio::sync::watch::Sender::new(open)
    });

#[background_condition]
pub(crate) async fn gate_open(report: ConditionReporter) {
    let mut gate = GATE.subscribe();
    loop {
        report.set(*gate.borrow_and_update());
        if gate.changed().await.is_err() {
            return;
        }
    }
}

/// A condition that nobody can tell.
#[background_condition]
pub(crate) async fn never_said(_: ConditionReporter) {}
