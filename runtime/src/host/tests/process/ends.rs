//! Each way in which a process ends.

use super::*;

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
async fn one_that_left_its_group_is_killed_too() {
    let mut set = set();
    let (run, pid) = set.start_to_its_point("moves").await;
    set.hosts.cancel(run, CancelReason::Abort);
    set.clock.pass(GRACE).await;
    let cause = KillCause::Grace {
        reason: CancelReason::Abort,
        grace: GRACE,
    };
    assert_eq!(set.events.finished(run).await, killed(cause));
    assert!(is_gone(pid));
    set.the_next_one_runs().await;
}

#[tokio::test]
async fn an_idle_host_is_ended_and_comes_back() {
    let mut set = set();
    let run = set.start("value");
    let pid = set.events.started(run).await;
    assert_eq!(set.events.finished(run).await, completed(7));
    set.clock.pass(IDLE).await;
    eventually(|| is_gone(pid)).await;
    let run = set.start("value");
    assert_ne!(set.events.started(run).await, pid);
    assert_eq!(set.events.finished(run).await, completed(7));
    set.events.nothing_more();
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
