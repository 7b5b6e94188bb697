//! Registrations that fire once.

use bgtask_model::SystemEvent;

use super::*;

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
fn what_ended_without_its_word_fires_no_more() {
    let mut world = World::with(declare(
        "system(internet_available, once)",
        "",
        Options::default(),
    ));
    let over = |seconds| Input::Over {
        registration: registration(1),
        at: at(seconds),
    };
    world.tell(over(5));
    world.tell(over(6));
    world.raise(Raised::System(SystemEvent::InternetAvailable));
    assert!(world.started().is_empty());
    let why = world.scheduler.explain(registration(1), at(7)).unwrap();
    assert_eq!(why.ended, Some(at(5)));
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
