//! What waits: which ones are kept, and in which order they start.

use super::*;

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
