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

fn with_cpu(task: &str, cpu: Duration) -> Assignment {
    let mut budgeted = assignment(task);
    budgeted.limits.cpu = Some(cpu);
    budgeted.limits.timeout = None;
    budgeted.place.share = Share::Alone;
    budgeted
}

#[tokio::test]
async fn a_run_over_its_cpu_time_is_asked_to_stop_and_killed_after_its_grace() {
    let cpu = Duration::from_millis(20);
    let mut set = set();
    set.clock.flow_below(GRACE);
    let run = set.start_with(with_cpu("spins_until_asked", cpu));
    let outcome = Outcome::Cancelled {
        reason: CancelReason::ExecutionTimeExceeded,
        overrun: false,
    };
    assert_eq!(set.events.finished(run).await, outcome);

    // With it goes its own wait for the grace.
    eventually(|| set.hosts.alone() == 0).await;

    let run = set.start_with(with_cpu("spins", cpu));
    set.clock.pass(GRACE).await;
    let cause = KillCause::Cpu {
        limit: cpu,
        grace: GRACE,
    };
    assert_eq!(set.events.finished(run).await, killed(cause));
}

#[tokio::test]
async fn a_run_that_sleeps_is_hardly_ever_looked_at() {
    let cpu = Duration::from_secs(3600);
    let mut set = set();
    let run = set.start_with(with_cpu("forever", cpu));
    set.events.started(run).await;
    set.events.progress(run).await;
    let cpus = std::thread::available_parallelism().expect("a number");
    let cpus = u32::try_from(cpus.get()).expect("a few");
    set.clock.pass(cpu / cpus).await;
    set.hosts.cancel(run, CancelReason::Abort);
    set.clock.pass(GRACE).await;
    let cause = KillCause::Grace {
        reason: CancelReason::Abort,
        grace: GRACE,
    };
    assert_eq!(set.events.finished(run).await, killed(cause));
}

#[tokio::test]
async fn the_kernel_ends_a_run_over_its_cpu_time_when_nobody_looks() {
    let cpu = Duration::from_millis(1);
    let mut set = set();
    let mut budgeted = with_cpu("spins", cpu);
    budgeted.limits.grace = Duration::ZERO;
    let run = set.start_with(budgeted);
    // No time passes here.
    let cause = KillCause::Cpu {
        limit: cpu,
        grace: Duration::ZERO,
    };
    assert_eq!(set.events.finished(run).await, killed(cause));
}
