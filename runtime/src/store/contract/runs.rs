//! Ending runs, and what is told of them afterwards.

use std::time::Duration;

use super::*;
use crate::{KillCause, Progress};

pub(super) async fn a_stale_fence_changes_nothing(store: &dyn Store) {
    let new = waiting(store).await;
    let fence = start(store, new.id).await;
    let (before, registration_before) = (open(store).await, registration(store, "task").await);

    for wrong in [0, fence - 1, fence + 1, u64::MAX] {
        let end = Finish {
            ends_registration: true,
            ..completed(new.id, wrong)
        };
        assert!(!finish(store, end).await, "fence {wrong}");
    }
    assert_eq!(open(store).await, before);
    assert_eq!(history(store).await, []);
    assert_eq!(registration(store, "task").await, registration_before);
}

pub(super) async fn finished_once(store: &dyn Store) {
    let new = waiting(store).await;
    let fence = start(store, new.id).await;
    let end = completed(new.id, fence);
    let twice = store.finish(vec![end.clone(), end.clone()]).await.unwrap();

    assert_eq!(twice, [true, false]);
    assert!(!finish(store, end).await);
    assert_eq!(open(store).await, []);
    assert_eq!(history(store).await.len(), 1);
}

pub(super) async fn the_record_says_it_all(store: &dyn Store) {
    let new = waiting(store).await;
    let (run, lease) = claim(store, new.id).await;
    let progress = Progress {
        sequence: 4,
        done: 3,
        total: 9,
        message: Some("third".into()),
    };
    let end = Finish {
        progress: Some(progress.clone()),
        ..completed(new.id, lease.unwrap().fence)
    };
    assert!(finish(store, end.clone()).await);

    let expected = RunRecord {
        run,
        activation: new.id,
        registration: new.registration,
        task: "task".into(),
        attempt: 1,
        accepted: at(1),
        started: Some(at(10)),
        ended: at(20),
        outcome: end.outcome,
        progress: Some(progress),
        retry_at: None,
    };
    assert_eq!(history(store).await, [expected]);
}

pub(super) async fn every_outcome_is_kept(store: &dyn Store) {
    let registration = registered(store).await.id;
    let outcomes = [
        Outcome::Completed {
            value: serde_json::Value::Null,
        },
        Outcome::Failed { error: "no".into() },
        Outcome::Panicked {
            message: "oh".into(),
        },
        Outcome::Cancelled {
            reason: CancelReason::Terminating,
            overrun: true,
        },
        Outcome::Killed {
            cause: KillCause::WallTime {
                limit: Duration::from_millis(25_500),
                grace: Duration::from_secs(5),
            },
        },
        Outcome::Killed {
            cause: KillCause::Memory { limit: u64::MAX },
        },
    ];
    for outcome in &outcomes {
        let new = activation(registration);
        store.enqueue(vec![new.clone()]).await.unwrap();
        let fence = start(store, new.id).await;
        let end = Finish {
            outcome: outcome.clone(),
            ..completed(new.id, fence)
        };
        assert!(finish(store, end).await);
    }
    let kept: Vec<_> = history(store)
        .await
        .into_iter()
        .rev()
        .map(|run| run.outcome)
        .collect();
    assert_eq!(kept, outcomes);
}

fn retried(activation: ActivationId, fence: u64) -> Finish {
    Finish {
        outcome: Outcome::Failed {
            error: "offline".into(),
        },
        retry_at: Some(at(600)),
        ..completed(activation, fence)
    }
}

pub(super) async fn a_retry_waits_again_and_is_recorded(store: &dyn Store) {
    let new = waiting(store).await;
    let fence = start(store, new.id).await;
    assert!(finish(store, retried(new.id, fence)).await);

    let all = open(store).await;
    assert_eq!(all.len(), 1);
    assert_eq!(all[0].run, None);
    assert_eq!(all[0].not_before, at(600));
    assert_eq!((all[0].attempt, all[0].fence), (1, 1));
    let runs = history(store).await;
    assert_eq!(runs.len(), 1);
    assert_eq!(runs[0].retry_at, Some(at(600)));
    assert!(!finish(store, completed(new.id, fence)).await, "it waits");

    let fence = start(store, new.id).await;
    assert!(finish(store, completed(new.id, fence)).await);
    let attempts: Vec<_> = history(store).await.iter().map(|run| run.attempt).collect();
    assert_eq!(attempts, [2, 1]);
}

pub(super) async fn a_retry_does_not_end_a_one_shot(store: &dyn Store) {
    let new = waiting(store).await;
    let fence = start(store, new.id).await;
    let end = Finish {
        ends_registration: true,
        ..retried(new.id, fence)
    };
    assert!(finish(store, end).await);
    assert_eq!(registration(store, "task").await.ended, None);
}

pub(super) async fn a_one_shot_ends_with_its_outcome(store: &dyn Store) {
    let new = waiting(store).await;
    let fence = start(store, new.id).await;
    let end = Finish {
        ends_registration: true,
        ..completed(new.id, fence)
    };
    assert!(finish(store, end).await);
    let after = registration(store, "task").await;
    assert_eq!(after.ended, Some(at(20)));
    assert_eq!(after.due, None);
}

/// So many ended activations of `task`, oldest first.
pub(super) async fn ended(store: &dyn Store, count: i64) -> Vec<NewActivation> {
    let registration = registered(store).await.id;
    let mut all = Vec::new();
    for seconds in 0..count {
        let new = activation(registration);
        store.enqueue(vec![new.clone()]).await.unwrap();
        let fence = start(store, new.id).await;
        let end = Finish {
            at: at(100 + seconds),
            ..completed(new.id, fence)
        };
        assert!(finish(store, end).await);
        all.push(new);
    }
    all
}

pub(super) async fn history_is_newest_first_and_limited(store: &dyn Store) {
    ended(store, 5).await;
    let times = async |limit| {
        let query = HistoryQuery {
            limit,
            ..HistoryQuery::default()
        };
        let runs = store.history(query).await.unwrap();
        runs.iter().map(|run| run.ended).collect::<Vec<_>>()
    };
    assert_eq!(
        times(0).await,
        [at(104), at(103), at(102), at(101), at(100)]
    );
    assert_eq!(times(2).await, [at(104), at(103)]);
    assert_eq!(times(u32::MAX).await.len(), 5);
}

pub(super) async fn history_of_one_task_and_of_one_activation(store: &dyn Store) {
    assert!(store.tasks_with_runs().await.unwrap().is_empty());
    let all = ended(store, 3).await;
    let other = NewActivation {
        task: "other".into(),
        ..activation(all[0].registration)
    };
    store.enqueue(vec![other.clone()]).await.unwrap();
    let fence = start(store, other.id).await;
    assert!(finish(store, completed(other.id, fence)).await);

    let found = async |task: Option<&str>, activation, limit| {
        let query = HistoryQuery {
            task: task.map(Into::into),
            activation,
            limit,
        };
        let runs = store.history(query).await.unwrap();
        runs.iter().map(|run| run.activation).collect::<Vec<_>>()
    };
    assert_eq!(found(Some("other"), None, 0).await, [other.id]);
    assert_eq!(found(Some("task"), None, 2).await, [all[2].id, all[1].id]);
    assert_eq!(found(Some("nothing"), None, 0).await, []);
    assert_eq!(found(None, Some(all[1].id), 0).await, [all[1].id]);
    assert_eq!(found(Some("task"), Some(all[1].id), 5).await, [all[1].id]);
    assert_eq!(found(Some("other"), Some(all[1].id), 0).await, []);
    let tasks = store.tasks_with_runs().await.unwrap();
    assert_eq!(tasks, ["other", "task"]);
}

pub(super) async fn only_journaled_completions_wait_for_delivery(store: &dyn Store) {
    ended(store, 1).await;
    let journaled = NewActivation {
        journal: true,
        ..activation(registered(store).await.id)
    };
    store.enqueue(vec![journaled.clone()]).await.unwrap();
    let fence = start(store, journaled.id).await;
    assert!(finish(store, retried(journaled.id, fence)).await);
    assert_eq!(store.undelivered().await.unwrap(), [], "it is not over");

    let (run, lease) = claim(store, journaled.id).await;
    assert!(finish(store, completed(journaled.id, lease.unwrap().fence)).await);
    let runs = store.undelivered().await.unwrap();
    assert_eq!(runs.len(), 1);
    assert_eq!(runs[0].run, run);

    store.deliver(vec![run, RunId::now()]).await.unwrap();
    store.deliver(vec![run]).await.unwrap();
    assert_eq!(store.undelivered().await.unwrap(), []);
    assert_eq!(history(store).await.len(), 3);
}

pub(super) async fn a_journaled_suppression_waits_for_delivery(store: &dyn Store) {
    let registration = registered(store).await.id;
    let new: Vec<_> = (0..2)
        .map(|_| NewActivation {
            journal: true,
            ..activation(registration)
        })
        .collect();
    store.enqueue(new.clone()).await.unwrap();
    for one in &new {
        let done = store.suppress(vec![suppression(one.id)]).await.unwrap();
        assert_eq!(done, [true]);
    }
    let order: Vec<_> = store
        .undelivered()
        .await
        .unwrap()
        .iter()
        .map(|run| run.activation)
        .collect();
    assert_eq!(order, [new[0].id, new[1].id], "oldest first");
}

pub(super) async fn pruning_keeps_the_recent_whether_delivered_or_not(store: &dyn Store) {
    ended(store, 4).await;
    let journaled = NewActivation {
        journal: true,
        ..activation(registered(store).await.id)
    };
    store.enqueue(vec![journaled.clone()]).await.unwrap();
    let fence = start(store, journaled.id).await;
    assert!(finish(store, completed(journaled.id, fence)).await);

    // By age, and by number.
    let undelivered = async || store.undelivered().await.unwrap().len();
    assert_eq!(prune(store, at(20), u32::MAX).await, 0);
    assert_eq!(prune(store, at(20), 1).await, 4);
    let times: Vec<_> = history(store).await.iter().map(|run| run.ended).collect();
    assert_eq!((times, undelivered().await), (vec![at(20)], 1));
    assert_eq!(prune(store, at(21), u32::MAX).await, 1);
    assert_eq!(undelivered().await, 0);
}

pub(super) async fn nothing_asked_is_nothing_done(store: &dyn Store) {
    store.enqueue(Vec::new()).await.unwrap();
    store.deliver(Vec::new()).await.unwrap();
    assert!(store.fire(Vec::new()).await.unwrap().is_empty());
    assert!(store.claim(Vec::new()).await.unwrap().is_empty());
    assert!(store.finish(Vec::new()).await.unwrap().is_empty());
    assert!(store.suppress(Vec::new()).await.unwrap().is_empty());
    assert!(store.recover(at(0)).await.unwrap().is_empty());
    assert_eq!(prune(store, at(0), u32::MAX).await, 0);
    assert_eq!(sync(store, &[]).await, SyncDiff::default());
    assert_eq!(history(store).await, []);
}

pub(super) async fn a_result_that_could_not_be_read_back_ends_the_run(store: &dyn Store) {
    let new = waiting(store).await;
    for (levels, completed_as_is) in [(100, true), (101, false)] {
        let fence = start(store, new.id).await;
        let end = Finish {
            outcome: Outcome::Completed {
                value: nested(levels),
            },
            retry_at: completed_as_is.then(|| at(30)),
            ..completed(new.id, fence)
        };
        assert!(finish(store, end).await);
        let outcome = &history(store).await[0].outcome;
        assert_eq!(outcome.is_completed(), completed_as_is, "{outcome}");
    }
}
