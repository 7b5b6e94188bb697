//! `overlap`, `pending`, `unique`, `exclusive`, `priority`, slots and retries.

use bgtask_model::{Overlap, Pending, SystemEvent};

use super::*;

fn overlapping(overlap: Overlap) -> Options {
    Options {
        overlap: Some(overlap),
        ..Options::default()
    }
}

fn pending(pending: Pending) -> Options {
    Options {
        pending: Some(pending),
        ..Options::default()
    }
}

fn exclusive(priority: i32) -> Options {
    Options {
        exclusive: Some("disk".to_owned()),
        priority,
        ..Options::default()
    }
}

#[test]
fn skip_notes_a_due_time_while_a_run_is_active() {
    let mut world = World::with(declare("every(\"10s\")", "", Options::default()));
    world.go(10);
    world.go(20);
    assert_eq!(world.fires()[1].suppressed, Some(Suppression::Overlap));
    assert_eq!(world.scheduled(), [10]);
    let run = world.started()[0];
    world.end(run);
    world.go(30);
    assert_eq!(world.scheduled(), [10, 30]);
    assert_eq!(world.started().len(), 2);
}

#[test]
fn skip_is_no_reason_to_lose_a_held_one() {
    let mut world = World::with(declare("every(\"10s\")", "internet", Options::default()));
    world.go(10);
    world.go(20);
    // `pending = latest`: the newer took the older one's place.
    assert_eq!(world.scheduled(), [10, 20]);
    let ids: Vec<_> = world
        .fires()
        .iter()
        .map(|fire| fire.activations[0].id)
        .collect();
    let by = Some(ids[1]);
    assert_eq!(
        world.suppressed(),
        [(ids[0], Suppression::Superseded { by })]
    );
    world.fact(Predicate::Internet, Reading::Known(true));
    assert_eq!(world.started(), [ids[1]]);
}

#[test]
fn skip_of_an_event_is_noted() {
    let mut world = World::with(declare("custom(\"now\")", "", overlapping(Overlap::Skip)));
    world.raise(Raised::Custom("now".to_owned()));
    world.raise(Raised::Custom("now".to_owned()));
    world.raise(Raised::Custom("other".to_owned()));
    assert_eq!(world.started().len(), 1);
    assert_eq!(world.notes(), [Suppression::Overlap]);
}

#[test]
fn queue_keeps_so_many_and_turns_newer_ones_away() {
    let mut world = World::with(declare(
        "every(\"10s\")",
        "",
        overlapping(Overlap::Queue(2)),
    ));
    for seconds in [10, 20, 30, 40] {
        world.go(seconds);
    }
    assert_eq!(world.scheduled(), [10, 20, 30]);
    assert_eq!(world.fires()[3].suppressed, Some(Suppression::PendingFull));
    let ids: Vec<_> = world.fires()[..3]
        .iter()
        .map(|fire| fire.activations[0].id)
        .collect();
    world.end(ids[0]);
    world.end(ids[1]);
    assert_eq!(world.started(), ids);
}

#[test]
fn replace_cancels_the_run_and_starts_when_the_slot_is_free() {
    let mut world = World::with(declare("every(\"10s\")", "", overlapping(Overlap::Replace)));
    world.go(10);
    world.go(20);
    let ids: Vec<_> = world
        .fires()
        .iter()
        .map(|fire| fire.activations[0].id)
        .collect();
    assert_eq!(world.cancelled(), [(ids[0], CancelReason::Abort)]);
    // Asked once only, and the body may take its time.
    world.go(30);
    assert_eq!(world.cancelled().len(), 1);
    world.ended_with(ids[0], false, None);
    assert_eq!(world.started().len(), 1);
    world.tell(Input::Vacated { activation: ids[0] });
    assert_eq!(world.started().len(), 2);
    assert_eq!(world.started()[1], world.fires()[2].activations[0].id);
}

#[test]
fn replace_stops_nothing_for_an_activation_that_could_not_start() {
    let mut world = World::with(declare(
        "every(\"10s\")",
        "internet",
        overlapping(Overlap::Replace),
    ));
    world.fact(Predicate::Internet, Reading::Known(true));
    world.go(10);
    world.fact(Predicate::Internet, Reading::Known(false));
    world.go(20);
    assert!(world.cancelled().is_empty());
    world.fact(Predicate::Internet, Reading::Known(true));
    assert_eq!(world.cancelled().len(), 1);
}

#[test]
fn allow_runs_so_many_at_once() {
    let mut world = World::with(declare(
        "every(\"10s\")",
        "",
        overlapping(Overlap::Allow(2)),
    ));
    for seconds in [10, 20, 30, 40] {
        world.go(seconds);
    }
    assert_eq!(world.started().len(), 2);
    let first = world.started()[0];
    world.end(first);
    // The latest of the two that waited.
    assert_eq!(world.started()[2], world.fires()[3].activations[0].id);
}

#[test]
fn each_request_of_the_app_counts() {
    for options in [Options::default(), overlapping(Overlap::Allow(1))] {
        let mut world = World::with(declare("application", "", options));
        let ids: Vec<_> = (0..5).map(|_| world.request(1)).collect();
        for id in &ids {
            world.end(*id);
        }
        assert_eq!(world.started(), ids);
        assert!(world.suppressed().is_empty());
    }
}

#[test]
fn a_request_is_superseded_where_the_declaration_says_so() {
    let mut world = World::with(declare("application", "", pending(Pending::Latest)));
    let ids: Vec<_> = (0..3).map(|_| world.request(1)).collect();
    let by = Some(ids[2]);
    assert_eq!(
        world.suppressed(),
        [(ids[1], Suppression::Superseded { by })]
    );
    let mut world = World::with(declare("application", "", overlapping(Overlap::Skip)));
    let ids: Vec<_> = (0..2).map(|_| world.request(1)).collect();
    assert_eq!(world.suppressed(), [(ids[1], Suppression::Overlap)]);
}

#[test]
fn first_keeps_the_oldest() {
    let mut world = World::with(declare(
        "custom(\"now\")",
        "internet",
        pending(Pending::First),
    ));
    for _ in 0..3 {
        world.raise(Raised::Custom("now".to_owned()));
    }
    assert_eq!(
        world.notes(),
        [Suppression::PendingFull, Suppression::PendingFull]
    );
    let mut world = World::with(declare("application", "internet", pending(Pending::First)));
    let ids: Vec<_> = (0..2).map(|_| world.request(1)).collect();
    assert_eq!(world.suppressed(), [(ids[1], Suppression::PendingFull)]);
    world.fact(Predicate::Internet, Reading::Known(true));
    assert_eq!(world.started(), [ids[0]]);
}

#[test]
fn a_retry_is_superseded_only_where_the_declaration_says_latest() {
    for (options, superseded) in [(Options::default(), 0), (pending(Pending::Latest), 1)] {
        let mut world = World::with(declare("custom(\"now\")", "internet", options));
        let retried = ActivationId::now();
        world.request_as(1, retried, 1, at(0));
        world.now = at(1);
        world.raise(Raised::Custom("now".to_owned()));
        assert_eq!(world.suppressed().len(), superseded);
    }
    // `first` and `queue` count a retry, and never turn it away.
    for limit in [Pending::First, Pending::Queue(1)] {
        let mut world = World::with(declare("custom(\"now\")", "internet", pending(limit)));
        world.request_as(1, ActivationId::now(), 1, at(0));
        world.raise(Raised::Custom("now".to_owned()));
        assert_eq!(world.notes(), [Suppression::PendingFull]);
        assert!(world.suppressed().is_empty());
    }
}

#[test]
fn a_retry_waits_for_its_time_and_others_pass_it() {
    let mut world = World::with(declare("application", "", Options::default()));
    let (first, second) = (world.request(1), world.request(1));
    world.ended_with(first, true, Some(100));
    assert_eq!(world.started(), [first, second]);
    world.end(second);
    assert_eq!(world.scheduler.next_wake(), Some(at(100)));
    world.go(100);
    assert_eq!(world.started(), [first, second, first]);
}

#[test]
fn unique_keeps_one_waiting_for_a_key() {
    let options = Options {
        unique: Some("report".to_owned()),
        ..Options::default()
    };
    let mut world = World::with(declare("application", "internet", options.clone()));
    world.register(2, declare("application", "internet", options.clone()));
    let first = world.request(1);
    let second = world.request(2);
    assert_eq!(world.suppressed(), [(second, Suppression::PendingFull)]);
    world.fact(Predicate::Internet, Reading::Known(true));
    let third = world.request(2);
    assert_eq!(world.started(), [first, third]);
    // One event that starts two registrations of the key leaves one waiting.
    let mut world = World::with(declare("custom(\"now\")", "internet", options.clone()));
    world.register(2, declare("custom(\"now\")", "internet", options));
    world.raise(Raised::Custom("now".to_owned()));
    assert_eq!(world.notes(), [Suppression::PendingFull]);
}

#[test]
fn an_exclusive_key_is_shared_and_given_by_priority() {
    let mut world = World::new();
    for (number, priority) in [(1, 0), (2, 0), (3, 5)] {
        world.register(number, declare("application", "", exclusive(priority)));
    }
    let ids: Vec<_> = [1, 2, 3].map(|number| world.request(number)).into();
    assert_eq!(world.started(), [ids[0]]);
    world.end(ids[0]);
    assert_eq!(world.started(), [ids[0], ids[2]]);
    // A body that overruns keeps the key.
    world.ended_with(ids[2], false, None);
    assert_eq!(world.started().len(), 2);
    world.tell(Input::Vacated { activation: ids[2] });
    assert_eq!(world.started(), [ids[0], ids[2], ids[1]]);
}

#[test]
fn what_a_replaced_registration_accepted_goes_on_under_the_new_one() {
    let mut world = World::new();
    for number in [1, 3] {
        world.register(number, declare("application", "", exclusive(0)));
    }
    let ids: Vec<_> = [1, 1, 3].map(|number| world.request(number)).into();
    world.tell(Input::Register(Box::new(Registered {
        id: registration(2),
        declaration: Arc::new(declare("application", "", exclusive(0))),
        due: None,
        fired: None,
        generation: 0,
        last_suppression: None,
        ended: None,
        standing: Standing::Enabled,
        refused: None,
        replaces: Some(registration(1)),
    })));
    assert_eq!(world.started(), [ids[0]], "its run keeps slot and key");
    let explained =
        |world: &World, number| world.scheduler.explain(registration(number), world.now);
    assert!(explained(&world, 1).is_none());
    let new = explained(&world, 2).unwrap();
    assert_eq!((new.running.len(), new.waiting), (1, 1));
    world.end(ids[0]);
    world.end(ids[1]);
    assert_eq!(world.started(), ids);
    assert_eq!(world.suppressed(), []);
}

#[test]
fn an_unregistered_run_keeps_its_key_until_it_returns() {
    let mut world = World::new();
    world.register(1, declare("application", "", exclusive(0)));
    world.register(2, declare("application", "", exclusive(0)));
    let (running, waiting) = (world.request(1), world.request(1));
    let other = world.request(2);
    world.tell(Input::Unregister(registration(1)));
    assert_eq!(world.suppressed(), [(waiting, Suppression::Removed)]);
    assert_eq!(world.started(), [running]);
    assert!(world.scheduler.explain(registration(1), at(0)).is_none());
    world.end(running);
    assert_eq!(world.started(), [running, other]);
    // What comes for it later has an outcome too.
    let late = world.request(1);
    assert_eq!(world.suppressed()[1], (late, Suppression::Removed));
}

#[test]
fn equal_priorities_start_in_the_order_of_acceptance() {
    let mut world = World::new();
    for (number, priority) in [(1, 0), (2, 9), (3, 0)] {
        let options = Options {
            priority,
            ..Options::default()
        };
        world.register(number, declare("application", "internet", options));
    }
    let ids: Vec<_> = [3, 2, 1].map(|number| world.request(number)).into();
    world.fact(Predicate::Internet, Reading::Known(true));
    assert_eq!(world.started(), [ids[1], ids[0], ids[2]]);
}

#[test]
fn a_system_event_that_fires_once_is_spent() {
    let mut world = World::with(declare(
        "system(internet_available, once)",
        "",
        Options::default(),
    ));
    world.raise(Raised::System(SystemEvent::UserPresent));
    assert!(world.started().is_empty());
    world.raise(Raised::System(SystemEvent::InternetAvailable));
    world.raise(Raised::System(SystemEvent::InternetAvailable));
    assert_eq!(world.started().len(), 1);
    let run = world.started()[0];
    assert!(world.scheduler.ends_registration(run));
    world.end(run);
    world.raise(Raised::System(SystemEvent::InternetAvailable));
    assert_eq!(world.started().len(), 1);
}

#[test]
fn what_did_not_fire_itself_neither_spends_nor_ends_a_one_shot() {
    for kept in [false, true] {
        let once = "system(internet_available, once)";
        let mut world = World::with(declare(once, "", Options::default()));
        let by_hand = ActivationId::now();
        world.tell(Input::Accepted(Waiting {
            id: by_hand,
            registration: registration(1),
            accepted: at(0),
            not_before: at(0),
            attempt: 0,
            kept,
            details: Details::default(),
            foreign: true,
        }));
        assert!(!world.scheduler.ends_registration(by_hand));
        world.end(by_hand);
        let why = world.scheduler.explain(registration(1), at(0)).unwrap();
        assert_eq!((why.ended, why.enabled), (None, true));
        world.raise(Raised::System(SystemEvent::InternetAvailable));
        let own = world.started()[1];
        assert!(world.scheduler.ends_registration(own));
    }
}

#[test]
fn a_one_shot_ends_with_its_own_activation_whatever_else_waits() {
    let mut world = World::with(declare("every(\"10s\", once)", "", Options::default()));
    world.go(10);
    let own = world.started()[0];
    let by_hand = ActivationId::now();
    world.tell(Input::Accepted(Waiting {
        id: by_hand,
        registration: registration(1),
        accepted: at(10),
        not_before: at(10),
        attempt: 0,
        kept: false,
        details: Details::default(),
        foreign: true,
    }));
    assert!(world.scheduler.ends_registration(own));
    world.end(own);
    let why = world.scheduler.explain(registration(1), at(10)).unwrap();
    assert_eq!(why.ended, Some(at(10)));
    assert_eq!(world.started(), [own, by_hand], "it runs all the same");
}

#[test]
fn a_claim_that_fails_frees_the_slot() {
    let mut world = World::with(declare("application", "", Options::default()));
    world.obedient = false;
    let (first, second) = (world.request(1), world.request(1));
    world.tell(Input::Gone { activation: first });
    assert_eq!(world.started(), [first, second]);
    world.tell(Input::Gone { activation: second });
    // What is gone may come back, and is told once even if it comes twice.
    world.request_as(1, first, 1, at(0));
    world.request_as(1, first, 1, at(0));
    assert_eq!(world.started(), [first, second, first]);
}

#[test]
fn a_changed_declaration_keeps_what_waits_and_runs() {
    let mut world = World::with(declare("application", "", Options::default()));
    let (first, second) = (world.request(1), world.request(1));
    world.register(1, declare("application", "internet", Options::default()));
    world.end(first);
    assert_eq!(world.started(), [first]);
    world.fact(Predicate::Internet, Reading::Known(true));
    assert_eq!(world.started(), [first, second]);
}

#[test]
fn a_long_queue_is_told_once_each_and_keeps_its_order() {
    let mut world = World::with(declare("application", "internet", Options::default()));
    let ids: Vec<_> = (0..1000).map(|_| world.request(1)).collect();
    assert_eq!(world.held().len(), 1000);
    world.fact(Predicate::Internet, Reading::Known(true));
    for (place, id) in ids.iter().enumerate() {
        assert_eq!(world.started().last(), Some(id));
        // Once for the condition, and all but the first once for the run before them.
        let first = place == 0;
        assert!(
            !first || world.held().len() == 1999,
            "{}",
            world.held().len()
        );
        world.end(*id);
    }
    assert!(world.suppressed().is_empty());
}

#[test]
fn a_flood_of_requests_stays_bounded() {
    let mut world = World::with(declare("application", "internet", Options::default()));
    for _ in 0..10_000 {
        world.request(1);
    }
    assert!(world.suppressed().is_empty());
    let over = world.request(1);
    assert_eq!(world.suppressed(), [(over, Suppression::PendingFull)]);
}

#[test]
fn a_newer_one_takes_the_place_of_its_own_under_a_unique_key() {
    let options = || Options {
        unique: Some("report".to_owned()),
        ..Options::default()
    };
    let mut world = World::with(declare("every(\"10s\")", "internet", options()));
    world.register(2, declare("every(\"15s\")", "internet", options()));
    // The second finds the first waiting; the first is superseded by its own next one.
    for seconds in [10, 15, 20] {
        world.go(seconds);
    }
    assert_eq!(world.scheduled(), [10, 20]);
    let told: Vec<_> = world
        .fires()
        .iter()
        .map(|fire| fire.suppressed.clone())
        .collect();
    assert_eq!(told, [None, Some(Suppression::PendingFull), None]);
    assert!(matches!(
        world.suppressed()[..],
        [(_, Suppression::Superseded { .. })]
    ));
    world.fact(Predicate::Internet, Reading::Known(true));
    assert_eq!(world.started().len(), 1);
}

#[test]
fn a_unique_key_lets_start_at_once_what_can() {
    let options = || Options {
        unique: Some("report".to_owned()),
        ..Options::default()
    };
    let mut world = World::with(declare("custom(\"now\")", "", options()));
    world.register(2, declare("custom(\"now\")", "", options()));
    world.raise(Raised::Custom("now".to_owned()));
    assert_eq!(world.started().len(), 2);
    assert!(world.notes().is_empty());
}

#[test]
fn a_retry_waits_under_its_unique_key_and_is_not_turned_away() {
    let options = || Options {
        unique: Some("report".to_owned()),
        ..Options::default()
    };
    let mut world = World::with(declare("application", "", options()));
    world.register(2, declare("application", "internet", options()));
    let run = world.request(1);
    let waiting = world.request(2);
    world.ended_with(run, true, Some(50));
    assert!(world.suppressed().is_empty());
    let third = world.request(2);
    assert_eq!(world.suppressed(), [(third, Suppression::PendingFull)]);
    world.go(50);
    world.fact(Predicate::Internet, Reading::Known(true));
    assert_eq!(world.started(), [run, run, waiting]);
}

#[test]
fn what_the_last_launch_kept_has_its_place() {
    for limit in [Pending::First, Pending::Queue(1)] {
        let options = Options {
            unique: Some("report".to_owned()),
            ..pending(limit)
        };
        let mut world = World::with(declare("application", "internet", options));
        // One was running when the app was killed, one waited.
        let ids = [(1, ActivationId::now()), (0, ActivationId::now())];
        for (attempt, id) in ids {
            world.tell(Input::Accepted(Waiting {
                id,
                registration: registration(1),
                accepted: at(0),
                not_before: at(0),
                attempt,
                kept: true,
                details: Details::default(),
                foreign: false,
            }));
        }
        assert!(world.suppressed().is_empty(), "{limit:?}");
        let new = world.request(1);
        assert_eq!(world.suppressed(), [(new, Suppression::PendingFull)]);
    }
}

#[test]
fn replace_stops_nothing_for_what_is_asked_for_later() {
    let mut world = World::with(declare("application", "", overlapping(Overlap::Replace)));
    let run = world.request(1);
    world.request_as(1, ActivationId::now(), 0, at(100));
    assert!(world.cancelled().is_empty());
    world.go(100);
    assert_eq!(world.cancelled(), [(run, CancelReason::Abort)]);
}

#[test]
fn an_unregistered_run_still_loses_its_condition() {
    let options = Options {
        cancel_on_condition_loss: true,
        ..Options::default()
    };
    let mut world = World::with(declare("application", "internet", options));
    world.fact(Predicate::Internet, Reading::Known(true));
    let run = world.request(1);
    world.tell(Input::Unregister(registration(1)));
    world.fact(Predicate::Internet, Reading::Known(false));
    assert_eq!(world.cancelled(), [(run, CancelReason::ConditionLoss)]);
}

#[test]
fn what_is_cancelled_wakes_nobody() {
    let mut world = World::with(declare("application", "", Options::default()));
    let run = world.request(1);
    world.ended_with(run, true, Some(100));
    assert_eq!(world.scheduler.next_wake(), Some(at(100)));
    let reason = CancelReason::Abort;
    world.tell(Input::CancelRequested {
        activation: run,
        reason,
    });
    assert_eq!(world.scheduler.next_wake(), None);
}
