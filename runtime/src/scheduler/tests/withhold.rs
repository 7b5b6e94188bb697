//! What the user, access and energy hold back.

use bgtask_model::{Missed, Overlap, Pending};

use super::*;
use crate::scheduler::Restrictions;

fn denied() -> Restrictions {
    Restrictions {
        denied: Some("denied by the user (/users/ann/.config/bgtask/access.toml:2)".to_owned()),
        ..Restrictions::default()
    }
}

fn energy_saver() -> Restrictions {
    Restrictions {
        energy_saver: true,
        ..Restrictions::default()
    }
}

fn over_budget() -> Restrictions {
    Restrictions {
        over_budget: true,
        ..Restrictions::default()
    }
}

fn paused() -> Standing {
    Standing::Paused { since: at(0) }
}

fn disabled() -> Standing {
    Standing::Disabled { since: at(0) }
}

fn quarantined() -> Standing {
    Standing::Quarantined {
        since: at(0),
        reason: "its function is gone".to_owned(),
    }
}

impl World {
    fn stand(&mut self, number: u8, standing: Standing) {
        let registration = registration(number);
        self.tell(Input::Standing {
            registration,
            standing,
        });
    }

    fn restrict(&mut self, restrictions: Restrictions) {
        self.tell(Input::Restrict(restrictions));
    }

    fn throttled(&self) -> usize {
        let throttled = |action: &&Action| matches!(action, Action::Throttled { .. });
        self.said.iter().filter(throttled).count()
    }
}

/// A way to hold registration 1 back, and how it ends.
type Hold = (&'static str, fn(&mut World), fn(&mut World));

/// Those that let it fire, and hold what fired.
const HOLDING: [Hold; 3] = [
    (
        "paused",
        |w| w.stand(1, paused()),
        |w| w.stand(1, Standing::Enabled),
    ),
    (
        "energy saver",
        |w| w.restrict(energy_saver()),
        |w| w.restrict(Restrictions::default()),
    ),
    (
        "over budget",
        |w| w.restrict(over_budget()),
        |w| w.restrict(Restrictions::default()),
    ),
];

/// Those under which a fire does not count.
const FORBIDDING: [(Hold, Suppression); 3] = [
    (
        (
            "disabled",
            |w| w.stand(1, disabled()),
            |w| w.stand(1, Standing::Enabled),
        ),
        Suppression::Disabled,
    ),
    (
        (
            "denied",
            |w| w.restrict(denied()),
            |w| w.restrict(Restrictions::default()),
        ),
        Suppression::Denied,
    ),
    (
        (
            "quarantined",
            |w| w.stand(1, quarantined()),
            |w| w.stand(1, Standing::Enabled),
        ),
        Suppression::Quarantined,
    ),
];

fn every_way() -> impl Iterator<Item = Hold> {
    HOLDING.into_iter().chain(FORBIDDING.map(|(hold, _)| hold))
}

fn queue(n: u32) -> Options {
    Options {
        pending: Some(Pending::Queue(n)),
        overlap: Some(Overlap::Queue(n)),
        ..Options::default()
    }
}

#[test]
fn what_fires_while_held_back_starts_in_order_when_released() {
    for (name, hold, release) in HOLDING {
        let mut world = World::with(declare("every(\"10s\")", "", queue(9)));
        hold(&mut world);
        for seconds in [10, 20, 30] {
            world.go(seconds);
        }
        assert_eq!(world.scheduled(), [10, 20, 30], "{name}");
        assert!(world.started().is_empty(), "{name}");
        release(&mut world);
        for run in 1..=3 {
            assert_eq!(world.started().len(), run, "{name}");
            world.end(world.started()[run - 1]);
        }
        let fired: Vec<_> = world
            .fires()
            .iter()
            .map(|fire| fire.activations[0].id)
            .collect();
        assert_eq!(world.started(), fired, "{name}");
        assert!(world.suppressed().is_empty(), "{name}");
    }
}

#[test]
fn what_fires_while_held_back_is_kept_as_pending_says() {
    for (name, hold, release) in HOLDING {
        let mut world = World::with(declare("custom(\"now\")", "", Options::default()));
        hold(&mut world);
        for seconds in [1, 2, 3] {
            world.now = at(seconds);
            world.raise(Raised::Custom("now".to_owned()));
        }
        assert_eq!(world.suppressed().len(), 2, "{name}");
        release(&mut world);
        assert_eq!(world.started().len(), 1, "{name}");
    }
}

#[test]
fn a_due_time_that_does_not_count_is_noted_and_the_next_follows() {
    for ((name, hold, release), why) in FORBIDDING {
        for missed in [Missed::Once, Missed::Skip, Missed::All(3)] {
            let options = Options {
                missed: Some(missed),
                ..Options::default()
            };
            let mut world = World::with(declare("every(\"100s\")", "", options));
            hold(&mut world);
            world.go(100);
            // Late, too: the one reason that it has in any case is told.
            world.go(370);
            assert!(world.scheduled().is_empty(), "{name}");
            let told: Vec<_> = world
                .fires()
                .iter()
                .map(|fire| fire.suppressed.clone())
                .collect();
            assert_eq!(told, [Some(why.clone()), Some(why.clone())], "{name}");
            assert_eq!(world.scheduler.next_wake(), Some(at(400)), "{name}");
            release(&mut world);
            assert!(
                world.started().is_empty(),
                "nothing is caught up with: {name}"
            );
            world.go(400);
            assert_eq!(world.scheduled(), [400], "{name}");
            assert_eq!(world.started().len(), 1, "{name}");
        }
    }
}

#[test]
fn an_event_that_does_not_count_is_noted() {
    for ((name, hold, release), why) in FORBIDDING {
        for trigger in ["custom(\"now\")", "system(time_zone_change, once)"] {
            let mut world = World::with(declare(trigger, "", Options::default()));
            let raised = || match trigger.starts_with("custom") {
                true => Raised::Custom("now".to_owned()),
                false => Raised::System(bgtask_model::SystemEvent::TimeZoneChange),
            };
            hold(&mut world);
            world.raise(raised());
            world.raise(raised());
            assert_eq!(world.notes(), [why.clone(), why.clone()], "{name}");
            release(&mut world);
            assert!(world.started().is_empty(), "{name}");
            // It spent no one-shot.
            world.raise(raised());
            assert_eq!(world.started().len(), 1, "{name}");
        }
    }
}

#[test]
fn a_one_shot_that_comes_due_while_it_may_not_fire_fires_later() {
    for ((name, hold, release), why) in FORBIDDING {
        let mut world = World::with(declare("every(\"100s\", once)", "", Options::default()));
        hold(&mut world);
        assert_eq!(world.scheduler.next_wake(), Some(at(100)), "{name}");
        for seconds in [100, 110, 500] {
            world.go(seconds);
        }
        assert!(world.fires().is_empty(), "{name}");
        assert_eq!(world.notes(), [why], "noted once: {name}");
        assert_eq!(world.scheduler.next_wake(), None, "{name}");
        release(&mut world);
        assert_eq!(world.scheduled(), [100], "{name}");
        let run = world.started()[0];
        assert!(world.scheduler.ends_registration(run), "{name}");
        world.end(run);
        assert_eq!(world.scheduler.next_wake(), None, "{name}");
    }
}

#[test]
fn a_one_shot_that_was_noted_is_not_noted_again_after_a_restart() {
    let mut world = World::new();
    world.now = at(200);
    world.tell(Input::Register(Box::new(Registered {
        id: registration(1),
        declaration: Arc::new(declare("every(\"100s\", once)", "", Options::default())),
        due: Some(at(100)),
        fired: None,
        generation: 0,
        last_suppression: Some((at(100), Suppression::Disabled)),
        ended: None,
        standing: disabled(),
        refused: None,
        replaces: None,
    })));
    assert!(world.said.is_empty(), "{:?}", world.said);
    world.stand(1, Standing::Enabled);
    assert_eq!(world.started().len(), 1);
}

#[test]
fn what_waits_is_kept_and_what_runs_goes_on() {
    for (name, hold, release) in every_way() {
        let mut world = World::with(declare("application", "", Options::default()));
        let running = world.request(1);
        world.now = at(1);
        let waiting = [world.request(1), world.request(1)];
        hold(&mut world);
        assert!(world.cancelled().is_empty(), "{name}");
        world.ended_with(running, true, Some(50));
        world.go(60);
        assert_eq!(world.started(), [running], "{name}");
        release(&mut world);
        for one in [running, waiting[0], waiting[1]] {
            assert_eq!(world.started().last(), Some(&one), "{name}");
            world.end(one);
        }
        assert!(world.suppressed().is_empty(), "{name}");
    }
}

#[test]
fn what_waits_can_be_cancelled_and_removed_while_held_back() {
    for (name, hold, _) in every_way() {
        let mut world = World::with(declare("application", "", Options::default()));
        hold(&mut world);
        let (first, second) = (world.request(1), world.request(1));
        let reason = CancelReason::Abort;
        world.tell(Input::CancelRequested {
            activation: first,
            reason,
        });
        world.tell(Input::Unregister(registration(1)));
        let cancelled = (first, Suppression::Cancelled { reason });
        assert_eq!(
            world.suppressed(),
            [cancelled, (second, Suppression::Removed)],
            "{name}"
        );
    }
}

#[test]
fn replace_stops_nothing_for_what_is_held_back() {
    let replace = || Options {
        overlap: Some(Overlap::Replace),
        ..Options::default()
    };
    for (name, hold, release) in every_way() {
        let mut world = World::with(declare("application", "", replace()));
        let running = world.request(1);
        hold(&mut world);
        world.request(1);
        assert!(world.cancelled().is_empty(), "{name}");
        release(&mut world);
        assert_eq!(
            world.cancelled(),
            [(running, CancelReason::Abort)],
            "{name}"
        );
    }
}

#[test]
fn one_held_back_leaves_its_exclusive_key_to_others() {
    let options = || Options {
        exclusive: Some("disk".to_owned()),
        ..Options::default()
    };
    let mut world = World::new();
    world.register(1, declare("application", "", options()));
    world.register(2, declare("application", "", options()));
    world.stand(1, paused());
    let first = world.request(1);
    let second = world.request(2);
    assert_eq!(world.started(), [second]);
    world.stand(1, Standing::Enabled);
    assert_eq!(world.started(), [second]);
    world.end(second);
    assert_eq!(world.started(), [second, first]);
}

#[test]
fn one_held_back_has_its_place_under_a_unique_key() {
    let options = || Options {
        unique: Some("report".to_owned()),
        ..Options::default()
    };
    let mut world = World::new();
    world.register(1, declare("application", "", options()));
    world.register(2, declare("application", "internet", options()));
    world.stand(1, paused());
    let first = world.request(1);
    let second = world.request(2);
    assert_eq!(world.suppressed(), [(second, Suppression::PendingFull)]);
    world.stand(1, Standing::Enabled);
    assert_eq!(world.started(), [first]);
}

#[test]
fn a_release_starts_by_priority_and_then_in_the_order_of_acceptance() {
    for restrictions in [denied(), energy_saver(), over_budget()] {
        let mut world = World::new();
        world.restrict(restrictions);
        for (number, priority) in [(1, 0), (2, 9), (3, 0)] {
            let options = Options {
                priority,
                ..Options::default()
            };
            world.register(number, declare("application", "", options));
        }
        let ids: Vec<_> = [3, 2, 1].map(|number| world.request(number)).into();
        world.restrict(Restrictions::default());
        assert_eq!(world.started(), [ids[1], ids[0], ids[2]]);
    }
}

#[test]
fn jitter_is_kept_while_fires_do_not_count() {
    let options = Options {
        jitter: Some(std::time::Duration::from_secs(50)),
        ..Options::default()
    };
    let mut world = World::with(declare("every(\"100s\")", "", options.clone()));
    let mut other = World::with(declare("every(\"100s\")", "", options));
    other.stand(1, disabled());
    for _ in 0..5 {
        let wake = world.scheduler.next_wake().unwrap();
        assert_eq!(other.scheduler.next_wake(), Some(wake));
        for world in [&mut world, &mut other] {
            world.now = wake;
            world.tell(Input::Time);
        }
    }
    assert_eq!(other.fires().len(), 5);
}

#[test]
fn standby_runs_though_the_budget_is_spent() {
    let standby = Options {
        standby: true,
        ..Options::default()
    };
    let mut world = World::with(declare("application", "", standby));
    world.restrict(over_budget());
    let run = world.request(1);
    assert_eq!(world.started(), [run]);
    world.end(run);
    // The energy saver is another matter.
    world.restrict(energy_saver());
    world.request(1);
    assert_eq!(world.started(), [run]);
    assert_eq!(world.throttled(), 0);
}

#[test]
fn only_what_the_budget_alone_holds_is_throttled_and_once_each() {
    let mut world = World::with(declare("application", "internet", Options::default()));
    world.restrict(over_budget());
    world.request(1);
    world.request(1);
    assert_eq!(world.throttled(), 0, "the condition holds them");
    world.fact(Predicate::Internet, Reading::Known(true));
    assert_eq!(world.throttled(), 2);
    world.fact(Predicate::Internet, Reading::Known(false));
    world.fact(Predicate::Internet, Reading::Known(true));
    world.go(60);
    world.stand(1, paused());
    world.stand(1, Standing::Enabled);
    assert_eq!(world.throttled(), 2);
    world.request(1);
    assert_eq!(world.throttled(), 3);
    // The energy saver holds it as well, and is told.
    world.restrict(Restrictions {
        energy_saver: true,
        ..over_budget()
    });
    world.request(1);
    assert_eq!(world.throttled(), 3);
    assert_eq!(
        world.held().last(),
        Some(&"waits, because the energy saver is on")
    );
}

#[test]
fn each_hold_says_what_it_waits_for() {
    for ((name, hold, _), text) in every_way().zip([
        "waits, because it is paused since 00:00",
        "waits, because the energy saver is on",
        "waits, because the energy budget is spent",
        "waits, because it is disabled since 00:00",
        "waits, because access is denied by the user (/users/ann/.config/bgtask/access.toml:2)",
        "waits, because it is in quarantine since 00:00: its function is gone",
    ]) {
        let mut world = World::with(declare("application", "", Options::default()));
        hold(&mut world);
        world.request(1);
        assert_eq!(world.held(), [text], "{name}");
    }
}

#[test]
fn a_changed_declaration_has_the_standing_that_it_is_registered_with() {
    let mut world = World::with(declare("application", "", Options::default()));
    world.stand(1, paused());
    let waiting = world.request(1);
    // As the store has it now.
    world.register(1, declare("application", "", Options::default()));
    assert_eq!(world.started(), [waiting]);
}
