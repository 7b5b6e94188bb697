//! Bodies in processes of their own: this test program, started as a host.

mod context;

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
    host::{Host, ProcessConfig, ProcessHosts, child},
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
        Ok("setup fails") => child::serve(connection, tasks(), Err("no database".to_owned())),
        Ok("serves") => child::serve(connection, tasks(), Ok(Arc::new(StateMap::default()))),
        other => panic!("no such script: {other:?}"),
    }
}

fn say(mut socket: UnixStream, bytes: &[u8]) -> ! {
    socket.write_all(bytes).expect("written");
    rest()
}

/// Is ready after the hellos, and says this of each run instead of running it.
fn pretend(socket: UnixStream, said: impl Fn(&Work) -> Vec<FromHost>) -> ! {
    let talk = async {
        socket.set_nonblocking(true).expect("a socket");
        let socket = tokio::net::UnixStream::from_std(socket).expect("a socket");
        let mut app = Frames::<ToHost, FromHost>::new(socket);
        app.send(&FromHost::Ready).await.expect("sent");
        while let Some(message) = app.receive().await.expect("a message") {
            let ToHost::Start(work) = message else {
                continue;
            };
            let answers = said(&work);
            for answer in &answers {
                app.send(answer).await.expect("sent");
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
        ..ProcessConfig::new("test")
    }
}

fn set_of(config: ProcessConfig) -> Set {
    let (sender, events) = Events::new();
    let (clock, shared) = clock();
    Set {
        hosts: ProcessHosts::new(config, sender, shared).expect("a thread"),
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

#[tokio::test]
async fn each_way_to_return_is_the_same_outcome_as_in_process() {
    let mut set = set();
    let mut pids = Vec::new();
    for (task, outcome) in [
        ("value", completed(7)),
        ("plain_value", completed(8)),
        ("error", failed("no luck")),
        ("plain_error", failed("no luck")),
        (
            "refused",
            failed("no state of type `Db` was set in `setup`"),
        ),
        ("panic", panicked("at 2")),
        ("plain_panic", panicked("plainly")),
        ("call_panic", panicked("in the call")),
        ("odd_panic", panicked("a panic without a text")),
        (
            "deep",
            failed("its result is nested deeper than 100 levels"),
        ),
    ] {
        let run = set.start(task);
        pids.push(set.events.started(run).await);
        assert_eq!(set.events.finished(run).await, outcome, "{task}");
    }
    pids.dedup();
    assert_eq!(pids.len(), 1, "one process served them all");
    assert_ne!(pids[0], std::process::id());
}

#[tokio::test]
async fn what_just_fits_through_the_socket_does_and_what_does_not_fails_alone() {
    let mut set = set();
    let deepest = set.start("deepest");
    let outcome = set.events.finished(deepest).await;
    assert!(outcome.is_completed(), "{outcome:?}");

    let mut huge = assignment("huge");
    huge.max_result = usize::MAX;
    let huge = set.start_with(huge);
    let Outcome::Failed { error } = set.events.finished(huge).await else {
        panic!("not failed");
    };
    assert!(error.starts_with("its result cannot be sent"), "{error}");

    let mut long = assignment("value");
    long.details.arguments = Some("x".repeat(5 << 20).into());
    let long = set.start_with(long);
    let Outcome::Failed { error } = set.events.finished(long).await else {
        panic!("not failed");
    };
    assert!(error.starts_with("its arguments cannot be sent"), "{error}");

    let mut deep = assignment("value");
    deep.details.arguments =
        Some((0..200).fold(serde_json::json!(1), |inner, _| serde_json::json!([inner])));
    let deep = set.start_with(deep);
    assert_eq!(
        set.events.finished(deep).await,
        failed("its arguments are nested deeper than 100 levels")
    );
    set.the_next_one_runs().await;
}

#[tokio::test]
async fn a_body_knows_who_it_is() {
    let mut set = set();
    let mut assignment = assignment("who");
    assignment.attempt = 3;
    assignment.fence = u64::MAX;
    assignment.details.arguments = Some(serde_json::json!({"a": 1}));
    let expected = serde_json::json!(["who", assignment.run, 3, u64::MAX, assignment.details]);
    let run = set.start_with(assignment);
    assert_eq!(set.events.finished(run).await, completed(expected));
}

#[tokio::test]
async fn an_unknown_task_fails() {
    let mut set = set();
    let run = set.start("unheard_of");
    let error = "no task of that name is linked into this program";
    assert_eq!(set.events.finished(run).await, failed(error));
}

#[tokio::test]
async fn each_way_to_die_is_an_outcome_of_its_own_and_the_next_run_has_a_fresh_process() {
    let mut set = set();
    for (task, cause) in [
        ("aborts", KillCause::Signal { signal: 6 }),
        ("faults", KillCause::Signal { signal: 11 }),
        ("exits_0", KillCause::Exit { code: 0 }),
        ("exits_3", KillCause::Exit { code: 3 }),
    ] {
        let run = set.start(task);
        let pid = set.events.started(run).await;
        assert_eq!(set.events.finished(run).await, killed(cause), "{task}");
        assert!(is_gone(pid), "{task}");
        set.the_next_one_runs().await;
    }
}

#[tokio::test]
async fn a_body_that_runs_into_its_memory_limit_says_so() {
    let mut set = set();
    let limit = 256 << 20;
    let mut bounded = assignment("allocates");
    bounded.place.settings.memory = Some(limit);
    let run = set.start_with(bounded);
    assert_eq!(
        set.events.finished(run).await,
        killed(KillCause::Memory { limit })
    );
    set.the_next_one_runs().await;
}

#[tokio::test]
async fn an_endless_loop_is_killed_after_its_time_and_grace() {
    let mut set = set();
    for task in ["spins", "plain_spins", "forever"] {
        let (run, pid) = set.start_to_its_point(task).await;
        set.clock.pass(LIMIT).await;
        set.clock.pass(GRACE).await;
        let cause = KillCause::WallTime {
            limit: LIMIT,
            grace: GRACE,
        };
        assert_eq!(set.events.finished(run).await, killed(cause), "{task}");
        assert!(is_gone(pid), "{task}");
        set.the_next_one_runs().await;
    }
}

#[tokio::test]
async fn a_run_that_idles_is_asked_to_stop_and_killed_after_its_grace() {
    let mut set = set_of(config("idles"));
    let mut watched = assignment("value");
    watched.limits.idle = Some(IDLE);
    // Nobody asked for word of this one's idleness.
    let other = set.start("value");
    let run = set.start_with(watched);
    set.clock.pass(GRACE).await;
    let cause = KillCause::Grace {
        reason: CancelReason::IdleTask,
        grace: GRACE,
    };
    assert_eq!(set.events.finished(run).await, killed(cause));
    assert_eq!(
        set.events.finished(other).await,
        lost("another run of the group `media` was killed")
    );
}

#[tokio::test]
async fn who_ignores_the_signal_to_terminate_is_killed() {
    let mut set = set();
    let (run, pid) = set.start_to_its_point("ignores_terminate").await;
    set.hosts.cancel(run, CancelReason::EnergySaver);
    set.clock.pass(GRACE).await;
    set.clock.pass(TERM_GRACE).await;
    let cause = KillCause::Grace {
        reason: CancelReason::EnergySaver,
        grace: GRACE,
    };
    assert_eq!(set.events.finished(run).await, killed(cause));
    assert!(is_gone(pid));
    set.the_next_one_runs().await;
}

#[tokio::test]
async fn two_of_a_group_share_a_process_and_one_that_spins_does_not_stop_the_other() {
    let mut set = set();
    let (spins, pid) = set.start_to_its_point("spins").await;
    let (heeds, other) = set.start_to_its_point("heeds").await;
    assert_eq!(pid, other);
    set.hosts.cancel(heeds, CancelReason::Abort);
    assert_eq!(
        set.events.finished(heeds).await,
        Outcome::Cancelled {
            reason: CancelReason::Abort,
            overrun: false
        }
    );
    let (neighbour, _) = set.start_to_its_point("forever").await;
    set.hosts.cancel(spins, CancelReason::Uninstall);
    set.clock.pass(GRACE).await;
    let cause = KillCause::Grace {
        reason: CancelReason::Uninstall,
        grace: GRACE,
    };
    assert_eq!(set.events.finished(spins).await, killed(cause));
    assert_eq!(
        set.events.finished(neighbour).await,
        lost("another run of the group `media` was killed")
    );
    assert!(is_gone(pid));
    set.the_next_one_runs().await;
}

#[tokio::test]
async fn groups_do_not_share_a_process() {
    let mut set = set();
    let (media, pid) = set.start_to_its_point("forever").await;
    let mut other = assignment("aborts");
    other.place.share = Share::Group("mail".to_owned());
    let mail = set.start_with(other);
    assert_ne!(set.events.started(mail).await, pid);
    assert_eq!(
        set.events.finished(mail).await,
        killed(KillCause::Signal { signal: 6 })
    );
    assert!(!is_gone(pid));
    set.events.nothing_more();
    drop(set.hosts);
    assert_eq!(
        set.events.finished(media).await,
        lost("the app gave up its hosts")
    );
    assert!(is_gone(pid));
}

#[tokio::test]
async fn an_idle_host_is_ended_and_comes_back() {
    let mut set = set();
    let run = set.start("value");
    let pid = set.events.started(run).await;
    assert_eq!(set.events.finished(run).await, completed(7));
    set.clock.pass(IDLE).await;
    let gone = async {
        while !is_gone(pid) {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(STUCK, gone).await.expect("it ends");
    let run = set.start("value");
    assert_ne!(set.events.started(run).await, pid);
    assert_eq!(set.events.finished(run).await, completed(7));
    set.events.nothing_more();
}

#[tokio::test]
async fn a_run_may_be_cancelled_before_its_host_is_ready() {
    let mut set = set_of(config("mute"));
    let run = set.start("value");
    set.hosts.cancel(run, CancelReason::Abort);
    assert_eq!(
        set.events.finished(run).await,
        Outcome::Cancelled {
            reason: CancelReason::Abort,
            overrun: false
        }
    );
    set.events.nothing_more();
}

#[tokio::test]
async fn a_host_that_never_gets_ready_is_killed() {
    let mut set = set_of(config("mute"));
    let run = set.start("value");
    set.clock.pass(STARTUP).await;
    assert_eq!(
        set.events.finished(run).await,
        lost("it was not ready within 60s")
    );
}

#[tokio::test]
async fn a_host_that_hangs_in_its_start_ends_with_the_app() {
    let mut set = set_of(config("mute"));
    let run = set.start("value");
    // It is spawned before its time to start begins.
    set.clock.is_waited_for(STARTUP).await;
    drop(set.hosts);
    // Only the end of the process leads here: no time passes for a signal.
    assert_eq!(
        set.events.finished(run).await,
        lost("the app gave up its hosts")
    );
    set.events.nothing_more();
}

#[tokio::test]
async fn a_failed_setup_names_its_error_to_every_waiting_run() {
    let mut set = set_of(config("setup fails"));
    let runs = [set.start("value"), set.start("value")];
    let outcome = killed(KillCause::HostSetup {
        error: "no database".to_owned(),
    });
    for run in runs {
        assert_eq!(set.events.finished(run).await, outcome);
    }
    set.events.nothing_more();
}

#[tokio::test]
async fn a_host_that_talks_garbage_is_killed() {
    for (script, detail) in [
        ("garbage", "a message cannot be read"),
        ("endless frame", "a message is too long"),
    ] {
        let mut set = set_of(config(script));
        let run = set.start("value");
        let outcome = set.events.finished(run).await;
        let Outcome::Killed {
            cause: KillCause::HostLost { detail: seen },
        } = &outcome
        else {
            panic!("{script}: {outcome:?}");
        };
        assert!(seen.starts_with(detail), "{script}: {seen}");
        set.events.nothing_more();
    }
}

#[tokio::test]
async fn a_host_that_closes_its_connection_and_stays_is_killed() {
    let mut set = set_of(config("closes"));
    let run = set.start("value");
    set.clock.pass(TERM_GRACE).await;
    assert_eq!(
        set.events.finished(run).await,
        lost("it closed its connection and went on")
    );
}

#[tokio::test]
async fn a_program_that_is_no_host_or_not_there_is_an_outcome() {
    let mut set = set_of(ProcessConfig {
        exe: PathBuf::from("/bin/true"),
        ..config("serves")
    });
    let run = set.start("value");
    assert_eq!(
        set.events.finished(run).await,
        killed(KillCause::Exit { code: 0 })
    );

    let mut set = set_of(ProcessConfig {
        exe: PathBuf::from("/nowhere/at/all"),
        ..config("serves")
    });
    let run = set.start("value");
    let outcome = set.events.finished(run).await;
    assert!(
        matches!(&outcome, Outcome::Killed { cause: KillCause::HostLost { detail } }
            if detail.starts_with("its process could not be started")),
        "{outcome:?}"
    );
}

#[tokio::test]
async fn another_build_of_the_program_is_refused() {
    let directory = tempfile::tempdir().expect("a directory");
    let copy = directory.path().join("copy");
    // By another process: one that another test spawns meanwhile would inherit the file open for
    // writing, and such a file cannot be run.
    let this = std::env::current_exe().expect("this program");
    let status = std::process::Command::new("cp")
        .arg(this)
        .arg(&copy)
        .status();
    assert!(status.expect("cp").success());
    let mut set = set_of(ProcessConfig {
        exe: copy,
        ..config("serves")
    });
    let run = set.start("value");
    assert_eq!(
        set.events.finished(run).await,
        lost("it is another build of the program")
    );
}

#[tokio::test]
async fn a_flood_of_progress_is_thinned_and_its_last_value_arrives() {
    let mut set = set();
    let run = set.start("floods");
    set.events.started(run).await;
    let mut seen = Vec::new();
    loop {
        match set.events.of(run).await {
            HostEvent::Progress { progress, .. } => seen.push(progress),
            HostEvent::Ended { outcome, .. } => {
                assert_eq!(outcome, completed(serde_json::Value::Null));
                break;
            }
            other => panic!("{other:?}"),
        }
    }
    assert!(seen.len() < 50_000, "all of {} were passed on", seen.len());
    assert!(seen.is_sorted_by_key(|progress| progress.sequence));
    assert_eq!(seen.last().expect("progress").done, 100_000);
}
