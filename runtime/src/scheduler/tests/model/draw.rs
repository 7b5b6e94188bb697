//! What histories are made of.

use std::time::Duration;

use bgtask_model::{Delivery, Missed, Overlap, Pending};
use proptest::prelude::*;

use super::super::*;
use crate::scheduler::Restrictions;

pub(super) const REGISTRATIONS: u8 = 5;

/// A day before a change of each zone's clock, and the zones.
pub(super) const STARTS: [&str; 4] = [
    "2025-03-29T00:00:00Z",
    "2025-10-25T00:00:00Z",
    "2025-04-04T12:00:00Z",
    "2025-11-01T00:00:00Z",
];
pub(super) const ZONES: [&str; 4] = [
    "UTC",
    "Europe/Berlin",
    "Australia/Lord_Howe",
    "America/New_York",
];

/// Something that happens, before it is known to what: numbers choose among what there is then.
#[derive(Clone, Debug)]
pub(super) enum Step {
    Wait(i64),
    /// The clock is set, or the machine slept.
    Clock(i64),
    Zone(usize),
    Fact(usize, Reading),
    Raise(bool),
    Request(u8),
    RequestLater(u8, i64),
    /// What waits is told again, as the store has it.
    Again(usize),
    /// The store or a host answers: which is owed, and whether as was hoped for.
    Answer(usize, bool),
    AnswerAll,
    End {
        which: usize,
        slot_free: bool,
        retry: Option<i64>,
    },
    Vacate(usize),
    Cancel(usize),
    Stand(u8, u8),
    Restrict(Restrictions),
    Unregister(u8),
    /// The first one is registered anew, as the second one is declared.
    Replace(u8, u8),
    /// The process is killed, so long before the next one: whether what was owed had been written.
    Restart(i64, bool),
    Drain,
}

fn seconds() -> impl Strategy<Value = i64> {
    prop_oneof![
        6 => 0..40_i64,
        2 => 0..2000_i64,
        1 => 0..20_000_i64,
        1 => 0..200_000_i64,
    ]
}

fn restrictions() -> impl Strategy<Value = Restrictions> {
    let no = |rarely: f64| prop::bool::weighted(rarely);
    (no(0.2), no(0.3), no(0.3)).prop_map(|(denied, energy_saver, over_budget)| Restrictions {
        denied: denied.then(|| "denied by the user".to_owned()),
        energy_saver,
        over_budget,
    })
}

pub(super) fn steps() -> impl Strategy<Value = Vec<Step>> {
    let reading = prop_oneof![
        1 => Just(Reading::Unknown),
        3 => any::<bool>().prop_map(Reading::Known),
        1 => any::<bool>().prop_map(Reading::Guess),
    ];
    let any_one = any::<usize>;
    let number = || 0..REGISTRATIONS;
    let step = prop_oneof![
        8 => seconds().prop_map(Step::Wait),
        1 => prop_oneof![-4000..4000_i64, -90_000..90_000_i64].prop_map(Step::Clock),
        1 => (0..ZONES.len()).prop_map(Step::Zone),
        4 => (any_one(), reading).prop_map(|(which, reading)| Step::Fact(which, reading)),
        3 => any::<bool>().prop_map(Step::Raise),
        6 => number().prop_map(Step::Request),
        3 => (number(), seconds()).prop_map(|(which, later)| Step::RequestLater(which, later)),
        1 => any_one().prop_map(Step::Again),
        8 => (any_one(), prop::bool::weighted(0.85)).prop_map(|(i, good)| Step::Answer(i, good)),
        6 => Just(Step::AnswerAll),
        8 => (any_one(), any::<bool>(), prop::option::weighted(0.3, 1..60_i64)).prop_map(
            |(which, slot_free, retry)| Step::End { which, slot_free, retry }
        ),
        4 => any_one().prop_map(Step::Vacate),
        2 => any_one().prop_map(Step::Cancel),
        3 => (number(), 0..5_u8).prop_map(|(which, how)| Step::Stand(which, how)),
        2 => restrictions().prop_map(Step::Restrict),
        1 => number().prop_map(Step::Unregister),
        2 => (number(), number()).prop_map(|(which, with)| Step::Replace(which, with)),
        2 => (seconds(), any::<bool>()).prop_map(|(down, written)| Step::Restart(down, written)),
    ];
    // Most histories end without a drain in their midst.
    let tail = prop_oneof![5 => Just(vec![]), 1 => Just(vec![Step::Drain])];
    (
        prop::collection::vec(step.clone(), 1..100),
        tail,
        prop::collection::vec(step, 0..20),
    )
        .prop_map(|(first, tail, last)| [first, tail, last].concat())
}

fn options() -> impl Strategy<Value = Options> {
    let overlap = prop::option::of(prop_oneof![
        Just(Overlap::Skip),
        (1..3_u32).prop_map(Overlap::Queue),
        Just(Overlap::Replace),
        (1..4_u32).prop_map(Overlap::Allow),
    ]);
    let pending = prop::option::of(prop_oneof![
        Just(Pending::Latest),
        Just(Pending::First),
        (1..3_u32).prop_map(Pending::Queue),
    ]);
    let missed = prop::option::of(prop_oneof![
        Just(Missed::Skip),
        (1..4_u32).prop_map(Missed::All),
    ]);
    let jitter = prop::option::weighted(0.25, (1..100_u64).prop_map(Duration::from_secs));
    let key = |name: &'static str| prop::option::weighted(0.3, Just(name.to_owned()));
    (
        (overlap, pending, missed, jitter),
        (key("key"), key("one")),
        (-2..3_i32, any::<bool>(), any::<bool>(), any::<bool>()),
    )
        .prop_map(|(kept, (exclusive, unique), flags)| Options {
            overlap: kept.0,
            pending: kept.1,
            missed: kept.2,
            jitter: kept.3,
            exclusive,
            unique,
            priority: flags.0,
            cancel_on_condition_loss: flags.1,
            standby: flags.2,
            delivery: match flags.3 {
                true => Delivery::AtLeastOnce,
                false => Delivery::AtMostOnce,
            },
            ..Options::default()
        })
}

pub(super) fn declarations() -> impl Strategy<Value = Vec<Declaration>> {
    let trigger = prop::sample::select(vec![
        "every(\"10s\")",
        "every(\"7m\")",
        "every(\"25s\", once)",
        "every(\"1d\")",
        "time(15)",
        "time(15, once)",
        "maintenance(15)",
        "cron(\"*/15 * * * *\")",
        "cron(\"30 2 * * *\")",
        "cron(\"30 2 * * Sun\")",
        "cron(\"0 0 * * *\", tz = \"Europe/Berlin\")",
        "at(\"02:30\")",
        "at(\"02:15\", once)",
        "at(\"01:45\", tz = \"America/New_York\")",
        "custom(\"now\")",
        "custom(\"now\")",
        "system(time_zone_change)",
        "system(time_zone_change, once)",
        "application",
        "application",
        "application",
    ]);
    let condition = prop::sample::select(vec![
        "",
        "",
        "internet",
        "internet && ac_power",
        "!internet || ac_power",
    ]);
    let one = (trigger, condition, options());
    let one = one.prop_map(|(trigger, condition, mut options)| {
        let is_timed = trigger.parse::<bgtask_model::Trigger>().unwrap().is_timed();
        options.jitter = options.jitter.filter(|_| is_timed);
        declare(trigger, condition, options)
    });
    prop::collection::vec(one, REGISTRATIONS as usize)
}
