//! What a run may take.

use super::super::service_manager::{Bus, manager, next_call, request};
use super::*;
use crate::host::tests::bodies;

/// As they are documented.
const MEMORY_LOOK: Duration = Duration::from_millis(250);

fn with_memory(task: &str, limit: u64) -> Assignment {
    let mut bounded = assignment(task);
    bounded.place.settings.memory = Some(limit);
    bounded
}

#[tokio::test]
async fn a_body_that_allocates_over_its_memory_limit_says_so_and_one_that_aborts_says_that() {
    let mut set = set();
    let limit = 256 << 20;
    for (task, cause) in [
        ("allocates", KillCause::Memory { limit }),
        ("aborts", KillCause::Signal { signal: 6 }),
        ("allocates", KillCause::Memory { limit }),
    ] {
        let run = set.start_with(with_memory(task, limit));
        assert_eq!(set.events.finished(run).await, killed(cause), "{task}");
    }
    set.the_next_one_runs().await;
}

#[tokio::test]
async fn what_a_body_maps_counts_too_and_kills_it_unasked() {
    let mut set = set();
    let limit = 128 << 20;
    let run = set.start_with(with_memory("maps", limit));
    let neighbour = set.start_with(with_memory("forever", limit));
    let pid = set.events.started(run).await;
    assert_eq!(set.events.started(neighbour).await, pid);
    set.events.progress(run).await;
    set.clock.pass(MEMORY_LOOK).await;
    for run in [run, neighbour] {
        let cause = KillCause::Memory { limit };
        assert_eq!(set.events.finished(run).await, killed(cause));
    }
    assert!(is_gone(pid));
}

#[tokio::test]
async fn the_service_manager_is_asked_and_not_waited_for() {
    let bus = Bus::start();
    let (_manager, mut calls) = manager(&bus).await;
    let mut set = set_of(ProcessConfig {
        session_bus: Some(bus.address.clone()),
        ..config("serves")
    });
    let free = set.start("value");
    assert_eq!(set.events.finished(free).await, completed(7));
    let run = set.start_with(with_memory("value", 256 << 20));
    let pid = set.events.started(run).await;
    assert_eq!(set.events.finished(run).await, completed(7));
    // One request, which nobody answers.
    let call = next_call(&mut calls).await;
    assert_eq!(request(&call).0, format!("bgtask-test-{pid}.scope"));
}

#[tokio::test]
async fn memory_is_looked_at_while_a_run_is_active() {
    let mut set = set();
    let run = set.start_with(with_memory("heeds", 256 << 20));
    set.events.started(run).await;
    set.events.progress(run).await;
    set.clock.pass(MEMORY_LOOK).await;
    set.clock.is_waited_for(MEMORY_LOOK).await;
    set.hosts.cancel(run, CancelReason::Abort);
    set.events.finished(run).await;
    set.clock.is_waited_for(IDLE).await;
    eventually(|| set.clock.waiting(MEMORY_LOOK) == 0).await;
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

#[tokio::test]
async fn the_cpu_time_of_a_run_is_told_if_it_is_asked_for() {
    let mut set = set();
    for metered in [true, false] {
        for share in [Share::Unnamed, Share::Alone] {
            let mut asked = assignment("burns");
            asked.metered = metered;
            asked.place.share = share;
            let run = set.start_with(asked);
            let used = set.events.used(run).await;
            let expected = metered.then_some(true);
            assert_eq!(used.map(|used| used >= bodies::BURNT), expected, "{used:?}");
        }
    }
    // All of a process counts that a run has to itself.
    let mut asked = assignment("burns_elsewhere");
    asked.metered = true;
    asked.place.share = Share::Alone;
    let run = set.start_with(asked);
    let used = set.events.used(run).await;
    // The kernel tells it in steps.
    assert!(
        used.is_some_and(|used| used >= bodies::BURNT / 2),
        "{used:?}"
    );
}
