//! Conditions: held until true, told when the reason changes, cancelled when lost.

use bgtask_model::Pending;

use super::*;

fn on_loss() -> Options {
    Options {
        cancel_on_condition_loss: true,
        ..Options::default()
    }
}

#[test]
fn only_true_opens_a_gate() {
    use Reading::{Guess, Known, Unknown};
    for (condition, internet, power, opens) in [
        ("internet", Known(true), Unknown, true),
        ("internet", Guess(true), Unknown, true),
        ("internet", Known(false), Unknown, false),
        ("internet", Unknown, Unknown, false),
        ("no_internet", Known(false), Unknown, true),
        ("no_internet", Unknown, Unknown, false),
        ("!internet", Unknown, Unknown, false),
        ("!no_internet", Known(true), Unknown, true),
        ("internet && ac_power", Known(true), Unknown, false),
        ("internet && ac_power", Known(true), Guess(true), true),
        ("internet || ac_power", Unknown, Known(true), true),
        ("internet || ac_power", Unknown, Known(false), false),
    ] {
        let mut world = World::with(declare("application", condition, Options::default()));
        world.request(1);
        world.fact(Predicate::Internet, internet);
        world.fact(Predicate::AcPower, power);
        let opened = world.started().len() == 1;
        assert_eq!(opened, opens, "{condition} {internet:?} {power:?}");
    }
}

#[test]
fn a_hold_is_told_when_its_reason_changes() {
    let mut world = World::with(declare(
        "application",
        "internet && ac_power",
        Options::default(),
    ));
    world.request(1);
    world.go(60);
    world.fact(Predicate::Internet, Reading::Guess(false));
    world.fact(Predicate::UserPresent, Reading::Known(true));
    world.go(120);
    world.fact(Predicate::Internet, Reading::Known(true));
    world.fact(Predicate::AcPower, Reading::Known(true));
    assert_eq!(
        world.held(),
        [
            "waits for internet: unknown, nobody can say; and for ac_power: unknown, nobody can say",
            "waits for internet: not available since 00:01 (test, a guess); and for ac_power: unknown, nobody can say",
            "waits for ac_power: unknown, nobody can say",
        ]
    );
    assert_eq!(world.started().len(), 1);
}

#[test]
fn a_part_of_several_facts_names_each() {
    let mut world = World::with(declare(
        "application",
        "!no_internet || ac_power",
        Options::default(),
    ));
    world.fact(Predicate::Internet, Reading::Known(false));
    world.request(1);
    assert_eq!(
        world.held(),
        [
            "waits for !no_internet || ac_power: no_internet so since 00:00 (test), ac_power unknown, nobody can say"
        ]
    );
}

#[test]
fn a_lost_condition_cancels_where_the_declaration_says_so() {
    for (options, cancelled) in [(on_loss(), 1), (Options::default(), 0)] {
        let mut world = World::with(declare("application", "internet", options));
        world.fact(Predicate::Internet, Reading::Known(true));
        let run = world.request(1);
        // What is unknown is not lost.
        world.fact(Predicate::Internet, Reading::Unknown);
        assert!(world.cancelled().is_empty());
        world.fact(Predicate::Internet, Reading::Known(false));
        world.fact(Predicate::Internet, Reading::Guess(false));
        let expected = vec![(run, CancelReason::ConditionLoss); cancelled];
        assert_eq!(world.cancelled(), expected);
    }
}

#[test]
fn a_condition_lost_before_the_start_holds_again() {
    let mut world = World::with(declare("application", "internet", Options::default()));
    world.obedient = false;
    world.fact(Predicate::Internet, Reading::Known(true));
    let (first, second) = (world.request(1), world.request(1));
    assert_eq!(world.started(), [first]);
    assert!(!world.scheduler.is_held_back(first));
    world.fact(Predicate::Internet, Reading::Unknown);
    assert!(world.scheduler.is_held_back(first));
    world.tell(Input::Unclaimed { activation: first });
    let why = world.scheduler.explain(registration(1), at(0)).unwrap();
    let held: Vec<_> = why.held.iter().map(|one| one.activation).collect();
    assert_eq!(held, [first, second], "it has its place again");
    assert!(why.running.is_empty());
    let last = *world.held().last().unwrap();
    assert!(last.contains("internet"), "{last}");

    world.fact(Predicate::Internet, Reading::Known(true));
    assert_eq!(world.started(), [first, first]);
    world.tell(Input::Started { activation: first });
    world.end(first);
    assert_eq!(world.started(), [first, first, second]);
}

#[test]
fn what_is_held_again_is_no_newcomer() {
    let first = Options {
        pending: Some(Pending::First),
        ..Options::default()
    };
    let mut world = World::with(declare("application", "internet", first));
    world.obedient = false;
    world.fact(Predicate::Internet, Reading::Known(true));
    let (old, new) = (world.request(1), world.request(1));
    world.fact(Predicate::Internet, Reading::Known(false));
    world.tell(Input::Unclaimed { activation: old });
    assert!(world.suppressed().is_empty(), "both have their place");
    world.fact(Predicate::Internet, Reading::Known(true));
    assert_eq!(world.started(), [old, old]);
    world.tell(Input::Gone { activation: old });
    assert_eq!(world.started(), [old, old, new]);
}

#[test]
fn a_cancellation_before_the_start_counts_for_what_is_held_again() {
    let mut world = World::with(declare("application", "internet", Options::default()));
    world.obedient = false;
    world.fact(Predicate::Internet, Reading::Known(true));
    let activation = world.request(1);
    let reason = CancelReason::Abort;
    world.tell(Input::CancelRequested { activation, reason });
    world.fact(Predicate::Internet, Reading::Known(false));
    world.tell(Input::Unclaimed { activation });
    let why = Suppression::Cancelled { reason };
    assert_eq!(world.suppressed(), [(activation, why)]);
}

#[test]
fn a_condition_lost_between_start_and_claim_cancels_after_the_claim() {
    let mut world = World::with(declare("application", "internet", on_loss()));
    world.fact(Predicate::Internet, Reading::Known(true));
    world.obedient = false;
    let run = world.request(1);
    world.fact(Predicate::Internet, Reading::Known(false));
    assert!(world.cancelled().is_empty());
    world.tell(Input::Started { activation: run });
    assert_eq!(world.cancelled(), [(run, CancelReason::ConditionLoss)]);
}

#[test]
fn a_cancellation_before_the_claim_is_passed_on_after_it() {
    let mut world = World::with(declare("application", "", Options::default()));
    world.obedient = false;
    let run = world.request(1);
    for reason in [CancelReason::LoggingOff, CancelReason::Abort] {
        world.tell(Input::CancelRequested {
            activation: run,
            reason,
        });
    }
    assert!(world.cancelled().is_empty());
    world.tell(Input::Started { activation: run });
    assert_eq!(world.cancelled(), [(run, CancelReason::LoggingOff)]);
}

#[test]
fn maintenance_runs_on_ac_power_only_and_losing_it_aborts() {
    let mut world = World::with(declare("maintenance(15)", "internet", Options::default()));
    world.fact(Predicate::Internet, Reading::Known(true));
    world.go(900);
    assert!(world.started().is_empty());
    world.fact(Predicate::AcPower, Reading::Known(true));
    let run = world.started()[0];
    // The other condition is not watched unless the declaration says so.
    world.fact(Predicate::Internet, Reading::Known(false));
    assert!(world.cancelled().is_empty());
    world.fact(Predicate::AcPower, Reading::Known(false));
    assert_eq!(world.cancelled(), [(run, CancelReason::Abort)]);
}

#[test]
fn a_refused_registration_fires_and_starts_nothing() {
    let mut world = World::new();
    world.tell(Input::Register(Box::new(Registered {
        id: registration(1),
        declaration: Arc::new(declare("every(\"10s\")", "", Options::default())),
        due: Some(at(10)),
        fired: None,
        generation: 0,
        last_suppression: None,
        ended: None,
        standing: Standing::Enabled,
        replaces: None,
        refused: Some("nobody can tell `unmetered` here".to_owned()),
    })));
    world.go(100);
    world.request(1);
    assert!(world.fires().is_empty() && world.started().is_empty());
    assert_eq!(
        world.held(),
        ["waits, because the task was refused: nobody can tell `unmetered` here"]
    );
}

#[test]
fn a_fact_looks_only_at_what_mentions_it() {
    let mut world = World::new();
    for number in 0..200 {
        let condition = if number == 7 { "internet" } else { "ac_power" };
        world.register(
            number,
            declare("application", condition, Options::default()),
        );
        world.request(number);
    }
    world.said.clear();
    world.fact(Predicate::Internet, Reading::Known(true));
    assert!(matches!(
        world.said.as_slice(),
        [Action::Start { registration: started, .. }] if *started == registration(7)
    ));
}
