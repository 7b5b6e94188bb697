//! Firing, and due times that passed while nothing could fire.

use std::time::Duration;

use bgtask_model::Missed;

use super::*;

fn missing(missed: Missed) -> Options {
    Options {
        missed: Some(missed),
        ..Options::default()
    }
}

/// Registered long ago, looked at `now`.
fn after_sleep(trigger: &str, options: Options, due: i64, now: i64) -> World {
    let mut world = World::new();
    world.now = at(now);
    world.register_due(1, declare(trigger, "", options), Some(at(due)));
    world
}

#[test]
fn a_due_time_fires_when_it_comes_and_the_next_follows() {
    let mut world = World::with(declare("every(\"100s\")", "", Options::default()));
    assert_eq!(world.scheduler.next_wake(), Some(at(100)));
    world.go(99);
    assert!(world.fires().is_empty());
    // Late by a second, and still counted from the due time.
    world.go(101);
    assert_eq!(world.scheduled(), [100]);
    assert_eq!(world.started().len(), 1);
    assert_eq!(world.scheduler.next_wake(), Some(at(200)));
    let fire = world.fires()[0];
    assert_eq!(
        (fire.at, fire.next, fire.last),
        (at(101), Some(at(200)), false)
    );
}

#[test]
fn a_fire_in_flight_is_not_repeated_until_answered() {
    let mut world = World::with(declare("every(\"10s\")", "", Options::default()));
    world.obedient = false;
    world.go(10);
    world.go(20);
    world.go(30);
    assert_eq!(world.fires().len(), 1);
    assert_eq!(world.scheduler.next_wake(), None);
    // Lost: somebody else moved it on.
    world.tell(Input::Fired {
        registration: registration(1),
        generation: 7,
        due: Some(at(40)),
    });
    world.go(40);
    assert_eq!(world.fires().len(), 2);
    assert_eq!(world.fires()[1].generation, 7);
    let ids: Vec<_> = world
        .fires()
        .iter()
        .map(|fire| fire.activations[0].id)
        .collect();
    assert_ne!(ids[0], ids[1]);
}

#[test]
fn the_same_fire_makes_the_same_identities() {
    let fire = || {
        let mut world = after_sleep("every(\"10s\")", missing(Missed::All(5)), 10, 1000);
        world.obedient = false;
        world.go(1000);
        let ids: Vec<_> = world.fires()[0]
            .activations
            .iter()
            .map(|new| new.id)
            .collect();
        ids
    };
    let ids = fire();
    assert_eq!(ids, fire());
    let mut sorted = ids.clone();
    sorted.sort();
    sorted.dedup();
    assert_eq!(sorted, ids, "five, in the order of their due times");
}

#[test]
fn missed_due_times_are_caught_up_as_declared() {
    for (missed, due, now, scheduled, next) in [
        // Of a period of 100 s, nothing was missed at 130 and 160.
        (Missed::Once, 100, 130, vec![100], 200),
        (Missed::Skip, 100, 160, vec![100], 200),
        (Missed::All(3), 100, 130, vec![100], 200),
        // More than a minute late.
        (Missed::Once, 100, 170, vec![100], 200),
        (Missed::Skip, 100, 170, vec![], 200),
        (Missed::All(3), 100, 170, vec![100], 200),
        // Several.
        (Missed::Once, 100, 1070, vec![1000], 1100),
        (Missed::Skip, 100, 1070, vec![], 1100),
        (Missed::Skip, 100, 1010, vec![1000], 1100),
        (Missed::All(3), 100, 1070, vec![800, 900, 1000], 1100),
        (Missed::All(3), 100, 240, vec![100, 200], 300),
    ] {
        let world = after_sleep("every(\"100s\")", missing(missed), due, now);
        assert_eq!(world.scheduled(), scheduled, "{missed:?} at {now}");
        let fire = world.fires()[0];
        assert_eq!(fire.next, Some(at(next)), "{missed:?} at {now}");
        let noted = scheduled.is_empty().then_some(Suppression::Missed);
        assert_eq!(fire.suppressed, noted, "{missed:?} at {now}");
    }
}

#[test]
fn all_missed_ones_run_one_after_the_other() {
    let mut world = after_sleep("every(\"100s\")", missing(Missed::All(3)), 100, 1070);
    for run in 1..=3 {
        assert_eq!(world.started().len(), run);
        let last = *world.started().last().unwrap();
        world.end(last);
    }
    assert_eq!(world.started().len(), 3);
    assert!(world.suppressed().is_empty());
}

#[test]
fn missed_civil_times_are_caught_up_once() {
    let day = 24 * 3600;
    for trigger in ["at(\"03:00\")", "cron(\"0 3 * * *\")"] {
        let world = after_sleep(trigger, Options::default(), 3 * 3600, 10 * day + 12 * 3600);
        assert_eq!(world.scheduled(), [10 * day + 3 * 3600], "{trigger}");
        assert_eq!(
            world.fires()[0].next,
            Some(at(11 * day + 3 * 3600)),
            "{trigger}"
        );
    }
}

#[test]
fn a_one_shot_that_came_due_while_down_runs_once_regardless() {
    for missed in [Missed::Once, Missed::Skip, Missed::All(9)] {
        let mut world = after_sleep("time(15, once)", missing(missed), 900, 900_000);
        assert_eq!(world.scheduled(), [900], "{missed:?}");
        let fire = world.fires()[0];
        assert_eq!((fire.last, fire.next), (true, None));
        let run = world.started()[0];
        assert!(world.scheduler.ends_registration(run));
        world.end(run);
        assert!(!world.scheduler.ends_registration(run));
        world.go(9_000_000);
        assert_eq!(world.fires().len(), 1);
    }
}

#[test]
fn a_retry_of_a_one_shot_does_not_end_it() {
    let mut world = after_sleep("every(\"10s\", once)", Options::default(), 10, 10);
    let run = world.started()[0];
    world.ended_with(run, true, Some(50));
    assert!(world.scheduler.ends_registration(run));
    world.go(50);
    assert_eq!(world.started(), [run, run]);
    world.end(run);
    let why = world.scheduler.explain(registration(1), at(60)).unwrap();
    assert_eq!((why.ended, why.enabled), (Some(at(50)), false));
}

#[test]
fn a_cancelled_one_shot_ends_with_its_suppression() {
    let mut world = World::with(declare(
        "every(\"10s\", once)",
        "internet",
        Options::default(),
    ));
    world.go(10);
    let waiting = world.fires()[0].activations[0].id;
    let reason = CancelReason::Abort;
    world.tell(Input::CancelRequested {
        activation: waiting,
        reason,
    });
    assert!(matches!(
        world.said.last(),
        Some(Action::Suppress { activation, why: Suppression::Cancelled { .. }, ends_registration: true })
            if *activation == waiting
    ));
}

#[test]
fn a_clock_set_back_makes_no_period_longer() {
    let mut world = World::with(declare("every(\"100s\")", "", Options::default()));
    world.now = at(-50_000);
    world.tell(Input::Clock);
    assert_eq!(world.scheduler.next_wake(), Some(at(-49_900)));
    // Nor the wait for a retry.
    let mut world = World::with(declare("application", "", Options::default()));
    let run = world.request(1);
    world.ended_with(run, true, Some(30));
    world.now = at(-50_000);
    world.tell(Input::Clock);
    assert_eq!(world.scheduler.next_wake(), Some(at(-49_970)));
}

#[test]
fn a_clock_set_forward_fires_what_was_passed_as_missed() {
    let mut world = World::with(declare("every(\"100s\")", "", missing(Missed::Skip)));
    world.now = at(50_070);
    world.tell(Input::Clock);
    assert_eq!(world.fires()[0].suppressed, Some(Suppression::Missed));
    assert_eq!(world.scheduler.next_wake(), Some(at(50_100)));
}

#[test]
fn a_civil_time_does_not_fire_again_when_the_clock_is_set_back_a_little() {
    let hour = 3600;
    for (back, next) in [(1, 27 * hour), (2 * hour, 27 * hour), (4 * hour, 3 * hour)] {
        let mut world = World::with(declare("at(\"03:00\")", "", Options::default()));
        world.go(3 * hour);
        assert_eq!(world.fires().len(), 1);
        world.now = at(3 * hour - back);
        world.tell(Input::Clock);
        assert_eq!(world.scheduler.next_wake(), Some(at(next)), "{back}");
    }
}

#[test]
fn a_new_zone_moves_civil_times_without_a_zone() {
    let hour = 3600;
    let mut world = World::new();
    world.register(1, declare("at(\"03:00\")", "", Options::default()));
    world.register(
        2,
        declare("at(\"04:00\", tz = \"UTC\")", "", Options::default()),
    );
    assert_eq!(world.scheduler.next_wake(), Some(at(3 * hour)));
    world.tell(Input::Zone(TimeZone::get("America/New_York").unwrap()));
    assert_eq!(world.scheduler.next_wake(), Some(at(4 * hour)));
    world.go(4 * hour);
    assert_eq!(world.scheduler.next_wake(), Some(at(8 * hour)));
}

#[test]
fn jitter_delays_the_fire_and_not_the_row() {
    let options = Options {
        jitter: Some(Duration::from_secs(50)),
        ..Options::default()
    };
    let mut world = World::with(declare("every(\"100s\")", "", options));
    for round in 1..=20 {
        let wake = world.scheduler.next_wake().unwrap();
        assert!(wake >= at(round * 100) && wake < at(round * 100 + 50));
        world.now = wake;
        world.tell(Input::Time);
        assert_eq!(world.scheduled().last(), Some(&(round * 100)));
        let run = *world.started().last().unwrap();
        world.end(run);
    }
    assert_eq!(world.fires().len(), 20);
}

#[test]
fn nothing_fires_or_starts_while_draining() {
    let mut world = World::with(declare("every(\"100s\")", "", Options::default()));
    world.register(2, declare("custom(\"now\")", "", Options::default()));
    world.register(3, declare("application", "", Options::default()));
    world.tell(Input::Drain);
    world.go(1000);
    world.raise(Raised::Custom("now".to_owned()));
    world.request(3);
    assert!(world.said.is_empty(), "{:?}", world.said);
    assert_eq!(world.scheduler.next_wake(), None);
}

#[test]
fn a_long_step_back_is_not_forgotten_over_a_short_one() {
    let hour = 3600;
    let mut world = World::with(declare("at(\"03:00\")", "", Options::default()));
    world.go(3 * hour);
    world.now = at(-hour);
    world.tell(Input::Clock);
    assert_eq!(world.scheduler.next_wake(), Some(at(3 * hour)));
    // By now the time that fired is less than three hours ahead.
    world.now = at(2 * hour);
    world.tell(Input::Clock);
    assert_eq!(world.scheduler.next_wake(), Some(at(3 * hour)));
}

#[test]
fn a_civil_time_does_not_fire_again_when_the_clock_was_set_back_over_a_restart() {
    let hour = 3600;
    for (now, next) in [
        (3 * hour - 1, 27 * hour),
        (hour, 27 * hour),
        (-hour, 3 * hour),
    ] {
        let mut world = World::new();
        world.now = at(now);
        world.tell(Input::Register(Box::new(Registered {
            id: registration(1),
            declaration: Arc::new(declare("at(\"03:00\")", "", Options::default())),
            due: Some(at(27 * hour)),
            fired: Some(at(3 * hour + 5)),
            generation: 1,
            last_suppression: None,
            ended: None,
            standing: Standing::Enabled,
            replaces: None,
            refused: None,
        })));
        assert_eq!(world.scheduler.next_wake(), Some(at(next)), "{now}");
    }
}

#[test]
fn a_wait_for_a_retry_is_no_longer_when_the_clock_was_set_back_over_a_restart() {
    let mut world = World::with(declare("application", "", Options::default()));
    let year = 365 * 24 * 3600;
    world.tell(Input::Accepted(Waiting {
        id: ActivationId::now(),
        registration: registration(1),
        accepted: at(year),
        not_before: at(year + 30),
        attempt: 1,
        kept: true,
        details: Details::default(),
        foreign: false,
    }));
    assert_eq!(world.scheduler.next_wake(), Some(at(30)));
    world.go(30);
    let run = world.started()[0];
    // Its next retry is counted from now.
    world.ended_with(run, true, Some(40));
    assert_eq!(world.scheduler.next_wake(), Some(at(40)));
}

#[test]
fn a_one_shot_that_was_fired_by_another_process_ends_here() {
    let mut world = World::with(declare("every(\"10s\", once)", "", Options::default()));
    world.obedient = false;
    world.go(10);
    world.tell(Input::Fired {
        registration: registration(1),
        generation: 1,
        due: None,
    });
    let run = world.request(1);
    world.tell(Input::Started { activation: run });
    assert!(world.scheduler.ends_registration(run));
}

#[test]
fn a_period_that_a_clock_set_back_shortened_is_kept_so() {
    let day = 24 * 3600;
    let declaration = || declare("every(\"1d\")", "", Options::default());
    let mut world = World::new();
    world.now = at(-100 * day);
    // Made while the clock was far ahead.
    world.register_due(1, declaration(), Some(at(0)));
    let next = at(-99 * day);
    let fire = world.fires()[0];
    assert_eq!((fire.next, fire.last), (Some(next), false));
    assert!(fire.activations.is_empty() && fire.suppressed.is_none());
    assert_eq!(world.scheduler.next_wake(), Some(next));
    // Each start after it finds the due time where it was.
    let mut again = World::new();
    again.now = next - SignedDuration::from_secs(60);
    again.register_due(1, declaration(), Some(next));
    assert!(again.fires().is_empty());
    assert_eq!(again.scheduler.next_wake(), Some(next));
}
