//! Syncing with what is declared, and firing due times.

use super::*;

pub(super) async fn a_new_one_is_added(store: &dyn Store) {
    let diff = sync(store, &[declared("a", "1"), declared("b", "1")]).await;

    assert_eq!(diff.added, ["a", "b"]);
    assert_eq!(
        diff,
        SyncDiff {
            added: diff.added.clone(),
            ..SyncDiff::default()
        }
    );
    let all = store.registrations().await.unwrap();
    assert_eq!(all.len(), 2);
    assert_ne!(all[0].id, all[1].id);
    let expected = RegistrationRecord {
        id: all[0].id,
        name: "a".into(),
        entry: "a".into(),
        origin: Origin::Declared,
        group: None,
        kind: "time".into(),
        declaration: r#"{"trigger":"time(15)"}"#.into(),
        fingerprint: "1".into(),
        due: Some(at(900)),
        generation: 0,
        created: at(0),
        last_fired: None,
        last_run: None,
        last_throttled: None,
        ended: None,
        standing: Standing::Enabled,
        chosen: Standing::Enabled,
        suppressed: 0,
        last_suppression: None,
    };
    assert_eq!(all[0], expected);
}

pub(super) async fn an_unchanged_one_keeps_id_due_and_generation(store: &dyn Store) {
    let before = registered(store).await;
    assert!(fire(store, firing(&before)).await);
    let before = registration(store, "task").await;

    let again = NewRegistration {
        due: Some(at(50_000)),
        ..declared("task", "1")
    };
    let (diff, _) = store
        .sync_registrations(vec![again], at(5000))
        .await
        .unwrap();

    assert_eq!(diff.unchanged, ["task"]);
    assert!(diff.added.is_empty() && diff.replaced.is_empty() && diff.removed.is_empty());
    assert_eq!(before.generation, 1);
    assert_eq!(registration(store, "task").await, before);
}

pub(super) async fn an_unchanged_one_takes_a_new_description(store: &dyn Store) {
    let before = registered(store).await;
    let declaration = r#"{"trigger":"time(15)","description":"new"}"#;
    let again = NewRegistration {
        declaration: declaration.into(),
        ..declared("task", "1")
    };
    sync(store, &[again]).await;

    let after = registration(store, "task").await;
    assert_eq!(after.id, before.id);
    assert_eq!(after.declaration, declaration);
}

pub(super) async fn a_changed_one_is_replaced(store: &dyn Store) {
    let before = registered(store).await;
    assert!(fire(store, firing(&before)).await);

    let changed = NewRegistration {
        due: Some(at(7000)),
        ..declared("task", "2")
    };
    let (diff, _) = store
        .sync_registrations(vec![changed], at(6000))
        .await
        .unwrap();

    assert_eq!(diff.replaced, ["task"]);
    let all = store.registrations().await.unwrap();
    assert_eq!(all.len(), 1);
    assert_ne!(all[0].id, before.id);
    assert_eq!(all[0].due, Some(at(7000)));
    assert_eq!(all[0].generation, 0);
    assert_eq!(all[0].created, at(6000));
    assert_eq!(all[0].last_fired, None);
    assert!(
        !fire(store, firing(&before)).await,
        "the old one fires no more"
    );
}

pub(super) async fn what_waited_for_a_replaced_one_goes_on(store: &dyn Store) {
    let new = waiting(store).await;
    sync(store, &[declared("task", "2")]).await;

    let all = open(store).await;
    assert_eq!(all.len(), 1);
    assert_eq!(all[0].id, new.id);
    assert_eq!(all[0].registration, registration(store, "task").await.id);
    assert_eq!(history(store).await, []);
}

pub(super) async fn what_waited_for_a_replaced_one_does_not_end_its_successor(store: &dyn Store) {
    let new = waiting(store).await;
    sync(store, &[declared("task", "2")]).await;

    let fence = start(store, new.id).await;
    let end = Finish {
        ends_registration: true,
        ..completed(new.id, fence)
    };
    assert!(finish(store, end).await);

    let successor = registration(store, "task").await;
    assert_eq!(successor.ended, None);
    assert_eq!(successor.due, Some(at(900)));
}

pub(super) async fn a_gone_one_is_removed_and_what_waited_is_recorded(store: &dyn Store) {
    let new = waiting(store).await;
    let (diff, _) = store
        .sync_registrations(vec![declared("other", "1")], at(40))
        .await
        .unwrap();

    assert_eq!(diff.removed, ["task"]);
    assert_eq!(diff.added, ["other"]);
    assert_eq!(open(store).await, []);
    let runs = history(store).await;
    assert_eq!(runs.len(), 1);
    assert_eq!(runs[0].activation, new.id);
    assert_eq!(runs[0].started, None);
    assert_eq!(runs[0].attempt, 0);
    assert_eq!(runs[0].ended, at(40));
    assert_eq!(
        runs[0].outcome,
        Outcome::Suppressed {
            why: Suppression::Removed
        }
    );
    let all = store.registrations().await.unwrap();
    assert_eq!(all.len(), 1);
    assert_eq!(all[0].name, "other");
}

pub(super) async fn what_runs_for_a_removed_one_can_finish(store: &dyn Store) {
    let new = waiting(store).await;
    let fence = start(store, new.id).await;
    sync(store, &[]).await;

    assert_eq!(open(store).await.len(), 1);
    assert!(finish(store, completed(new.id, fence)).await);
    assert!(history(store).await[0].outcome.is_completed());
}

/// Ends `task` as a one-shot.
async fn tombstone(store: &dyn Store) -> RegistrationRecord {
    let last = Fire {
        last: true,
        ..firing(&registered(store).await)
    };
    let id = last.activations[0].id;
    assert!(fire(store, last).await);
    let fence = start(store, id).await;
    let end = Finish {
        ends_registration: true,
        ..completed(id, fence)
    };
    assert!(finish(store, end).await);
    registration(store, "task").await
}

pub(super) async fn a_tombstone_stays_until_its_fingerprint_changes(store: &dyn Store) {
    let ended = tombstone(store).await;
    assert_eq!(ended.ended, Some(at(20)));

    let diff = sync(store, &[declared("task", "1")]).await;
    assert_eq!(diff.unchanged, ["task"]);
    assert_eq!(registration(store, "task").await, ended);
    assert!(!fire(store, firing(&ended)).await, "it fires no more");

    let diff = sync(store, &[declared("task", "2")]).await;
    assert_eq!(diff.replaced, ["task"]);
    let anew = registration(store, "task").await;
    assert_ne!(anew.id, ended.id);
    assert_eq!(anew.ended, None);
    assert_eq!(anew.due, Some(at(900)));
}

pub(super) async fn a_tombstone_stays_while_it_is_not_declared(store: &dyn Store) {
    let ended = tombstone(store).await;

    assert_eq!(sync(store, &[]).await, SyncDiff::default());
    assert_eq!(registration(store, "task").await, ended);
    assert_eq!(
        sync(store, &[declared("task", "1")]).await.unchanged,
        ["task"]
    );
    assert_eq!(registration(store, "task").await.ended, ended.ended);
}

pub(super) async fn two_of_one_name_are_refused_and_change_nothing(store: &dyn Store) {
    let before = registered(store).await;
    let twice = vec![
        declared("new", "1"),
        declared("same", "1"),
        declared("same", "2"),
    ];
    let error = store.sync_registrations(twice, at(1)).await.unwrap_err();

    assert_eq!(error.code(), Code::DuplicateName);
    assert_eq!(error.task_name(), Some("same"));
    assert_eq!(store.registrations().await.unwrap(), [before]);
}

pub(super) async fn a_due_time_fires_once(store: &dyn Store) {
    let before = registered(store).await;
    let (winner, loser) = (firing(&before), firing(&before));
    let id = winner.activations[0].id;

    assert!(fire(store, winner).await);
    assert!(!fire(store, loser).await);

    let all = open(store).await;
    assert_eq!(all.len(), 1);
    assert_eq!(all[0].id, id);
    assert_eq!(all[0].accepted, at(901));
    let after = registration(store, "task").await;
    assert_eq!(after.due, Some(at(1800)));
    assert_eq!(after.generation, 1);
    assert_eq!(after.last_fired, Some(at(901)));
    assert!(fire(store, firing(&after)).await, "and then the next");
}

pub(super) async fn a_fire_for_nothing_known_is_lost(store: &dyn Store) {
    let unknown = RegistrationRecord {
        id: RegistrationId::now(),
        ..registered(store).await
    };
    assert!(!fire(store, firing(&unknown)).await);
    assert_eq!(open(store).await, []);
}

pub(super) async fn the_last_fire_leaves_no_due_time(store: &dyn Store) {
    let last = Fire {
        last: true,
        ..firing(&registered(store).await)
    };
    assert!(fire(store, last).await);

    let after = registration(store, "task").await;
    assert_eq!(after.due, None);
    assert_eq!(after.ended, None, "it ends with its outcome");
    assert_eq!(open(store).await.len(), 1);
}

pub(super) async fn the_last_fire_without_activation_ends_it(store: &dyn Store) {
    let missed = Fire {
        last: true,
        activations: Vec::new(),
        suppressed: Some(Suppression::Missed),
        ..firing(&registered(store).await)
    };
    assert!(fire(store, missed).await);

    let after = registration(store, "task").await;
    assert_eq!(after.ended, Some(at(901)));
    assert_eq!(after.due, None);
}

pub(super) async fn a_volatile_fire_keeps_no_activation(store: &dyn Store) {
    let task = registered(store).await;
    let volatile = Fire {
        volatile: true,
        ..firing(&task)
    };
    assert!(fire(store, volatile.clone()).await);
    assert!(!fire(store, volatile).await, "it fires once all the same");

    let after = registration(store, "task").await;
    assert_eq!((after.due, after.generation), (Some(at(1800)), 1));
    assert_eq!((after.last_fired, after.ended), (Some(at(901)), None));
    assert_eq!(open(store).await, []);
}

pub(super) async fn a_volatile_one_shot_ends_as_it_fires(store: &dyn Store) {
    let last = Fire {
        last: true,
        volatile: true,
        ..firing(&registered(store).await)
    };
    assert!(fire(store, last).await);

    let after = registration(store, "task").await;
    assert_eq!((after.due, after.ended), (None, Some(at(901))));
    assert_eq!(open(store).await, []);
}

pub(super) async fn a_suppressed_fire_is_noted(store: &dyn Store) {
    let skipped = Fire {
        activations: Vec::new(),
        suppressed: Some(Suppression::Overlap),
        ..firing(&registered(store).await)
    };
    assert!(fire(store, skipped).await);

    let after = registration(store, "task").await;
    assert_eq!(
        after.last_suppression,
        Some((at(901), Suppression::Overlap))
    );
    assert_eq!(after.suppressed, 1);
    assert_eq!(after.last_fired, Some(at(901)));
    assert_eq!(after.due, Some(at(1800)));
    assert_eq!(open(store).await, []);
}

pub(super) async fn a_moved_due_time_is_no_fire(store: &dyn Store) {
    let moved = Fire {
        activations: Vec::new(),
        ..firing(&registered(store).await)
    };
    assert!(fire(store, moved).await);

    let after = registration(store, "task").await;
    assert_eq!(after.due, Some(at(1800)));
    assert_eq!(after.generation, 1);
    assert_eq!(after.last_fired, None);
}

pub(super) async fn fires_of_one_call_stand_alone(store: &dyn Store) {
    sync(store, &[declared("a", "1"), declared("b", "1")]).await;
    let (a, b) = (
        registration(store, "a").await,
        registration(store, "b").await,
    );
    let stale = Fire {
        generation: 7,
        ..firing(&a)
    };
    let results = store.fire(vec![stale, firing(&b)]).await.unwrap();

    assert_eq!(results, [false, true]);
    assert_eq!(registration(store, "a").await, a);
    assert_eq!(registration(store, "b").await.generation, 1);
    assert_eq!(open(store).await.len(), 1);
}

pub(super) async fn one_that_the_app_made_is_not_synced(store: &dyn Store) {
    let made = added(store, built("made")).await;
    let diff = sync(store, &[declared("task", "1")]).await;
    assert_eq!((diff.added, diff.removed), (vec!["task".into()], vec![]));
    assert_eq!(sync(store, &[]).await.removed, ["task"]);
    assert_eq!(store.registrations().await.unwrap(), [made]);
}

pub(super) async fn a_declared_one_does_not_take_the_name_of_one_that_the_app_made(
    store: &dyn Store,
) {
    let made = added(store, built("made")).await;
    for _ in 0..2 {
        let diff = sync(store, &[declared("task", "1"), declared("made", "1")]).await;
        assert_eq!(diff.refused, ["made"]);
        assert_eq!(registration(store, "made").await, made);
        assert_eq!(store.registrations().await.unwrap().len(), 2);
    }
    store.unregister(vec![made.id], at(5)).await.unwrap();
    let diff = sync(store, &[declared("task", "1"), declared("made", "1")]).await;
    assert_eq!((diff.refused, diff.added), (vec![], vec!["made".into()]));
}

pub(super) async fn one_of_which_nobody_knows_what_is_declared_stays(store: &dyn Store) {
    let unknown = || NewRegistration {
        due: None,
        declaration: "{}".into(),
        ..declared("task", "")
    };
    let before = registered(store).await;
    assert_eq!(sync(store, &[unknown()]).await.unchanged, ["task"]);
    assert_eq!(registration(store, "task").await, before);

    // One that is new comes due once it is known.
    store.unregister(vec![before.id], at(1)).await.unwrap();
    assert_eq!(sync(store, &[unknown()]).await.added, ["task"]);
    assert_eq!(registration(store, "task").await.due, None);
    let diff = sync(store, &[declared("task", "1")]).await;
    assert_eq!(diff.replaced, ["task"]);
    assert_eq!(registration(store, "task").await.due, Some(at(900)));
}

pub(super) async fn a_declared_one_takes_the_name_of_one_that_ended(store: &dyn Store) {
    let made = added(store, built("made")).await;
    let last = Fire {
        last: true,
        activations: Vec::new(),
        ..firing(&made)
    };
    assert!(fire(store, last).await);
    let diff = sync(store, &[declared("made", "1")]).await;
    assert_eq!((diff.refused, diff.added), (vec![], vec!["made".into()]));
    let all = store.registrations().await.unwrap();
    assert_eq!(all.len(), 1);
    assert_eq!(all[0].origin, Origin::Declared);
}

pub(super) async fn an_unchanged_one_takes_a_new_group_and_kind(store: &dyn Store) {
    let before = registered(store).await;
    let again = NewRegistration {
        group: Some("lib".into()),
        kind: "every".into(),
        entry: "other".into(),
        ..declared("task", "1")
    };
    assert_eq!(sync(store, &[again]).await.unchanged, ["task"]);
    let after = registration(store, "task").await;
    assert_eq!(after.id, before.id);
    assert_eq!(after.group.as_deref(), Some("lib"));
    assert_eq!((&*after.kind, &*after.entry), ("every", "other"));
}

pub(super) async fn fires_without_activation_are_noted_and_counted(store: &dyn Store) {
    let registration_before = registered(store).await;
    let note = |seconds, why| Note {
        registration: registration_before.id,
        at: at(seconds),
        why,
    };
    let unknown = Note {
        registration: RegistrationId::now(),
        ..note(9, Suppression::Overlap)
    };
    let notes = vec![
        note(5, Suppression::Overlap),
        unknown,
        note(6, Suppression::PendingFull),
    ];
    store.note(notes).await.unwrap();
    let new = activation(registration_before.id);
    store.enqueue(vec![new.clone()]).await.unwrap();

    let after = registration(store, "task").await;
    assert_eq!(after.suppressed, 2);
    assert_eq!(
        after.last_suppression,
        Some((at(6), Suppression::PendingFull))
    );
    assert_eq!(after.last_fired, None, "only due times fire");
    store.suppress(vec![suppression(new.id)]).await.unwrap();
    let after = registration(store, "task").await;
    assert_eq!(after.suppressed, 3);
    assert_eq!(after.last_suppression, Some((at(15), Suppression::Overlap)));
}
