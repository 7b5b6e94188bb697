//! Accepting, starting, suppressing and recovering activations.

use super::*;
use crate::Code;

pub(super) async fn accepted_in_order(store: &dyn Store) {
    let id = registered(store).await.id;
    let mut new: Vec<_> = (0..5).map(|_| activation(id)).collect();
    new.swap(0, 4);
    store.enqueue(new[..3].to_vec()).await.unwrap();
    store.enqueue(new[3..].to_vec()).await.unwrap();

    let all = open(store).await;
    let ids: Vec<_> = all.iter().map(|one| one.id).collect();
    assert_eq!(ids, new.iter().map(|one| one.id).collect::<Vec<_>>());
    let expected = ActivationRecord {
        id: new[0].id,
        registration: id,
        task: "task".into(),
        details: new[0].details.clone(),
        accepted: at(1),
        not_before: at(2),
        attempt: 0,
        fence: 0,
        run: None,
        journal: false,
        foreign: false,
    };
    assert_eq!(all[0], expected);
}

pub(super) async fn accepted_once(store: &dyn Store) {
    let new = waiting(store).await;
    start(store, new.id).await;
    let before = open(store).await;
    let again = NewActivation {
        not_before: at(99),
        ..new.clone()
    };
    let other = activation(new.registration);
    let known = store.enqueue(vec![again, other.clone()]).await;
    assert_eq!(known.unwrap(), [true, true], "it runs, or waits");

    let after = open(store).await;
    assert_eq!(after.len(), 2);
    assert_eq!(after[0], before[0]);
    assert_eq!(after[1].id, other.id);
}

pub(super) async fn not_accepted_again_after_it_ended(store: &dyn Store) {
    let new = waiting(store).await;
    let fence = start(store, new.id).await;
    assert!(finish(store, completed(new.id, fence)).await);
    let known = store.enqueue(vec![new]).await;
    assert_eq!(known.unwrap(), [false], "it has ended");
    assert_eq!(open(store).await, []);
}

pub(super) async fn claimed_once(store: &dyn Store) {
    let new = waiting(store).await;
    let (run, first) = claim(store, new.id).await;
    let (_, second) = claim(store, new.id).await;

    assert_eq!(
        first,
        Some(Lease {
            attempt: 1,
            fence: 1
        })
    );
    assert_eq!(second, None);
    let all = open(store).await;
    assert_eq!(all[0].run, Some(run));
    assert_eq!((all[0].attempt, all[0].fence), (1, 1));
}

pub(super) async fn the_same_claim_again_gets_the_same_lease(store: &dyn Store) {
    let new = waiting(store).await;
    let claim = Claim {
        activation: new.id,
        run: RunId::now(),
        at: at(10),
    };
    let first = store.claim(vec![claim.clone()]).await.unwrap();
    let before = open(store).await;
    let again = store.claim(vec![claim]).await.unwrap();

    assert!(first[0].is_some());
    assert_eq!(again, first);
    assert_eq!(open(store).await, before);
}

pub(super) async fn an_unknown_one_is_not_claimed(store: &dyn Store) {
    assert_eq!(claim(store, ActivationId::now()).await.1, None);
    assert!(!finish(store, completed(ActivationId::now(), 1)).await);
    let unknown = store.suppress(vec![suppression(ActivationId::now())]).await;
    assert_eq!(unknown.unwrap(), [false]);
    assert_eq!(history(store).await, []);
}

pub(super) async fn the_fence_grows_with_each_start(store: &dyn Store) {
    let new = waiting(store).await;
    for attempt in 1..=4 {
        let lease = claim(store, new.id).await.1.unwrap();
        assert_eq!(
            lease,
            Lease {
                attempt,
                fence: attempt.into()
            }
        );
        let again = Finish {
            retry_at: Some(at(30)),
            ..completed(new.id, lease.fence)
        };
        assert!(finish(store, again).await);
    }
}

pub(super) async fn what_was_not_started_waits_again(store: &dyn Store) {
    let new = waiting(store).await;
    let before = open(store).await;
    let (run, lease) = claim(store, new.id).await;
    let release = Release {
        activation: new.id,
        run,
    };
    for _ in 0..2 {
        store.release(vec![release.clone()]).await.unwrap();
        let expected = ActivationRecord {
            fence: 1,
            ..before[0].clone()
        };
        assert_eq!(open(store).await, [expected], "once is as good as twice");
    }
    let late = completed(new.id, lease.unwrap().fence);
    assert!(!finish(store, late).await, "its claim is void");
    let told = store.read_log(LogQuery::default()).await.unwrap();
    let started = |event: &Event| matches!(event.kind, EventKind::Started { .. });
    assert!(!told.iter().any(started), "{told:?}");

    let lease = claim(store, new.id).await.1.unwrap();
    assert_eq!((lease.attempt, lease.fence), (1, 2));
}

pub(super) async fn a_release_by_another_run_changes_nothing(store: &dyn Store) {
    let new = waiting(store).await;
    start(store, new.id).await;
    let before = open(store).await;
    let other = Release {
        activation: new.id,
        run: RunId::now(),
    };
    store.release(vec![other]).await.unwrap();
    assert_eq!(open(store).await, before);
}

pub(super) async fn what_did_not_fire_itself_is_told(store: &dyn Store) {
    let task = registered(store).await;
    let by_hand = NewActivation {
        foreign: true,
        ..activation(task.id)
    };
    let own = activation(task.id);
    store.enqueue(vec![by_hand, own]).await.unwrap();
    let told = async || {
        let open = open(store).await;
        open.iter().map(|one| one.foreign).collect::<Vec<_>>()
    };
    assert_eq!(told().await, [true, false]);
    sync(store, &[declared("task", "2")]).await;
    assert_eq!(told().await, [true, true], "both were for another one");
}

pub(super) async fn what_did_not_fire_itself_ends_no_one_shot(store: &dyn Store) {
    let task = registered(store).await;
    for (foreign, ends) in [(true, false), (false, true)] {
        let new = NewActivation {
            foreign,
            ..activation(task.id)
        };
        store.enqueue(vec![new.clone()]).await.unwrap();
        let last = Finish {
            ends_registration: true,
            ..completed(new.id, start(store, new.id).await)
        };
        assert!(finish(store, last).await);
        let ended = registration(store, "task").await.ended;
        assert_eq!(ended.is_some(), ends);
    }
}

pub(super) async fn suppressed_only_while_waiting(store: &dyn Store) {
    let new = waiting(store).await;
    let running = activation(new.registration);
    store.enqueue(vec![running.clone()]).await.unwrap();
    start(store, running.id).await;

    let both = vec![suppression(running.id), suppression(new.id)];
    assert_eq!(store.suppress(both).await.unwrap(), [false, true]);
    let again = store.suppress(vec![suppression(new.id)]).await.unwrap();
    assert_eq!(again, [false]);

    let all = open(store).await;
    assert_eq!(all.len(), 1);
    assert_eq!(all[0].id, running.id);
    let runs = history(store).await;
    assert_eq!(runs.len(), 1);
    assert_eq!(runs[0].activation, new.id);
    assert_eq!(runs[0].started, None);
    assert_eq!(runs[0].ended, at(15));
    assert_eq!(
        runs[0].outcome,
        Outcome::Suppressed {
            why: Suppression::Overlap
        }
    );
    let registration = registration(store, "task").await;
    assert_eq!(
        registration.last_suppression,
        Some((at(15), Suppression::Overlap))
    );
    assert_eq!(registration.ended, None);
}

pub(super) async fn suppression_ends_a_one_shot(store: &dyn Store) {
    let new = waiting(store).await;
    let end = Suppress {
        ends_registration: true,
        ..suppression(new.id)
    };
    assert_eq!(store.suppress(vec![end]).await.unwrap(), [true]);
    let after = registration(store, "task").await;
    assert_eq!(after.ended, Some(at(15)));
    assert_eq!(after.due, None);
}

pub(super) async fn recovery_puts_running_ones_back(store: &dyn Store) {
    let new = waiting(store).await;
    let other = activation(new.registration);
    store.enqueue(vec![other.clone()]).await.unwrap();
    start(store, new.id).await;

    let recovered = store.recover(at(50)).await.unwrap();

    assert_eq!(recovered.len(), 1);
    assert_eq!(recovered[0].id, new.id);
    assert_eq!(recovered[0].run, None);
    assert_eq!((recovered[0].attempt, recovered[0].fence), (1, 1));
    let all = open(store).await;
    assert_eq!(all.len(), 2);
    assert_eq!(all[0], recovered[0]);
    assert_eq!(all[1].id, other.id);
    assert_eq!(history(store).await, [], "only what ended is history");
    let lease = claim(store, new.id).await.1;
    assert_eq!(
        lease,
        Some(Lease {
            attempt: 2,
            fence: 2
        })
    );
}

pub(super) async fn recovery_fences_off_the_run_before(store: &dyn Store) {
    let new = waiting(store).await;
    let old = start(store, new.id).await;
    store.recover(at(50)).await.unwrap();

    assert!(!finish(store, completed(new.id, old)).await);
    let fence = start(store, new.id).await;
    assert!(!finish(store, completed(new.id, old)).await);
    assert_eq!(open(store).await.len(), 1);
    assert!(finish(store, completed(new.id, fence)).await);
    assert_eq!(history(store).await.len(), 1);
}

pub(super) async fn recovery_ends_what_must_not_repeat(store: &dyn Store) {
    let once = NewRegistration {
        declaration: r#"{"name":"task","delivery":"at_most_once"}"#.into(),
        ..declared("task", "1")
    };
    sync(store, &[once]).await;
    let last = Fire {
        last: true,
        ..firing(&registration(store, "task").await)
    };
    let id = last.activations[0].id;
    let kept = activation(last.registration);
    assert!(fire(store, last).await);
    store.enqueue(vec![kept.clone()]).await.unwrap();
    let (run, lease) = claim(store, id).await;

    assert_eq!(store.recover(at(50)).await.unwrap(), []);

    let all = open(store).await;
    assert_eq!(all.len(), 1, "what had not started still may");
    assert_eq!(all[0].id, kept.id);
    let runs = history(store).await;
    assert_eq!(runs.len(), 1);
    assert_eq!(runs[0].run, run);
    assert_eq!(runs[0].started, Some(at(10)));
    assert_eq!(runs[0].ended, at(50));
    assert_eq!(
        runs[0].outcome,
        Outcome::Suppressed {
            why: Suppression::AtMostOnce
        }
    );
    assert!(!finish(store, completed(id, lease.unwrap().fence)).await);
    let ended = registration(store, "task").await.ended;
    assert_eq!(ended, Some(at(50)), "a one-shot ends with it");
}

pub(super) async fn recovery_ends_an_event_one_shot_with_what_it_fired(store: &dyn Store) {
    for (name, trigger, foreign, ends) in [
        ("once", "system(internet_available, once)", false, true),
        ("by hand", "system(internet_available, once)", true, false),
        ("again", "system(internet_available)", false, false),
    ] {
        let event = NewRegistration {
            declaration: format!(r#"{{"trigger":"{trigger}","delivery":"at_most_once"}}"#),
            due: None,
            ..declared(name, "1")
        };
        sync(store, &[event]).await;
        let new = NewActivation {
            foreign,
            ..activation(registration(store, name).await.id)
        };
        store.enqueue(vec![new.clone()]).await.unwrap();
        start(store, new.id).await;
        assert_eq!(store.recover(at(50)).await.unwrap(), []);
        let ended = registration(store, name).await.ended;
        assert_eq!(ended, ends.then(|| at(50)), "{name}");
    }
}

pub(super) async fn one_is_found_until_it_has_ended(store: &dyn Store) {
    let new = waiting(store).await;
    let other = ActivationId::now();
    assert_eq!(store.activation(other).await.unwrap(), None);
    let found = store.activation(new.id).await.unwrap().unwrap();
    assert_eq!(vec![found], open(store).await);
    let fence = start(store, new.id).await;
    let found = store.activation(new.id).await.unwrap().unwrap();
    assert_eq!((found.attempt, found.fence), (1, fence));
    assert!(finish(store, completed(new.id, fence)).await);
    assert_eq!(store.activation(new.id).await.unwrap(), None);
}

pub(super) async fn recovery_ends_what_is_no_longer_declared(store: &dyn Store) {
    let new = waiting(store).await;
    start(store, new.id).await;
    sync(store, &[]).await;

    assert_eq!(store.recover(at(50)).await.unwrap(), []);
    assert_eq!(open(store).await, []);
    assert_eq!(
        history(store).await[0].outcome,
        Outcome::Suppressed {
            why: Suppression::Removed
        }
    );
}

pub(super) async fn recovery_ends_what_waits_for_a_registration_that_is_gone(store: &dyn Store) {
    let kept = waiting(store).await;
    let orphan = NewActivation {
        journal: true,
        ..activation(RegistrationId::now())
    };
    store.enqueue(vec![orphan.clone()]).await.unwrap();

    assert_eq!(store.recover(at(50)).await.unwrap(), []);
    let all = open(store).await;
    assert_eq!(all.len(), 1);
    assert_eq!(all[0].id, kept.id);
    let runs = store.undelivered().await.unwrap();
    assert_eq!(runs.len(), 1, "who asked for it is told");
    assert_eq!((runs[0].activation, runs[0].ended), (orphan.id, at(50)));
    let why = Suppression::Removed;
    assert_eq!(runs[0].outcome, Outcome::Suppressed { why });
}

pub(super) async fn what_ran_for_a_registration_that_is_gone_is_not_tried_again(store: &dyn Store) {
    let new = NewActivation {
        journal: true,
        ..activation(registered(store).await.id)
    };
    store.enqueue(vec![new.clone()]).await.unwrap();
    let fence = start(store, new.id).await;
    let gone = vec![new.registration];
    assert_eq!(store.unregister(gone, at(12)).await.unwrap(), [true]);
    let failed = Outcome::Failed { error: "x".into() };
    let again = Finish {
        outcome: failed.clone(),
        retry_at: Some(at(30)),
        ..completed(new.id, fence)
    };
    assert!(finish(store, again).await);

    assert_eq!(open(store).await, []);
    let runs = store.undelivered().await.unwrap();
    assert_eq!(runs.len(), 1);
    assert_eq!((&runs[0].outcome, runs[0].retry_at), (&failed, None));
}

pub(super) async fn recovery_twice_is_recovery_once(store: &dyn Store) {
    let new = waiting(store).await;
    start(store, new.id).await;
    assert_eq!(store.recover(at(50)).await.unwrap().len(), 1);
    let before = open(store).await;
    assert_eq!(store.recover(at(51)).await.unwrap(), []);
    assert_eq!(open(store).await, before);
}

pub(super) async fn a_clock_set_back_changes_no_order(store: &dyn Store) {
    let registration = registered(store).await.id;
    let hours = [100, -7200, 50];
    let mut ids = Vec::new();
    for seconds in hours {
        let mut new = activation(registration);
        new.details.fired = at(seconds);
        ids.push(new.id);
        store.enqueue(vec![new]).await.unwrap();
    }
    let order: Vec<_> = open(store).await.iter().map(|one| one.id).collect();
    assert_eq!(order, ids);

    for (id, seconds) in ids.iter().zip(hours) {
        let fence = start(store, *id).await;
        let end = Finish {
            at: at(seconds),
            ..completed(*id, fence)
        };
        assert!(finish(store, end).await, "ended before it started");
    }
    let order: Vec<_> = history(store)
        .await
        .iter()
        .map(|run| run.activation)
        .collect();
    ids.reverse();
    assert_eq!(order, ids);
}

pub(super) async fn any_text_is_kept(store: &dyn Store) {
    let text = "naïve 日本 🦀 \u{0} \u{202e} '; DROP TABLE run; -- \" \\ \n";
    sync(store, &[declared(text, text)]).await;
    let registration = registration(store, text).await;
    assert_eq!(registration.fingerprint, text);

    let mut new = activation(registration.id);
    new.task = text.into();
    new.details.arguments = Some(serde_json::json!({ text: [text, null, 1.5, u64::MAX] }));
    store.enqueue(vec![new.clone()]).await.unwrap();
    let all = open(store).await;
    assert_eq!(all[0].task, text);
    assert_eq!(all[0].details, new.details);

    let fence = start(store, new.id).await;
    let failed = Outcome::Failed { error: text.into() };
    let end = Finish {
        outcome: failed.clone(),
        ..completed(new.id, fence)
    };
    assert!(finish(store, end).await);
    let of_task = HistoryQuery {
        task: Some(text.into()),
        ..HistoryQuery::default()
    };
    let runs = store.history(of_task).await.unwrap();
    assert_eq!(runs.len(), 1);
    assert_eq!(runs[0].outcome, failed);
}

pub(super) async fn a_large_payload_is_kept(store: &dyn Store) {
    let mut new = activation(registered(store).await.id);
    let large: String = ('a'..='z').cycle().take(1 << 20).collect();
    new.details.arguments = Some(large.clone().into());
    store.enqueue(vec![new.clone()]).await.unwrap();
    assert_eq!(open(store).await[0].details, new.details);

    let fence = start(store, new.id).await;
    let outcome = Outcome::Completed {
        value: large.into(),
    };
    let end = Finish {
        outcome: outcome.clone(),
        ..completed(new.id, fence)
    };
    assert!(finish(store, end).await);
    assert_eq!(history(store).await[0].outcome, outcome);
}

pub(super) async fn times_far_away_are_kept(store: &dyn Store) {
    let far = Timestamp::from_second(Timestamp::MAX.as_second()).unwrap();
    let mut new = activation(registered(store).await.id);
    new.not_before = far;
    new.details.fired = Timestamp::MIN;
    new.details.scheduled = Some(Timestamp::from_microsecond(-1).unwrap());
    let mut last = activation(new.registration);
    last.not_before = Timestamp::MAX;
    store.enqueue(vec![new.clone(), last]).await.unwrap();

    let all = open(store).await;
    assert_eq!(all[0].not_before, far);
    assert!(all[1].not_before >= far);
    assert_eq!(all[0].accepted, Timestamp::MIN);
    assert_eq!(all[0].details, new.details);
}

pub(super) async fn what_could_not_be_read_back_is_refused(store: &dyn Store) {
    let registration = registered(store).await;
    let mut deep = activation(registration.id);
    deep.details.arguments = Some(nested(101));
    let both = vec![activation(registration.id), deep.clone()];
    let error = store.enqueue(both).await.unwrap_err();
    assert_eq!(error.code(), Code::BadArguments);
    let fires = Fire {
        activations: vec![deep.clone()],
        ..firing(&registration)
    };
    let error = store.fire(vec![fires]).await.unwrap_err();
    assert_eq!(error.code(), Code::BadArguments);
    assert_eq!(open(store).await, [], "all or none");
    assert_eq!(super::registration(store, "task").await, registration);

    deep.details.arguments = Some(nested(100));
    store.enqueue(vec![deep.clone()]).await.unwrap();
    assert_eq!(open(store).await[0].details, deep.details);
}
