//! The examination of everything that is kept.

use super::*;

async fn texts(store: &dyn Store, severity: Severity) -> Vec<String> {
    let found = store.check().await.unwrap();
    assert!(
        found
            .iter()
            .all(|one| one.remedy.is_some() != (one.severity == Severity::Info))
    );
    found
        .into_iter()
        .filter(|one| one.severity == severity)
        .map(|one| one.what)
        .collect()
}

pub(super) async fn a_sound_store_has_only_counts(store: &dyn Store) {
    super::runs::ended(store, 3).await;
    let (runs, waits) = (waiting(store).await, waiting(store).await);
    start(store, runs.id).await;
    let again = activation(waits.registration);
    store.enqueue(vec![again.clone()]).await.unwrap();
    let fence = start(store, again.id).await;
    let end = Finish {
        retry_at: Some(at(600)),
        ..completed(again.id, fence)
    };
    assert!(finish(store, end).await);
    let value = serde_json::json!(1);
    let key = "a".into();
    store
        .change_data(vec![DataChange::Set { key, value }])
        .await
        .unwrap();

    assert_eq!(
        texts(store, Severity::Info).await,
        [
            "1 registration, 2 activations waiting, 1 running, 4 ended runs, 0 events, 1 key of \
             data"
        ]
    );
    assert_eq!(store.check().await.unwrap().len(), 1);
}

pub(super) async fn what_waits_for_nothing_is_found(store: &dyn Store) {
    let lost = activation(RegistrationId::now());
    let runs = activation(RegistrationId::now());
    store
        .enqueue(vec![lost.clone(), runs.clone()])
        .await
        .unwrap();
    start(store, runs.id).await;
    let found = texts(store, Severity::Warning).await;
    assert_eq!(found.len(), 1, "{found:?}");
    assert!(found[0].contains(&lost.id.to_string()), "{found:?}");
}

pub(super) async fn a_quarantine_is_found(store: &dyn Store) {
    let id = registered(store).await.id;
    let standing = Standing::Quarantined {
        since: at(5),
        reason: "no task `sync`".into(),
    };
    assert!(store.stand(id, standing).await.unwrap().is_some());
    let found = texts(store, Severity::Warning).await;
    assert_eq!(found.len(), 1, "{found:?}");
    assert!(found[0].contains("no task `sync`"), "{found:?}");
}
