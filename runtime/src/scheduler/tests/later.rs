//! What is asked for a later time.

use bgtask_model::{Overlap, Pending};

use super::*;

impl World {
    fn request_later(&mut self, seconds: i64) -> ActivationId {
        let id = ActivationId::now();
        self.request_as(1, id, 0, at(seconds));
        id
    }

    /// Read back from the store.
    fn kept(&mut self, accepted: i64, not_before: i64) -> ActivationId {
        let id = ActivationId::now();
        self.tell(Input::Accepted(Waiting {
            id,
            registration: registration(1),
            accepted: at(accepted),
            not_before: at(not_before),
            kept: true,
            attempt: 0,
            details: Details::default(),
            foreign: false,
        }));
        id
    }
}

fn application(overlap: Option<Overlap>, pending: Option<Pending>) -> World {
    World::with(declare(
        "application",
        "",
        Options {
            overlap,
            pending,
            ..Options::default()
        },
    ))
}

#[test]
fn it_starts_at_its_time_and_not_before() {
    let mut world = application(None, None);
    let (second, first) = (world.request_later(20), world.request_later(10));
    assert_eq!(world.scheduler.next_wake(), Some(at(10)));
    world.go(9);
    assert_eq!(world.started(), []);
    world.go(10);
    assert_eq!(world.started(), [first]);
    world.end(first);
    assert_eq!(world.scheduler.next_wake(), Some(at(20)));
    world.go(20);
    assert_eq!(world.started(), [first, second]);
}

#[test]
fn it_is_shown_with_its_time() {
    let mut world = application(None, None);
    let id = world.request_later(3600);
    let why = world.scheduler.explain(registration(1), world.now).unwrap();
    assert_eq!(why.waiting, 1);
    assert_eq!(why.held[0].activation, id);
    assert_eq!(why.held[0].until, Some(at(3600)));
    assert!(why.answer.contains("waits until 01:00"), "{}", why.answer);
    let text = why.to_string();
    let line =
        format!("\n  waiting since 2025-01-01 00:00:00: {id} waits until 2025-01-01 01:00:00\n");
    assert!(text.contains(&line), "{text}");
    assert!(text.ends_with("\n  times: UTC"), "{text}");
}

#[test]
fn a_run_of_now_is_not_replaced_before_the_time() {
    let mut world = application(Some(Overlap::Replace), None);
    let now = world.request(1);
    let later = world.request_later(60);
    assert_eq!(world.cancelled(), []);
    world.go(60);
    assert_eq!(world.cancelled(), [(now, CancelReason::Abort)]);
    world.end(now);
    assert_eq!(world.started(), [now, later]);
}

#[test]
fn what_is_asked_for_now_does_not_take_its_place() {
    for pending in [Pending::Latest, Pending::First, Pending::Queue(1)] {
        let mut world = application(None, Some(pending));
        let later = world.request_later(60);
        let now = world.request(1);
        world.end(now);
        world.go(60);
        assert_eq!(world.started(), [now, later], "{pending:?}");
        assert_eq!(world.suppressed(), [], "{pending:?}");
    }
}

#[test]
fn at_its_time_it_waits_for_the_run_that_is_active_then() {
    let mut world = application(None, None);
    let later = world.request_later(60);
    world.go(50);
    let now = world.request(1);
    world.go(60);
    assert_eq!(world.started(), [now]);
    assert_eq!(world.held(), ["waits for the run before it to end"]);
    world.end(now);
    assert_eq!(world.started(), [now, later]);
}

#[test]
fn skip_looks_at_its_time_and_not_at_the_request() {
    let mut world = application(Some(Overlap::Skip), None);
    let now = world.request(1);
    let (first, second) = (world.request_later(60), world.request_later(70));
    assert_eq!(world.suppressed(), []);
    world.go(60);
    assert_eq!(world.suppressed(), [(first, Suppression::Overlap)]);
    world.end(now);
    world.go(70);
    assert_eq!(world.started(), [now, second]);
}

#[test]
fn a_restart_keeps_the_time_and_a_late_start_catches_up() {
    let mut world = application(Some(Overlap::Skip), None);
    world.go(100);
    let run = world.request(1);
    // One whose time passed while the app was closed, one to come.
    world.end(run);
    let passed = world.kept(0, 50);
    assert_eq!(world.started(), [run, passed]);
    let coming = world.kept(0, 150);
    world.end(passed);
    world.go(150);
    assert_eq!(world.started(), [run, passed, coming]);
}

#[test]
fn a_clock_that_is_set_back_does_not_bring_it_forward() {
    let mut world = application(None, None);
    world.go(1000);
    let later = world.request_later(1060);
    world.now = at(0);
    world.tell(Input::Clock);
    world.go(1059);
    assert_eq!(world.started(), []);
    world.go(1060);
    assert_eq!(world.started(), [later]);
}

#[test]
fn it_can_be_cancelled_and_goes_with_its_registration() {
    let mut world = application(None, None);
    let (first, second) = (world.request_later(10), world.request_later(10));
    world.tell(Input::CancelRequested {
        activation: first,
        reason: CancelReason::Abort,
    });
    let reason = CancelReason::Abort;
    assert_eq!(
        world.suppressed(),
        [(first, Suppression::Cancelled { reason })]
    );
    world.tell(Input::Unregister(registration(1)));
    assert_eq!(world.suppressed()[1], (second, Suppression::Removed));
    world.go(10);
    assert_eq!(world.started(), []);
}

#[test]
fn it_may_be_told_twice() {
    let mut world = application(None, None);
    let id = world.request_later(10);
    world.request_as(1, id, 0, at(20));
    world.go(10);
    assert_eq!(world.started(), []);
    world.go(20);
    assert_eq!(world.started(), [id]);
}

#[test]
fn a_clock_set_back_over_a_restart_does_not_bring_it_forward() {
    let mut world = application(None, None);
    let kept = world.kept(1000, 1060);
    assert_eq!(world.scheduler.next_wake(), Some(at(1060)));
    world.go(1059);
    assert_eq!(world.started(), []);
    world.go(1060);
    assert_eq!(world.started(), [kept]);
}

#[test]
fn a_restart_before_its_time_gives_it_no_place() {
    let mut world = application(None, Some(Pending::First));
    let run = world.request(1);
    let later = world.kept(0, 60);
    let now = world.request(1);
    world.go(60);
    assert_eq!(world.suppressed(), [(later, Suppression::PendingFull)]);
    world.end(run);
    assert_eq!(world.started(), [run, now]);
}

#[test]
fn it_goes_on_under_the_registration_that_takes_the_place() {
    let mut world = application(None, None);
    let (first, second) = (world.request_later(10), world.request_later(20));
    world.tell(Input::Register(Box::new(Registered {
        id: registration(2),
        declaration: Arc::new(declare("application", "", Options::default())),
        due: None,
        fired: None,
        generation: 0,
        last_suppression: None,
        ended: None,
        standing: Standing::Enabled,
        refused: None,
        replaces: Some(registration(1)),
    })));
    assert_eq!(world.suppressed(), []);
    assert_eq!(world.scheduler.next_wake(), Some(at(10)));
    let why = world.scheduler.explain(registration(2), world.now).unwrap();
    assert_eq!(why.waiting, 2);
    world.go(10);
    assert_eq!(world.started(), [first]);
    world.end(first);
    let reason = CancelReason::Abort;
    world.tell(Input::CancelRequested {
        activation: second,
        reason,
    });
    let cancelled = (second, Suppression::Cancelled { reason });
    assert_eq!(world.suppressed(), [cancelled]);
}

#[test]
fn told_again_that_its_time_is_now_it_starts_once() {
    let mut world = application(None, None);
    let id = world.request_later(10);
    world.request_as(1, id, 0, at(0));
    assert_eq!(world.started(), [id]);
    world.end(id);
    world.go(10);
    assert_eq!(world.started(), [id]);
    assert_eq!(world.scheduler.next_wake(), None);
}

#[test]
fn what_comes_due_while_the_app_closes_is_left_to_the_next_start() {
    let mut world = application(Some(Overlap::Skip), None);
    let run = world.request(1);
    world.request_later(10);
    world.tell(Input::Drain);
    world.now = at(20);
    world.end(run);
    assert_eq!((world.started(), world.suppressed()), (vec![run], vec![]));
    let why = world.scheduler.explain(registration(1), world.now).unwrap();
    assert_eq!(why.waiting, 1);
    // Nor does a run that goes on suppress it.
    let mut world = application(Some(Overlap::Skip), None);
    world.request(1);
    world.request_later(10);
    world.tell(Input::Drain);
    world.now = at(20);
    world.tell(Input::Clock);
    assert_eq!(world.suppressed(), []);
}

#[test]
fn a_one_shot_ends_with_its_run_whatever_was_asked_for_later() {
    let mut world = World::with(declare(
        "system(time_zone_change, once)",
        "",
        Options {
            overlap: Some(Overlap::Skip),
            ..Options::default()
        },
    ));
    let run = world.request(1);
    world.request_later(10);
    world.ended_with(run, false, None);
    let ended = |world: &World| {
        let why = world.scheduler.explain(registration(1), world.now);
        why.unwrap().ended
    };
    assert_eq!(ended(&world), Some(at(0)));
    world.go(10);
    assert_eq!(world.suppressed().len(), 1);
    assert_eq!(ended(&world), Some(at(0)));
}

#[test]
fn several_of_a_time_are_held_to_pending_and_unique_together() {
    let mut world = World::new();
    let options = |pending| Options {
        unique: Some("one".to_owned()),
        pending,
        ..Options::default()
    };
    world.register(2, declare("application", "internet", options(None)));
    let first = options(Some(Pending::First));
    world.register(1, declare("application", "internet", first));
    world.request(2);
    let (one, other) = (world.request_later(10), world.request_later(10));
    world.go(10);
    let full = |id| (id, Suppression::PendingFull);
    let mut suppressed = world.suppressed();
    suppressed.sort_by_key(|(id, _)| *id);
    assert_eq!(suppressed, [full(one), full(other)]);
}

#[test]
fn of_a_refused_registration_it_comes_due_and_is_held() {
    let mut world = World::new();
    world.tell(Input::Register(Box::new(Registered {
        id: registration(1),
        declaration: Arc::new(declare("application", "", Options::default())),
        due: None,
        fired: None,
        generation: 0,
        last_suppression: None,
        ended: None,
        standing: Standing::Enabled,
        refused: Some("nobody can say".to_owned()),
        replaces: None,
    })));
    let id = world.request_later(10);
    assert_eq!(world.scheduler.next_wake(), Some(at(10)));
    world.go(10);
    assert_eq!(world.started(), []);
    assert_eq!(world.scheduler.next_wake(), None);
    let reason = "waits, because the task was refused: nobody can say";
    assert_eq!(world.held(), [reason]);
    world.register(1, declare("application", "", Options::default()));
    assert_eq!(world.started(), [id]);
}

#[test]
fn a_crowd_for_later_times_takes_no_room_from_what_is_for_now() {
    let id = registration(1);
    let mut world = application(None, None);
    for _ in 0..5000 {
        assert!(!world.scheduler.is_crowded(id, true));
        world.request_later(3600);
    }
    assert!(world.scheduler.is_crowded(id, true));
    assert!(!world.scheduler.is_crowded(id, false));
    let mut world = application(None, None);
    world.request(1);
    for _ in 0..5000 {
        assert!(!world.scheduler.is_crowded(id, false));
        world.request(1);
    }
    assert!(world.scheduler.is_crowded(id, false));
    assert!(!world.scheduler.is_crowded(id, true));
}
