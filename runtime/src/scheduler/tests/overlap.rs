//! `overlap`: what becomes of a fire while a run is active.

use super::*;

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
fn replace_stops_nothing_for_what_is_asked_for_later() {
    let mut world = World::with(declare("application", "", overlapping(Overlap::Replace)));
    let run = world.request(1);
    world.request_as(1, ActivationId::now(), 0, at(100));
    assert!(world.cancelled().is_empty());
    world.go(100);
    assert_eq!(world.cancelled(), [(run, CancelReason::Abort)]);
}
