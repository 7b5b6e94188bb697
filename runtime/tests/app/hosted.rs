//! Tasks in processes of their own: whatever they do, they have an outcome, and nobody else is
//! hit.

use std::time::Duration;

use bgtask::{App, CancelReason, KillCause, Outcome};
use libtest_mimic::Trial;

use crate::{
    checked, harness,
    harness::Gate,
    outcome, report, start_plain, start_run,
    tasks::{Deed, act_plainly},
};

pub(crate) fn trials() -> Vec<Trial> {
    [
        "a_hosted_body_returns_its_typed_value",
        "a_hosted_body_returns_its_error",
        "a_hosted_body_panics",
        "a_hosted_body_aborts",
        "a_hosted_body_exits_with_zero",
        "a_hosted_body_exits_with_three",
        "a_hosted_async_body_that_never_ends_is_killed",
        "a_hosted_plain_body_that_never_ends_is_killed",
        "a_hosted_body_that_ends_when_its_time_is_over_is_cancelled",
        "a_host_that_closes_its_connection_is_lost",
        "a_hosted_body_over_its_memory_is_killed",
        "a_crash_hits_its_resource_group_only",
        "a_hosted_run_that_ignores_its_cancellation_is_killed_with_its_reason",
        "a_host_makes_its_own_state",
        "setup_fails_in_the_host",
        "setup_panics_in_the_host",
        "a_warm_host_serves_the_next_run",
        "an_idle_host_ends",
        "a_result_over_the_limit_is_a_failure",
    ]
    .map(checked)
    .into()
}

pub(crate) async fn play(app: &App, name: &str) -> bool {
    match name {
        "a_hosted_body_returns_its_typed_value" => {
            let report = report(app, "hosted").await;
            assert_eq!((report.value, report.attempt), (7, 1));
            assert_ne!(report.pid, std::process::id());
        }
        "a_hosted_body_returns_its_error" => {
            let failed = outcome(app, "hosted", Deed::Fail).await;
            let error = "as asked".to_owned();
            assert_eq!(failed, Outcome::Failed { error });
            works(app, "hosted").await;
        }
        "a_hosted_body_panics" => {
            let panicked = outcome(app, "hosted", Deed::Panic).await;
            let message = "as asked".to_owned();
            assert_eq!(panicked, Outcome::Panicked { message });
            works(app, "hosted").await;
        }
        "a_hosted_body_aborts" => {
            ends(app, Deed::Abort, KillCause::Signal { signal: 6 }).await;
        }
        "a_hosted_body_exits_with_zero" => {
            ends(app, Deed::Exit(0), KillCause::Exit { code: 0 }).await;
        }
        "a_hosted_body_exits_with_three" => {
            ends(app, Deed::Exit(3), KillCause::Exit { code: 3 }).await;
        }
        "a_hosted_async_body_that_never_ends_is_killed" => {
            let killed = outcome(app, "hosted_brief", Deed::Spin).await;
            assert_eq!(killed, over_time());
            works(app, "hosted_brief").await;
        }
        "a_hosted_plain_body_that_never_ends_is_killed" => {
            let mut run = start_plain(app, "hosted_plain", Deed::Spin).await;
            assert_eq!(run.ended().await.unwrap(), over_time());
            let next = start_plain(app, "hosted_plain", Deed::Return(8)).await;
            assert_eq!(next.completed().await.unwrap(), 8);
        }
        "a_hosted_body_that_ends_when_its_time_is_over_is_cancelled" => {
            let gate = Gate::new(harness::home().join("gate"));
            let deed = Deed::Checkpoints(gate.path().into());
            let mut run = crate::requested::<act_plainly>(app, "hosted_plain", deed).await;
            gate.visitor().pass();
            assert_eq!(
                run.ended().await.unwrap(),
                Outcome::Cancelled {
                    reason: CancelReason::ExecutionTimeExceeded,
                    overrun: false,
                }
            );
        }
        "a_host_that_closes_its_connection_is_lost" => {
            let lost = outcome(app, "hosted", Deed::CloseConnection).await;
            assert!(
                matches!(
                    &lost,
                    Outcome::Killed {
                        cause: KillCause::HostLost { .. }
                    }
                ),
                "{lost:?}"
            );
            works(app, "hosted").await;
        }
        "a_hosted_body_over_its_memory_is_killed" => {
            let killed = outcome(app, "bomb", Deed::Allocate).await;
            let cause = KillCause::Memory { limit: 64 << 20 };
            assert_eq!(killed, Outcome::Killed { cause });
            works(app, "bomb").await;
        }
        "a_crash_hits_its_resource_group_only" => a_crash(app).await,
        "a_hosted_run_that_ignores_its_cancellation_is_killed_with_its_reason" => {
            ignores_cancellation(app).await;
        }
        "a_host_makes_its_own_state" => {
            let (hosted, here) = (report(app, "hosted").await, report(app, "here").await);
            assert_eq!(hosted.origin, hosted.pid);
            assert_eq!(here.origin, std::process::id());
            assert_ne!(hosted.origin, here.origin);
        }
        "setup_panics_in_the_host" => {
            let killed = outcome(app, "hosted", Deed::Return(1)).await;
            let error = "it panicked".to_owned();
            let cause = KillCause::HostSetup { error };
            assert_eq!(killed, Outcome::Killed { cause });
            works(app, "here").await;
        }
        "setup_fails_in_the_host" => {
            let killed = outcome(app, "hosted", Deed::Return(1)).await;
            let error = "no database here".to_owned();
            let cause = KillCause::HostSetup { error };
            assert_eq!(killed, Outcome::Killed { cause });
            let told = killed.to_string();
            assert!(told.contains("`AppBuilder::host_env`"), "{told}");
            let history = app.history(Some("hosted"), 10).await.unwrap();
            assert_eq!(history.len(), 1);
            assert_eq!(
                (&*history[0].task, &history[0].outcome),
                ("hosted", &killed)
            );
            works(app, "here").await;
        }
        "a_warm_host_serves_the_next_run" => {
            let (first, second) = (report(app, "hosted").await, report(app, "hosted").await);
            assert_eq!(first.pid, second.pid);
            assert_ne!(first.pid, report(app, "other").await.pid);
        }
        "an_idle_host_ends" => {
            let first = report(app, "hosted").await;
            harness::gone(first.pid);
            assert_ne!(first.pid, report(app, "hosted").await.pid);
        }
        "a_result_over_the_limit_is_a_failure" => {
            let failed = outcome(app, "hosted", Deed::Text(1 << 20)).await;
            let Outcome::Failed { error } = &failed else {
                panic!("{failed:?}");
            };
            assert!(error.contains("over the limit of 1048576"), "{error}");
            works(app, "hosted").await;
        }
        _ => return false,
    }
    true
}

/// The deed ends its host so; other runs and the app go on, and the next run of the task works.
async fn ends(app: &App, deed: Deed, cause: KillCause) {
    let gate = Gate::new(harness::home().join("gate"));
    let wait = Deed::Visit(gate.path().into());
    let beside = start_run(app, "other", wait.clone()).await;
    let within = start_run(app, "here", wait).await;
    let visitors = [gate.visitor(), gate.visitor()];
    assert_eq!(
        outcome(app, "hosted", deed).await,
        Outcome::Killed { cause }
    );
    for visitor in visitors {
        visitor.pass();
    }
    beside.completed().await.unwrap();
    within.completed().await.unwrap();
    works(app, "hosted").await;
}

async fn works(app: &App, task: &str) {
    assert_eq!(report(app, task).await.value, 7);
}

fn over_time() -> Outcome {
    Outcome::Killed {
        cause: KillCause::WallTime {
            limit: Duration::from_millis(200),
            grace: Duration::from_millis(200),
        },
    }
}

async fn a_crash(app: &App) {
    let gate = Gate::new(harness::home().join("gate"));
    let wait = || Deed::Visit(gate.path().into());
    works(app, "hosted").await;
    let mut neighbour = start_run(app, "hosted", wait()).await;
    let in_host = gate.visitor();
    let beside = start_run(app, "other", wait()).await;
    let in_other = gate.visitor();
    let within = start_run(app, "here", wait()).await;
    let in_app = gate.visitor();

    let crashed = outcome(app, "hosted", Deed::Abort).await;
    let cause = KillCause::Signal { signal: 6 };
    assert_eq!(crashed, Outcome::Killed { cause });
    assert_eq!(neighbour.ended().await.unwrap(), crashed);
    drop(in_host);

    in_other.pass();
    in_app.pass();
    beside.completed().await.unwrap();
    within.completed().await.unwrap();
    let ended = app.history(None, 100).await.unwrap();
    let killed = ended.iter().filter(|run| run.outcome == crashed).count();
    assert_eq!((ended.len(), killed), (5, 2));
    works(app, "hosted").await;
}

async fn ignores_cancellation(app: &App) {
    let gate = Gate::new(harness::home().join("gate"));
    let wait = || Deed::Visit(gate.path().into());
    let mut run = start_run(app, "hosted", wait()).await;
    let visitor = gate.visitor();
    let mut neighbour = start_run(app, "hosted", wait()).await;
    let beside = gate.visitor();
    run.cancel(CancelReason::Abort).await.unwrap();
    let cause = KillCause::Grace {
        reason: CancelReason::Abort,
        grace: Duration::from_millis(200),
    };
    assert_eq!(run.ended().await.unwrap(), Outcome::Killed { cause });
    // Its process had to go, and the neighbour is told that it was not for its own sake.
    match neighbour.ended().await.unwrap() {
        Outcome::Killed {
            cause: KillCause::HostLost { detail },
        } => assert!(
            detail.contains("another run of the group `one`"),
            "{detail}"
        ),
        other => panic!("{other:?}"),
    }
    visitor.leaves();
    beside.leaves();
    works(app, "hosted").await;
}
