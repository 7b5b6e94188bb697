//! The app's data, what is kept about the app, and the ledger of CPU time.

use std::time::Duration;

use serde_json::{Value, json};

use super::*;

fn set(key: &str, value: Value) -> DataChange {
    let key = key.into();
    DataChange::Set { key, value }
}

fn remove(key: &str) -> DataChange {
    DataChange::Remove { key: key.into() }
}

fn compare(key: &str, expected: Option<Value>) -> DataChange {
    let key = key.into();
    DataChange::Compare { key, expected }
}

async fn change(store: &dyn Store, changes: Vec<DataChange>) -> bool {
    store.change_data(changes).await.unwrap()
}

async fn get(store: &dyn Store, key: &str) -> Option<Value> {
    let found = store.data(DataQuery::Key(key.into())).await.unwrap();
    assert!(found.iter().all(|(found, _)| found == key));
    found.into_iter().next().map(|(_, value)| value)
}

async fn all(store: &dyn Store) -> Vec<(String, Value)> {
    store.data(DataQuery::Prefix(String::new())).await.unwrap()
}

pub(super) async fn a_value_is_kept_until_it_is_removed(store: &dyn Store) {
    assert_eq!(get(store, "cursor").await, None);
    assert!(change(store, vec![set("cursor", json!(1))]).await);
    assert!(change(store, vec![set("cursor", json!({"page": 2}))]).await);
    assert_eq!(get(store, "cursor").await, Some(json!({"page": 2})));
    assert!(change(store, vec![remove("cursor"), remove("nothing")]).await);
    assert_eq!(all(store).await, []);
}

pub(super) async fn keys_are_found_by_their_beginning(store: &dyn Store) {
    let keys = ["", "a", "a.", "a.b", "a.ü", "a.\u{10ffff}x", "a0", "b"];
    let changes = keys.iter().rev().map(|key| set(key, json!(key)));
    assert!(change(store, changes.collect()).await);
    let found = async |prefix: &str| {
        let all = store.data(DataQuery::Prefix(prefix.into())).await.unwrap();
        all.into_iter().map(|(key, _)| key).collect::<Vec<_>>()
    };
    assert_eq!(found("").await, keys);
    assert_eq!(found("a.").await, ["a.", "a.b", "a.ü", "a.\u{10ffff}x"]);
    assert_eq!(found("c").await, [""; 0]);
    assert_eq!(get(store, "a").await, Some(json!("a")));
    assert_eq!(get(store, "").await, Some(json!("")));
}

pub(super) async fn any_key_and_value_is_kept(store: &dyn Store) {
    let text = "naïve 日本 🦀 \u{0} '; DROP TABLE data; -- \n";
    let value = json!({ text: [null, true, -1, u64::MAX, 1.5, text] });
    assert!(change(store, vec![set(text, value.clone())]).await);
    assert_eq!(get(store, text).await, Some(value));
}

pub(super) async fn changes_are_made_together_or_not_at_all(store: &dyn Store) {
    assert!(change(store, vec![set("a", json!(1)), set("b", json!(2))]).await);
    let before = all(store).await;
    for expected in [None, Some(json!(3))] {
        let changes = vec![
            set("a", json!(9)),
            remove("b"),
            compare("b", expected),
            set("c", json!(9)),
        ];
        assert!(!change(store, changes).await);
        assert_eq!(all(store).await, before);
    }
    assert!(!change(store, vec![compare("c", Some(Value::Null))]).await);
}

pub(super) async fn a_comparison_is_with_what_was_there_before(store: &dyn Store) {
    let first = vec![compare("a", None), set("a", json!(1)), compare("a", None)];
    assert!(change(store, first.clone()).await);
    assert!(!change(store, first).await, "it is there now");
    let next = vec![set("a", json!(2)), compare("a", Some(json!(1)))];
    assert!(change(store, next).await);
    assert_eq!(get(store, "a").await, Some(json!(2)));
}

pub(super) async fn a_fraction_compares_with_itself(store: &dyn Store) {
    for fraction in [0.1 + 0.2, 1e-300, 123_456_789.123_456_79, f64::MAX] {
        assert!(change(store, vec![set("a", json!(fraction))]).await);
        assert!(change(store, vec![compare("a", Some(json!(fraction)))]).await);
        let read = get(store, "a").await;
        assert!(change(store, vec![compare("a", read)]).await);
    }
}

pub(super) async fn what_could_not_be_read_back_is_not_kept(store: &dyn Store) {
    assert!(change(store, vec![set("a", nested(100))]).await);
    let changes = vec![set("b", json!(1)), set("a", nested(101))];
    let error = store.change_data(changes).await.unwrap_err();
    assert_eq!(error.code(), Code::BadArguments);
    assert_eq!(all(store).await, [("a".into(), nested(100))]);
}

/// Runs `task` once to this end; the outcome that is recorded.
async fn run(store: &dyn Store, end: Finish) -> Outcome {
    let new = waiting(store).await;
    let fence = start(store, new.id).await;
    let end = Finish {
        activation: new.id,
        fence,
        ..end
    };
    assert!(finish(store, end).await);
    history(store).await.remove(0).outcome
}

fn staged(data: Vec<DataChange>) -> Finish {
    Finish {
        data,
        ..completed(ActivationId::now(), 0)
    }
}

pub(super) async fn a_run_changes_data_when_it_completes(store: &dyn Store) {
    assert!(change(store, vec![set("old", json!(1))]).await);
    let data = vec![
        compare("old", Some(json!(1))),
        remove("old"),
        set("new", json!(2)),
    ];
    assert!(run(store, staged(data)).await.is_completed());
    assert_eq!(all(store).await, [("new".into(), json!(2))]);
}

pub(super) async fn any_other_outcome_drops_the_data(store: &dyn Store) {
    let outcomes = [
        Outcome::Failed { error: "no".into() },
        Outcome::Cancelled {
            reason: CancelReason::Terminating,
            overrun: false,
        },
    ];
    for outcome in outcomes {
        let end = Finish {
            outcome: outcome.clone(),
            ..staged(vec![set("a", json!(1))])
        };
        assert_eq!(run(store, end).await, outcome);
        assert_eq!(all(store).await, []);
    }
}

pub(super) async fn a_fenced_off_run_changes_no_data(store: &dyn Store) {
    let new = waiting(store).await;
    let fence = start(store, new.id).await;
    for fence in [fence + 1, fence, fence] {
        let data = vec![set("fence", json!(fence))];
        let end = Finish {
            data,
            ..completed(new.id, fence)
        };
        finish(store, end).await;
        store
            .change_data(vec![set("later", json!(fence))])
            .await
            .unwrap();
    }
    assert_eq!(get(store, "fence").await, Some(json!(fence)));
}

pub(super) async fn a_run_whose_data_cannot_be_kept_has_failed(store: &dyn Store) {
    for (change, named) in [
        (compare("missing", Some(json!(1))), "`missing`"),
        (set("deep", nested(101)), "`deep`"),
    ] {
        let outcome = run(store, staged(vec![set("a", json!(1)), change])).await;
        assert!(
            matches!(&outcome, Outcome::Failed { error } if error.contains(named)),
            "{outcome}"
        );
        assert_eq!(all(store).await, []);
    }
}

pub(super) async fn texts_about_the_app_are_kept(store: &dyn Store) {
    assert_eq!(store.meta("version").await.unwrap(), None);
    for text in ["1.0", "", "2.0"] {
        store.set_meta("version", Some(text.into())).await.unwrap();
        assert_eq!(store.meta("version").await.unwrap().as_deref(), Some(text));
    }
    store.set_meta("version", None).await.unwrap();
    store.set_meta("other", None).await.unwrap();
    assert_eq!(store.meta("version").await.unwrap(), None);
    assert_eq!(all(store).await, [], "it is no data of the app");
}

fn used(seconds: i64, cpu: u64, on_battery: bool) -> Finish {
    Finish {
        at: at(seconds),
        cpu: Some(Duration::from_millis(cpu)),
        on_battery,
        ..staged(Vec::new())
    }
}

pub(super) async fn cpu_time_is_summed_by_task_and_hour(store: &dyn Store) {
    // The fixed moment is the beginning of an hour.
    run(store, used(0, 5, false)).await;
    run(store, used(3599, 7, true)).await;
    run(store, used(3600, 100, true)).await;
    let failed = Finish {
        outcome: Outcome::Failed { error: "no".into() },
        ..used(7199, 1000, false)
    };
    run(store, failed).await;
    run(store, staged(Vec::new())).await;
    let row = |hour, cpu, on_battery| EnergyRow {
        task: "task".into(),
        hour: at(hour),
        cpu: Duration::from_millis(cpu),
        on_battery: Duration::from_millis(on_battery),
    };
    let rows = [row(0, 12, 7), row(3600, 1100, 100)];
    assert_eq!(store.energy(at(-3600)).await.unwrap(), rows);
    assert_eq!(
        store.energy(at(1)).await.unwrap(),
        rows,
        "of its whole hour"
    );
    assert_eq!(store.energy(at(3600)).await.unwrap(), rows[1..]);
    assert_eq!(store.energy(at(7200)).await.unwrap(), []);
}

pub(super) async fn cpu_time_of_what_was_fenced_off_is_not_counted(store: &dyn Store) {
    let new = waiting(store).await;
    let fence = start(store, new.id).await;
    let end = Finish {
        activation: new.id,
        fence: fence + 1,
        ..used(0, 5, false)
    };
    assert!(!finish(store, end).await);
    assert_eq!(store.energy(at(0)).await.unwrap(), []);
}
