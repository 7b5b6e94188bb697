//! What happened.

use super::*;

fn event(seconds: i64, task: &str, kind: EventKind) -> Event {
    Event {
        at: at(seconds),
        task: task.into(),
        kind,
    }
}

fn refused(seconds: i64, task: &str, error: &str) -> Event {
    event(
        seconds,
        task,
        EventKind::Refused {
            error: error.into(),
        },
    )
}

async fn log(store: &dyn Store) -> Vec<Event> {
    store.read_log(LogQuery::default()).await.unwrap()
}

/// The words of what happened, with their times in seconds.
fn told(events: &[Event]) -> Vec<(i64, String)> {
    events
        .iter()
        .map(|event| {
            let json = serde_json::to_value(&event.kind).unwrap();
            let seconds = event.at.as_second() - at(0).as_second();
            (seconds, json["event"].as_str().unwrap().to_owned())
        })
        .collect()
}

fn pairs(expected: &[(i64, &str)]) -> Vec<(i64, String)> {
    expected
        .iter()
        .map(|(seconds, word)| (*seconds, (*word).to_owned()))
        .collect()
}

pub(super) async fn what_was_logged_is_told_newest_first(store: &dyn Store) {
    let events = [
        refused(5, "a", "one"),
        refused(7, "naïve 🦀\u{0}", "two"),
        refused(6, "b", "set back"),
    ];
    store.log(events[..2].to_vec()).await.unwrap();
    store.log(events[2..].to_vec()).await.unwrap();
    let expected = [events[1].clone(), events[2].clone(), events[0].clone()];
    assert_eq!(log(store).await, expected);
}

pub(super) async fn a_run_is_told_from_its_records(store: &dyn Store) {
    let new = waiting(store).await;
    let (run, lease) = claim(store, new.id).await;
    let end = completed(new.id, lease.unwrap().fence);
    assert!(finish(store, end.clone()).await);
    let activation = new.id;
    let expected = [
        event(
            20,
            "task",
            EventKind::Ended {
                activation,
                run,
                outcome: end.outcome,
                retry_at: None,
            },
        ),
        event(
            10,
            "task",
            EventKind::Started {
                activation,
                run,
                pid: None,
            },
        ),
        event(1, "task", EventKind::Fired { activation }),
    ];
    assert_eq!(log(store).await, expected);
}

pub(super) async fn what_waits_and_what_runs_is_told(store: &dyn Store) {
    let runs = waiting(store).await;
    let waits = activation(runs.registration);
    let away = activation(runs.registration);
    store
        .enqueue(vec![waits.clone(), away.clone()])
        .await
        .unwrap();
    claim(store, runs.id).await;
    store.suppress(vec![suppression(away.id)]).await.unwrap();
    let all = log(store).await;
    assert_eq!(
        told(&all),
        pairs(&[
            (15, "suppressed"),
            (10, "started"),
            (1, "fired"),
            (1, "fired"),
            (1, "fired"),
        ])
    );
    let why = Suppression::Overlap;
    let activation = Some(away.id);
    assert_eq!(all[0].kind, EventKind::Suppressed { activation, why });
}

pub(super) async fn a_retry_fires_once(store: &dyn Store) {
    let new = waiting(store).await;
    for _ in 0..2 {
        let fence = start(store, new.id).await;
        let end = Finish {
            outcome: Outcome::Failed { error: "no".into() },
            retry_at: Some(at(600)),
            ..completed(new.id, fence)
        };
        assert!(finish(store, end).await);
    }
    let words = told(&log(store).await);
    let expected = [
        (20, "ended"),
        (20, "ended"),
        (10, "started"),
        (10, "started"),
        (1, "fired"),
    ];
    assert_eq!(words, pairs(&expected), "it waits for its next try");
}

pub(super) async fn what_happened_at_one_time_is_in_order(store: &dyn Store) {
    let new = waiting(store).await;
    let (run, lease) = claim(store, new.id).await;
    let activation = new.id;
    let reason = CancelReason::Terminating;
    let more = vec![
        event(10, "task", EventKind::CancelRequested { run, reason }),
        event(
            1,
            "task",
            EventKind::Held {
                activation,
                reason: "internet".into(),
            },
        ),
        event(
            1,
            "task",
            EventKind::Registered {
                due: None,
                kept: false,
            },
        ),
    ];
    store.log(more).await.unwrap();
    let end = Finish {
        at: at(10),
        ..completed(new.id, lease.unwrap().fence)
    };
    assert!(finish(store, end).await);
    let expected = [
        (10, "ended"),
        (10, "cancel_requested"),
        (10, "started"),
        (1, "held"),
        (1, "fired"),
        (1, "registered"),
    ];
    assert_eq!(told(&log(store).await), pairs(&expected));
}

pub(super) async fn a_part_is_told(store: &dyn Store) {
    super::runs::ended(store, 3).await;
    let events = vec![refused(50, "other", "one"), refused(103, "task", "two")];
    store.log(events).await.unwrap();
    let part = async |task: Option<&str>, since: Option<i64>, limit| {
        let query = LogQuery {
            task: task.map(str::to_owned),
            since: since.map(at),
            limit,
        };
        told(&store.read_log(query).await.unwrap())
    };
    assert_eq!(part(None, None, 0).await.len(), 11);
    let newest = [(103, "refused"), (102, "ended"), (101, "ended")];
    assert_eq!(part(None, None, 3).await, pairs(&newest));
    assert_eq!(part(Some("task"), None, 3).await, pairs(&newest));
    assert_eq!(
        part(Some("other"), None, 0).await,
        pairs(&[(50, "refused")])
    );
    assert_eq!(part(Some("nothing"), None, 0).await, []);
    assert_eq!(part(None, Some(102), 0).await, pairs(&newest[..2]));
    assert_eq!(part(Some("task"), Some(103), 9).await, pairs(&newest[..1]));
    let since_11 = part(None, Some(11), 0).await;
    assert_eq!(since_11.len(), 5, "starts at 10 are older: {since_11:?}");
}

pub(super) async fn what_follows_from_records_is_not_written(store: &dyn Store) {
    let (activation, run) = (ActivationId::now(), RunId::now());
    let kinds = [
        EventKind::Fired { activation },
        EventKind::Started {
            activation,
            run,
            pid: Some(1),
        },
        EventKind::Progressed {
            run,
            progress: crate::Progress {
                sequence: 1,
                done: 1,
                total: 2,
                message: None,
            },
        },
        EventKind::Ended {
            activation,
            run,
            outcome: Outcome::Failed { error: "no".into() },
            retry_at: None,
        },
        EventKind::Suppressed {
            activation: Some(activation),
            why: Suppression::Overlap,
        },
        EventKind::Suppressed {
            activation: None,
            why: Suppression::Overlap,
        },
    ];
    let events: Vec<_> = kinds.map(|kind| event(5, "task", kind)).into();
    store.log(events.clone()).await.unwrap();
    assert_eq!(log(store).await, events[5..]);
}
