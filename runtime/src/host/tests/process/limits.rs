//! What a run may take.

use super::*;

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
