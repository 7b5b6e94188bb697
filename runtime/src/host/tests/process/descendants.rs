//! What bodies start, and where it is when their process has ended.

use super::*;

/// The shell stays as the parent.
const CHILD: &str = "sleep 1000 >/dev/null & echo $!; wait";
const CHILD_IN_A_SESSION: &str = "setsid sleep 1000 >/dev/null & echo $!; wait";
/// The shell ends, so this is an orphan.
const DAEMON: &str = "setsid sleep 1000 >/dev/null & echo $!";
const ORPHAN: &str = "sleep 1000 >/dev/null & echo $!";
const BARE_DAEMON: &str = "env -i setsid sleep 1000 >/dev/null & echo $!";
const BARE_CHILD_OF_A_DAEMON: &str =
    "setsid sh -c 'env -i setsid sleep 1000 >/dev/null & echo $!; wait' &";

impl Set {
    /// Starts a body that starts a process; returns that process.
    async fn start_one_that_starts(&mut self, script: &str, then: &str) -> (RunId, u32) {
        let mut starts = assignment("starts");
        starts.details.arguments = Some(serde_json::json!([script, then]));
        let run = self.start_with(starts);
        self.events.started(run).await;
        let started = self.events.progress(run).await.done;
        (run, started.try_into().expect("a process id"))
    }
}

/// Whether it runs no more. Whether init has reaped it says nothing of us.
fn has_ended(pid: u32) -> bool {
    std::fs::read_to_string(format!("/proc/{pid}/status"))
        .map_or(true, |status| status.contains("State:\tZ"))
}

#[tokio::test]
async fn nobody_outlives_a_process_that_is_killed() {
    for script in [
        CHILD,
        CHILD_IN_A_SESSION,
        ORPHAN,
        DAEMON,
        BARE_DAEMON,
        BARE_CHILD_OF_A_DAEMON,
    ] {
        let mut set = set();
        let (run, started) = set.start_one_that_starts(script, "stays").await;
        let (ignores, _) = set.start_to_its_point("ignores_terminate").await;
        set.hosts.cancel(run, CancelReason::Abort);
        set.clock.pass(GRACE).await;
        set.clock.pass(TERM_GRACE).await;
        let cause = KillCause::Grace {
            reason: CancelReason::Abort,
            grace: GRACE,
        };
        assert_eq!(set.events.finished(run).await, killed(cause), "{script}");
        assert!(has_ended(started), "{script}");
        set.events.finished(ignores).await;
    }
}

#[tokio::test]
async fn nobody_outlives_a_process_that_ends_by_itself() {
    for (then, cause) in [
        ("exits when asked", KillCause::Exit { code: 0 }),
        ("aborts when asked", KillCause::Signal { signal: 6 }),
    ] {
        for script in [
            CHILD,
            CHILD_IN_A_SESSION,
            ORPHAN,
            DAEMON,
            BARE_CHILD_OF_A_DAEMON,
        ] {
            let mut set = set();
            let (run, started) = set.start_one_that_starts(script, then).await;
            set.hosts.cancel(run, CancelReason::Abort);
            let outcome = set.events.finished(run).await;
            assert_eq!(outcome, killed(cause.clone()), "{script}, {then}");
            assert!(has_ended(started), "{script}, {then}");
        }
    }
}

#[tokio::test]
async fn what_a_body_left_ends_with_its_idle_process_and_not_before() {
    let mut set = set();
    let (run, started) = set.start_one_that_starts(BARE_DAEMON, "returns").await;
    assert!(set.events.finished(run).await.is_completed());
    assert!(!has_ended(started));
    set.clock.pass(IDLE).await;
    eventually(|| has_ended(started)).await;
}

#[tokio::test]
async fn nobody_outlives_the_app() {
    let mut set = set();
    let (run, started) = set.start_one_that_starts(BARE_DAEMON, "stays").await;
    drop(set.hosts);
    set.events.finished(run).await;
    assert!(has_ended(started));
}

#[tokio::test]
async fn processes_of_others_are_left_alone() {
    let mut set = set();
    let mut other = std::process::Command::new("sleep")
        .arg("1000")
        .env(child::MARKER, "another host's")
        .spawn()
        .expect("a process");
    let run = set.start("aborts");
    set.events.finished(run).await;
    assert!(!has_ended(other.id()));
    other.kill().expect("killed");
    other.wait().expect("reaped");
}
