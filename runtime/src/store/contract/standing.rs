//! What a registration may do.

use super::*;

fn paused(seconds: i64) -> Standing {
    Standing::Paused { since: at(seconds) }
}

fn disabled(seconds: i64) -> Standing {
    Standing::Disabled { since: at(seconds) }
}

fn quarantined(seconds: i64, reason: &str) -> Standing {
    Standing::Quarantined {
        since: at(seconds),
        reason: reason.into(),
    }
}

async fn standing(store: &dyn Store) -> Standing {
    registration(store, "task").await.standing
}

pub(super) async fn what_the_user_chose_is_kept(store: &dyn Store) {
    let task = registered(store).await;
    for chosen in [paused(5), disabled(6), Standing::Enabled] {
        let told = store.stand(task.id, chosen.clone()).await.unwrap();
        assert_eq!(told, Some(registration(store, "task").await));
        assert_eq!(standing(store).await, chosen);
        sync(store, &[declared("task", "1")]).await;
        assert_eq!(standing(store).await, chosen);
    }
    let unknown = RegistrationId::now();
    assert_eq!(store.stand(unknown, paused(5)).await.unwrap(), None);
    assert_eq!(registration(store, "task").await, task);
}

pub(super) async fn what_holds_already_keeps_its_time(store: &dyn Store) {
    let id = registered(store).await.id;
    for (new, holds) in [
        (paused(5), paused(5)),
        (paused(6), paused(5)),
        (disabled(7), disabled(7)),
        (disabled(8), disabled(7)),
        (paused(9), paused(9)),
        (quarantined(10, "gone"), quarantined(10, "gone")),
        (quarantined(11, "unreadable"), quarantined(10, "unreadable")),
    ] {
        assert!(store.stand(id, new.clone()).await.unwrap().is_some());
        assert_eq!(standing(store).await, holds, "{new:?}");
    }
}

pub(super) async fn a_replaced_one_stays_as_the_user_left_it(store: &dyn Store) {
    let id = registered(store).await.id;
    store.stand(id, disabled(5)).await.unwrap();
    assert_eq!(
        sync(store, &[declared("task", "2")]).await.replaced,
        ["task"]
    );
    assert_eq!(standing(store).await, disabled(5));

    let made = added(store, built("made")).await;
    store.stand(made.id, paused(6)).await.unwrap();
    let done = register(store, built("made"), OnDuplicate::Replace)
        .await
        .unwrap();
    let Registering::Replaced { record, .. } = done else {
        panic!("{done:?}");
    };
    assert_eq!(record.standing, paused(6));
    assert_eq!(registration(store, "made").await, record);
}

pub(super) async fn quarantine_hides_what_the_user_chose_until_it_is_lifted(store: &dyn Store) {
    let id = registered(store).await.id;
    let lift = async |id| store.lift(vec![id]).await.unwrap()[0];
    assert!(!lift(id).await);
    store.stand(id, paused(5)).await.unwrap();
    store.stand(id, quarantined(6, "gone")).await.unwrap();
    assert_eq!(standing(store).await, quarantined(6, "gone"));
    let told = store.stand(id, disabled(7)).await.unwrap().unwrap();
    assert_eq!(standing(store).await, quarantined(6, "gone"));
    assert_eq!(told.chosen, disabled(7));
    assert_eq!(registration(store, "task").await, told);

    assert!(lift(id).await);
    assert_eq!(standing(store).await, disabled(7));
    assert!(!lift(id).await);
    assert!(!lift(RegistrationId::now()).await);
}

pub(super) async fn quarantine_ends_with_a_new_declaration(store: &dyn Store) {
    for (fingerprint, told) in [("1", "unchanged"), ("2", "replaced")] {
        let id = registered(store).await.id;
        store.stand(id, paused(5)).await.unwrap();
        store.stand(id, quarantined(6, "gone")).await.unwrap();
        let diff = sync(store, &[declared("task", fingerprint)]).await;
        assert_eq!(
            (diff.unchanged.len(), diff.replaced.len()),
            match told {
                "unchanged" => (1, 0),
                _ => (0, 1),
            }
        );
        assert_eq!(standing(store).await, paused(5), "{told}");
    }
}

pub(super) async fn what_ended_takes_no_standing(store: &dyn Store) {
    let task = registered(store).await;
    let last = Fire {
        last: true,
        activations: Vec::new(),
        ..firing(&task)
    };
    assert!(fire(store, last).await);
    assert_eq!(store.stand(task.id, paused(5)).await.unwrap(), None);
    assert_eq!(standing(store).await, Standing::Enabled);
}

pub(super) async fn throttling_is_kept(store: &dyn Store) {
    sync(store, &[declared("a", "1"), declared("b", "1")]).await;
    let (a, b) = (
        registration(store, "a").await,
        registration(store, "b").await,
    );
    let ids = vec![a.id, RegistrationId::now()];
    store.throttled(ids.clone(), at(5)).await.unwrap();
    store.throttled(ids, at(6)).await.unwrap();
    let expected = RegistrationRecord {
        last_throttled: Some(at(6)),
        ..a
    };
    assert_eq!(registration(store, "a").await, expected);
    assert_eq!(registration(store, "b").await, b);
}
