//! Answers to why a task runs, waits or has not run.

use bgtask_model::Missed;

use super::*;
use crate::{Holds, LastOutcome, Outcome, scheduler::Restrictions};

fn answer(world: &World) -> String {
    let why = world.scheduler.explain(registration(1), world.now);
    why.unwrap().answer
}

#[test]
fn every_state_has_an_answer() {
    let mut world = World::with(declare("every(\"600s\")", "internet", Options::default()));
    assert_eq!(answer(&world), "It waits for its next due time, 00:10.");
    world.go(600);
    assert_eq!(
        answer(&world),
        "Since 00:10 it waits for internet: unknown, nobody can say."
    );
    world.go(660);
    world.fact(Predicate::Internet, Reading::Guess(false));
    world.go(720);
    assert_eq!(
        answer(&world),
        "Since 00:11 it waits for internet: not available since 00:11 (test, a guess)."
    );
    world.fact(Predicate::Internet, Reading::Known(true));
    assert_eq!(answer(&world), "It runs since 00:12.");
    let run = world.started()[0];
    world.tell(Input::CancelRequested {
        activation: run,
        reason: CancelReason::Abort,
    });
    assert_eq!(
        answer(&world),
        "It runs since 00:12 and was asked to stop: on request."
    );
    world.ended_with(run, false, None);
    assert_eq!(
        answer(&world),
        "Its run of 00:12 ended, but the body still executes, and nothing starts before it returns."
    );
    world.go(1200);
    world.tell(Input::Vacated { activation: run });
    assert_eq!(
        answer(&world),
        "It waits for its next due time, 00:30; it did not run at 00:20: a run of it was active."
    );
    world.tell(Input::Drain);
    assert_eq!(answer(&world), "The app is closing: nothing new starts.");
}

#[test]
fn events_one_shots_missed_times_and_refusals_have_answers() {
    let world = World::with(declare("custom(\"now\")", "", Options::default()));
    assert_eq!(answer(&world), "It waits for its trigger, custom(\"now\").");
    let mut world = World::with(declare("every(\"60s\", once)", "", Options::default()));
    world.go(60);
    let run = world.started()[0];
    world.end(run);
    assert_eq!(answer(&world), "It was to run once, and ended at 00:01.");
    let options = Options {
        missed: Some(Missed::Skip),
        ..Options::default()
    };
    let mut world = World::with(declare("every(\"600s\")", "", options));
    world.go(86_400 + 1000);
    assert_eq!(
        answer(&world),
        "It waits for its next due time, 00:20; it did not run at 00:16: it came due while nothing could fire."
    );
}

#[test]
fn what_waits_says_for_whom() {
    let options = Options {
        exclusive: Some("disk".to_owned()),
        ..Options::default()
    };
    let mut world = World::new();
    world.register(2, declare("application", "", options.clone()));
    world.register(1, declare("application", "", options));
    world.request(2);
    world.request(1);
    assert_eq!(
        answer(&world),
        "Since 00:00 it waits for `task`, which runs and has the exclusive key `disk`."
    );
    let mut world = World::with(declare("application", "", Options::default()));
    let run = world.request(1);
    world.request(1);
    let why = world.scheduler.explain(registration(1), at(0)).unwrap();
    assert_eq!(why.held[0].reason, "waits for the run before it to end");
    assert_eq!(why.running[0].activation, run);
    world.ended_with(run, true, Some(86_400));
    let last = *world.started().last().unwrap();
    world.end(last);
    assert_eq!(
        answer(&world),
        "Since 00:00 it waits until 2025-01-02 00:00."
    );
}

#[test]
fn the_whole_explanation_reads_well_and_survives_json() {
    let mut world = World::with(declare(
        "every(\"600s\")",
        "internet && !ac_power",
        Options::default(),
    ));
    world.fact(Predicate::Internet, Reading::Known(true));
    world.go(600);
    let mut why = world.scheduler.explain(registration(1), world.now).unwrap();
    assert_eq!(why.facts[0].holds, Holds::Yes);
    assert_eq!(why.facts[1].holds, Holds::Unknown);
    assert_eq!(
        (why.enabled, why.waiting, why.next_due),
        (true, 1, Some(at(1200)))
    );
    why.last_outcome = Some(LastOutcome {
        at: at(0),
        outcome: Outcome::Failed {
            error: "no space".to_owned(),
        },
    });
    why.alone = Some("its last run ended with its process (signal 6)".to_owned());
    let waiting = why.held[0].activation;
    assert_eq!(
        why.to_string(),
        format!(
            "task: Since 00:10 it waits for !ac_power: ac_power unknown, nobody can say.
  registration: 01010101-0101-0101-0101-010101010101
  trigger: every(\"10m\")
  next due: 2025-01-01 00:20:00
  condition: internet && !ac_power
    internet: available since 2025-01-01 00:00 (test)
    ac_power: unknown, nobody can say
  waiting since 2025-01-01 00:10:00: {waiting} waits for !ac_power: ac_power unknown, nobody can say
  last outcome: 2025-01-01 00:00:00: failed: no space
  runs in a process that it shares with nobody: its last run ended with its process (signal 6)
  times: UTC"
        )
    );
    let json = serde_json::to_string(&why).unwrap();
    assert_eq!(
        serde_json::from_str::<crate::Explanation>(&json).unwrap(),
        why
    );
}

#[test]
fn what_holds_it_back_is_named_while_nothing_waits() {
    let disabled = Standing::Disabled { since: at(60) };
    let paused = Standing::Paused { since: at(60) };
    let quarantined = Standing::Quarantined {
        since: at(60),
        reason: "its function is gone".to_owned(),
    };
    for (standing, enabled, text) in [
        (
            Standing::Enabled,
            true,
            "It waits for its trigger, application.",
        ),
        (
            paused,
            true,
            "It waits for its trigger, application; what fires is held, because it is paused since 00:01.",
        ),
        (
            disabled,
            false,
            "It waits for its trigger, application; what fires does not count, because it is disabled since 00:01.",
        ),
        (
            quarantined,
            false,
            "It is in quarantine since 00:01 (its function is gone).",
        ),
    ] {
        let mut world = World::with(declare("application", "", Options::default()));
        let registration = registration(1);
        world.tell(Input::Standing {
            registration,
            standing: standing.clone(),
        });
        assert_eq!(answer(&world), text);
        let why = world.scheduler.explain(registration, at(90)).unwrap();
        assert_eq!((why.enabled, why.standing), (enabled, standing));
    }
    let restrictions = Restrictions {
        denied: None,
        energy_saver: true,
        over_budget: true,
    };
    let denied = Restrictions {
        denied: Some("denied by the user (/users/ann/.config/bgtask/access.toml:2)".to_owned()),
        ..restrictions.clone()
    };
    for (restrictions, enabled, text) in [
        (
            restrictions,
            true,
            "It waits for its trigger, application; what fires is held, because the energy saver is on.",
        ),
        (
            denied,
            false,
            "It waits for its trigger, application; what fires does not count, because access is denied by the user (/users/ann/.config/bgtask/access.toml:2).",
        ),
    ] {
        let mut world = World::with(declare("application", "", Options::default()));
        world.tell(Input::Restrict(restrictions.clone()));
        assert_eq!(answer(&world), text);
        let why = world.scheduler.explain(registration(1), at(90)).unwrap();
        assert_eq!((why.enabled, &why.denied), (enabled, &restrictions.denied));
        assert!(why.energy_saver && why.over_budget);
    }
}

#[test]
fn every_time_of_an_explanation_is_told_in_the_zone_of_the_system() {
    let berlin = TimeZone::get("Europe/Berlin").unwrap();
    let unnamed = TimeZone::fixed(jiff::tz::offset(1));
    for (zone, name) in [(berlin, "Europe/Berlin"), (unnamed, "+01:00")] {
        let mut world = World::new();
        world.scheduler = Scheduler::new(zone);
        let options = Options {
            missed: Some(Missed::Skip),
            ..Options::default()
        };
        world.register(1, declare("every(\"600s\")", "internet", options));
        world.fact(Predicate::Internet, Reading::Known(false));
        world.go(600);
        world.go(1500);
        world.tell(Input::Standing {
            registration: registration(1),
            standing: Standing::Paused { since: at(1500) },
        });
        world.tell(Input::Restrict(Restrictions {
            denied: Some("denied by the user (/users/ann/.config/bgtask/access.toml:2)".to_owned()),
            energy_saver: true,
            over_budget: true,
        }));
        let why = world.scheduler.explain(registration(1), world.now).unwrap();
        let waiting = why.held[0].activation;
        assert_eq!(
            why.to_string(),
            format!(
                "task: Since 01:25 it waits, because access is denied by the user (/users/ann/.config/bgtask/access.toml:2).
  registration: 01010101-0101-0101-0101-010101010101
  trigger: every(\"10m\")
  paused since 2025-01-01 01:25:00
  access: denied by the user (/users/ann/.config/bgtask/access.toml:2)
  the energy saver is on
  the energy budget is spent
  next due: 2025-01-01 01:30:00
  condition: internet
    internet: not available since 2025-01-01 01:00 (test)
  waiting since 2025-01-01 01:25:00: {waiting} waits, because access is denied by the user (/users/ann/.config/bgtask/access.toml:2)
  last not run: 2025-01-01 01:25:00: it came due while nothing could fire
  times: {name}"
            )
        );
        let json = serde_json::to_string(&why).unwrap();
        assert_eq!(
            serde_json::from_str::<crate::Explanation>(&json).unwrap(),
            why
        );
    }
}
