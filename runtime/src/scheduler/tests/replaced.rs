//! Registrations that change or go while something of them waits or runs.

use super::{keys::exclusive, *};

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
