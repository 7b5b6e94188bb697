//! Keys that several registrations have in common: `unique` for what waits, `exclusive` for what
//! runs.

use super::*;

pub(super) fn exclusive(priority: i32) -> Options {
    Options {
        exclusive: Some("disk".to_owned()),
        priority,
        ..Options::default()
    }
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
