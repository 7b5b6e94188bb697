//! Making and removing one registration.

use jiff::SignedDuration;

use super::*;

pub(super) async fn a_new_name_is_added(store: &dyn Store) {
    let new = NewRegistration {
        group: Some("lib".into()),
        ..built("made")
    };
    let record = added(store, new).await;
    let expected = RegistrationRecord {
        id: record.id,
        name: "made".into(),
        entry: "task".into(),
        origin: Origin::Built,
        group: Some("lib".into()),
        kind: "time".into(),
        declaration: r#"{"trigger":"time(15)"}"#.into(),
        fingerprint: "built".into(),
        due: Some(at(900)),
        generation: 0,
        created: at(3),
        last_fired: None,
        last_run: None,
        last_throttled: None,
        ended: None,
        standing: Standing::Enabled,
        chosen: Standing::Enabled,
        suppressed: 0,
        last_suppression: None,
    };
    assert_eq!(record, expected);
    assert_eq!(store.registrations().await.unwrap(), [expected]);
}

pub(super) async fn a_second_one_replaces_the_first(store: &dyn Store) {
    let first = added(store, built("made")).await;
    let new = NewRegistration {
        fingerprint: "another".into(),
        due: Some(at(7000)),
        ..built("made")
    };
    let done = register(store, new, OnDuplicate::default()).await.unwrap();
    let Registering::Replaced { record, old } = done else {
        panic!("{done:?}");
    };
    assert_eq!(old, first.id);
    assert_ne!(record.id, first.id);
    assert_eq!(record.due, Some(at(7000)));
    assert_eq!(store.registrations().await.unwrap(), [record]);
    assert!(!fire(store, firing(&first)).await);
}

pub(super) async fn what_is_told_of_one_is_what_is_kept(store: &dyn Store) {
    let finely = |time: Timestamp| time + SignedDuration::from_nanos(1_234_567);
    let new = NewRegistration {
        due: Some(finely(at(7000))),
        ..built("made")
    };
    let now = finely(at(3));
    let done = store.register(new, OnDuplicate::Error, None, now).await;
    let Registering::Added { record, .. } = done.unwrap() else {
        panic!("its name was free");
    };
    assert_eq!(store.registrations().await.unwrap(), [record]);
}

/// An app that registers at each launch moves no due time.
pub(super) async fn a_second_one_that_says_the_same_keeps_the_due_time(store: &dyn Store) {
    let first = added(store, built("made")).await;
    for due in [at(7000), at(8000)] {
        let new = NewRegistration {
            due: Some(due),
            ..built("made")
        };
        let done = register(store, new, OnDuplicate::Replace).await.unwrap();
        let Registering::Replaced { record, .. } = done else {
            panic!("{done:?}");
        };
        assert_eq!(record.due, first.due);
        assert_eq!(store.registrations().await.unwrap(), [record]);
    }
}

pub(super) async fn what_waited_goes_on_under_the_new_one(store: &dyn Store) {
    let first = added(store, built("made")).await;
    let new = activation(first.id);
    store.enqueue(vec![new.clone()]).await.unwrap();
    register(store, built("made"), OnDuplicate::Replace)
        .await
        .unwrap();

    let record = registration(store, "made").await;
    assert_eq!(open(store).await[0].registration, record.id);
    let fence = start(store, new.id).await;
    let end = Finish {
        ends_registration: true,
        ..completed(new.id, fence)
    };
    assert!(finish(store, end).await);
    assert_eq!(registration(store, "made").await.ended, None);
}

pub(super) async fn the_first_is_kept_on_request(store: &dyn Store) {
    let first = added(store, built("made")).await;
    let done = register(store, built("made"), OnDuplicate::Keep)
        .await
        .unwrap();
    assert_eq!(done, Registering::Kept(first.clone()));
    assert_eq!(store.registrations().await.unwrap(), [first]);
}

pub(super) async fn a_second_one_is_refused_on_request(store: &dyn Store) {
    let first = added(store, built("made")).await;
    let error = register(store, built("made"), OnDuplicate::Error)
        .await
        .unwrap_err();
    assert_eq!(error.code(), Code::DuplicateName);
    assert_eq!(error.task_name(), Some("made"));
    assert!(error.help().is_some());
    assert_eq!(store.registrations().await.unwrap(), [first]);
}

/// Two of one name.
async fn two(store: &dyn Store) -> [RegistrationRecord; 2] {
    let first = added(store, built("made")).await;
    let done = register(store, built("made"), OnDuplicate::Allow)
        .await
        .unwrap();
    let Registering::Added { record: second, .. } = done else {
        panic!("{done:?}");
    };
    [first, second]
}

pub(super) async fn several_of_one_name_on_request(store: &dyn Store) {
    let both = two(store).await;
    assert_ne!(both[0].id, both[1].id);
    assert_eq!(store.registrations().await.unwrap(), both);
    let kept = register(store, built("made"), OnDuplicate::Keep)
        .await
        .unwrap();
    assert_eq!(kept, Registering::Kept(both[0].clone()));
}

pub(super) async fn a_name_of_several_is_ambiguous_to_replace(store: &dyn Store) {
    let both = two(store).await;
    let error = register(store, built("made"), OnDuplicate::Replace)
        .await
        .unwrap_err();
    assert_eq!(error.code(), Code::Ambiguous);
    for record in &both {
        assert!(error.to_string().contains(&record.id.to_string()));
    }
    assert_eq!(store.registrations().await.unwrap(), both);
}

pub(super) async fn a_declared_name_cannot_be_taken(store: &dyn Store) {
    let task = registered(store).await;
    for on_duplicate in [
        OnDuplicate::Keep,
        OnDuplicate::Replace,
        OnDuplicate::Allow,
        OnDuplicate::Error,
    ] {
        let error = register(store, built("task"), on_duplicate)
            .await
            .unwrap_err();
        assert_eq!(error.code(), Code::DuplicateName, "{on_duplicate:?}");
        assert!(error.help().unwrap().contains("register = false"));
    }
    // It will be declared again.
    let last = Fire {
        last: true,
        activations: Vec::new(),
        ..firing(&task)
    };
    assert!(fire(store, last).await);
    let error = register(store, built("task"), OnDuplicate::Replace)
        .await
        .unwrap_err();
    assert_eq!(error.code(), Code::DuplicateName);

    added(store, built("made")).await;
    for on_duplicate in [OnDuplicate::Replace, OnDuplicate::Allow] {
        let error = register(store, declared("made", "1"), on_duplicate)
            .await
            .unwrap_err();
        assert_eq!(error.code(), Code::DuplicateName);
    }
}

pub(super) async fn a_declared_one_is_registered_again_after_it_ended(store: &dyn Store) {
    let task = registered(store).await;
    let last = Fire {
        last: true,
        activations: Vec::new(),
        ..firing(&task)
    };
    assert!(fire(store, last).await);
    let record = added(store, declared("task", "1")).await;

    // And beside a living one there is never another.
    let error = register(store, declared("task", "1"), OnDuplicate::Allow)
        .await
        .unwrap_err();
    assert_eq!(error.code(), Code::DuplicateName);
    assert_eq!(store.registrations().await.unwrap(), [record]);
}

pub(super) async fn an_ended_one_makes_room(store: &dyn Store) {
    let mut before = Vec::new();
    for on_duplicate in [
        OnDuplicate::Keep,
        OnDuplicate::Replace,
        OnDuplicate::Error,
        OnDuplicate::Allow,
    ] {
        let done = register(store, built("made"), on_duplicate).await.unwrap();
        let Registering::Added { record, tombstones } = done else {
            panic!("{done:?}");
        };
        assert_eq!(tombstones, before, "who knows of them is told");
        assert_eq!(store.registrations().await.unwrap().len(), 1);
        before = vec![record.id];
        let last = Fire {
            last: true,
            activations: Vec::new(),
            ..firing(&record)
        };
        assert!(fire(store, last).await);
    }
}

pub(super) async fn a_limit_counts_what_is_there_and_not_what_is_replaced(store: &dyn Store) {
    let media = |name: &str| NewRegistration {
        kind: "media_processing".into(),
        ..built(name)
    };
    let limited = async |new, on_duplicate, most| {
        let kind = "media_processing".into();
        let limit = Limit { kind, most };
        store.register(new, on_duplicate, Some(limit), at(3)).await
    };
    let no_matter = added(store, built("another kind")).await;
    let first = limited(media("a"), OnDuplicate::Error, 1).await.unwrap();
    let Registering::Added { record: first, .. } = first else {
        panic!("{first:?}");
    };
    let error = limited(media("b"), OnDuplicate::Error, 1)
        .await
        .unwrap_err();
    assert_eq!(error.code(), Code::TriggerLimitExceeded);
    assert_eq!(error.task_name(), Some("b"));
    assert!(error.to_string().contains("media_processing"), "{error}");

    let done = limited(media("a"), OnDuplicate::Replace, 1).await.unwrap();
    assert!(matches!(done, Registering::Replaced { old, .. } if old == first.id));
    let done = limited(media("a"), OnDuplicate::Keep, 1).await.unwrap();
    assert!(matches!(done, Registering::Kept(_)));
    limited(media("b"), OnDuplicate::Error, 2).await.unwrap();
    limited(media("b"), OnDuplicate::Allow, 2)
        .await
        .unwrap_err();

    // A tombstone takes no place.
    let last = Fire {
        last: true,
        activations: Vec::new(),
        ..firing(&registration(store, "b").await)
    };
    assert!(fire(store, last).await);
    limited(media("c"), OnDuplicate::Error, 2).await.unwrap();
    assert_eq!(registration(store, "another kind").await, no_matter);
}

pub(super) async fn a_refused_one_changes_nothing(store: &dyn Store) {
    let first = added(store, built("made")).await;
    let new = activation(first.id);
    store.enqueue(vec![new.clone()]).await.unwrap();
    let before = (
        store.registrations().await.unwrap(),
        open(store).await,
        history(store).await,
    );
    let limit = Limit {
        kind: "time".into(),
        most: 0,
    };
    store
        .register(built("made"), OnDuplicate::Replace, Some(limit), at(3))
        .await
        .unwrap_err();
    let after = (
        store.registrations().await.unwrap(),
        open(store).await,
        history(store).await,
    );
    assert_eq!(after, before);
}

pub(super) async fn unregistering_records_what_waited(store: &dyn Store) {
    let [first, second] = two(store).await;
    let new = activation(first.id);
    let other = activation(second.id);
    store
        .enqueue(vec![new.clone(), other.clone()])
        .await
        .unwrap();
    let ids = vec![first.id, RegistrationId::now(), first.id];
    assert_eq!(
        store.unregister(ids, at(30)).await.unwrap(),
        [true, false, false]
    );

    assert_eq!(store.registrations().await.unwrap(), [second]);
    assert_eq!(open(store).await[0].id, other.id);
    let runs = history(store).await;
    assert_eq!(runs.len(), 1);
    assert_eq!((runs[0].activation, runs[0].ended), (new.id, at(30)));
    let why = Suppression::Removed;
    assert_eq!(runs[0].outcome, Outcome::Suppressed { why });
}

pub(super) async fn what_runs_for_an_unregistered_one_may_finish(store: &dyn Store) {
    let made = added(store, built("made")).await;
    let new = activation(made.id);
    store.enqueue(vec![new.clone()]).await.unwrap();
    let fence = start(store, new.id).await;
    store.unregister(vec![made.id], at(30)).await.unwrap();

    assert_eq!(open(store).await.len(), 1);
    assert!(finish(store, completed(new.id, fence)).await);
    assert!(history(store).await[0].outcome.is_completed());
}

/// Runs it once, from `started` on.
async fn run(store: &dyn Store, registration: &RegistrationRecord, started: Timestamp) {
    let new = NewActivation {
        task: registration.name.clone(),
        ..activation(registration.id)
    };
    store.enqueue(vec![new.clone()]).await.unwrap();
    let claim = Claim {
        activation: new.id,
        run: RunId::now(),
        at: started,
    };
    let lease = store.claim(vec![claim]).await.unwrap().remove(0).unwrap();
    assert!(finish(store, completed(new.id, lease.fence)).await);
}

pub(super) async fn the_last_run_is_told(store: &dyn Store) {
    let [first, second] = two(store).await;
    run(store, &first, at(11)).await;
    run(store, &first, at(12)).await;
    run(store, &second, at(13)).await;
    // One that never started is no run.
    let new = NewActivation {
        task: "made".into(),
        ..activation(first.id)
    };
    store.enqueue(vec![new.clone()]).await.unwrap();
    store.suppress(vec![suppression(new.id)]).await.unwrap();

    let all = store.registrations().await.unwrap();
    assert_eq!(all[0].last_run, Some(at(12)));
    assert_eq!(all[1].last_run, Some(at(13)));
}

pub(super) async fn a_successor_has_not_run_yet(store: &dyn Store) {
    let first = added(store, built("made")).await;
    run(store, &first, at(11)).await;
    register(store, built("made"), OnDuplicate::Replace)
        .await
        .unwrap();
    let second = registration(store, "made").await;
    assert_eq!(second.last_run, None);
    run(store, &second, at(14)).await;
    assert_eq!(registration(store, "made").await.last_run, Some(at(14)));
}
