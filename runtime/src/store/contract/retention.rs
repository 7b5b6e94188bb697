//! How much is kept.

use std::time::Duration;

use super::*;

async fn logged(store: &dyn Store, times: std::ops::Range<i64>) {
    let kind = EventKind::Refused { error: "no".into() };
    let events = times.map(|seconds| Event {
        at: at(seconds),
        task: "task".into(),
        kind: kind.clone(),
    });
    store.log(events.collect()).await.unwrap();
}

async fn refusals(store: &dyn Store) -> Vec<Timestamp> {
    let all = store.read_log(LogQuery::default()).await.unwrap();
    all.iter()
        .filter(|event| matches!(event.kind, EventKind::Refused { .. }))
        .map(|event| event.at)
        .collect()
}

pub(super) async fn history_and_log_are_bounded_by_number(store: &dyn Store) {
    super::runs::ended(store, 5).await;
    logged(store, 0..4).await;
    assert_eq!(prune(store, at(0), 5).await, 0);
    assert_eq!(prune(store, at(0), 2).await, 3 + 2);
    let times: Vec<_> = history(store).await.iter().map(|run| run.ended).collect();
    assert_eq!(times, [at(104), at(103)]);
    assert_eq!(refusals(store).await, [at(3), at(2)]);
    assert_eq!(prune(store, at(0), 2).await, 0);
    assert_eq!(prune(store, at(0), 0).await, 4);
    assert_eq!(history(store).await, []);
}

pub(super) async fn the_log_is_bounded_by_age(store: &dyn Store) {
    logged(store, 0..4).await;
    assert_eq!(prune(store, at(2), u32::MAX).await, 2);
    assert_eq!(refusals(store).await, [at(3), at(2)]);
}

pub(super) async fn old_energy_and_tombstones_go(store: &dyn Store) {
    let task = registered(store).await;
    let made = added(store, built("made")).await;
    let stays = added(store, built("stays")).await;
    let waits = added(store, built("waits")).await;
    store.enqueue(vec![activation(waits.id)]).await.unwrap();
    for (registration, seconds) in [(&made, 901), (&stays, 5000), (&waits, 901), (&task, 901)] {
        let last = Fire {
            at: at(seconds),
            last: true,
            activations: Vec::new(),
            ..firing(registration)
        };
        assert!(fire(store, last).await);
    }
    for seconds in [10, 3600, 8000] {
        let new = activation(task.id);
        store.enqueue(vec![new.clone()]).await.unwrap();
        let fence = start(store, new.id).await;
        let end = Finish {
            at: at(seconds),
            cpu: Some(Duration::from_secs(1)),
            ..completed(new.id, fence)
        };
        assert!(finish(store, end).await);
    }
    prune(store, at(4000), u32::MAX).await;

    let names: Vec<_> = store
        .registrations()
        .await
        .unwrap()
        .into_iter()
        .map(|record| record.name)
        .collect();
    // A declared one is asked for again; the end of what waits is noted with its registration.
    assert_eq!(names, ["task", "stays", "waits"]);
    let rows = store.energy(at(0)).await.unwrap();
    let hours: Vec<_> = rows.iter().map(|row| row.hour).collect();
    assert_eq!(hours, [at(3600), at(7200)]);
}

pub(super) async fn the_last_run_is_still_told(store: &dyn Store) {
    super::runs::ended(store, 1).await;
    let before = registration(store, "task").await;
    assert_eq!(before.last_run, Some(at(10)));
    assert_eq!(prune(store, at(5000), 0).await, 1);
    assert_eq!(registration(store, "task").await, before);

    let new = activation(before.id);
    store.enqueue(vec![new.clone()]).await.unwrap();
    let claim = Claim {
        activation: new.id,
        run: RunId::now(),
        at: at(6000),
    };
    let lease = store.claim(vec![claim]).await.unwrap().remove(0).unwrap();
    assert!(finish(store, completed(new.id, lease.fence)).await);
    let after = registration(store, "task").await;
    assert_eq!(after.last_run, Some(at(6000)));
}
