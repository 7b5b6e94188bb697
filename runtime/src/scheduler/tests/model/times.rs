//! Due times, found by looking at every quarter of an hour.
//!
//! The civil times of these histories stand on quarters, as do all changes of their zones.

use bgtask_model::Trigger;
use jiff::{
    SignedDuration, Timestamp,
    civil::{DateTime, Weekday},
    tz::TimeZone,
};

const QUARTER: SignedDuration = SignedDuration::from_mins(15);

/// What the triggers of these histories mean.
enum Meaning {
    Each(SignedDuration),
    /// The hour and minute of a day, and whether on Sundays only.
    Daily(i8, i8, bool),
    EachQuarter,
    Never,
}

fn meaning(trigger: &Trigger) -> Meaning {
    match trigger {
        Trigger::Every { period, .. } => Meaning::Each((*period).try_into().unwrap()),
        Trigger::Time { minutes, .. } | Trigger::Maintenance { minutes, .. } => {
            Meaning::Each(SignedDuration::from_mins((*minutes).into()))
        }
        Trigger::At { time, .. } => Meaning::Daily(time.hour as i8, time.minute as i8, false),
        Trigger::Cron { expression, .. } => match expression.as_str() {
            "*/15 * * * *" => Meaning::EachQuarter,
            "30 2 * * *" => Meaning::Daily(2, 30, false),
            "30 2 * * Sun" => Meaning::Daily(2, 30, true),
            "0 0 * * *" => Meaning::Daily(0, 0, false),
            other => unreachable!("{other}"),
        },
        _ => Meaning::Never,
    }
}

/// The zone that a trigger's civil times are those of.
fn zone_of(trigger: &Trigger, system: &TimeZone) -> TimeZone {
    match trigger {
        Trigger::At { tz: Some(name), .. } | Trigger::Cron { tz: Some(name), .. } => {
            TimeZone::get(name).unwrap()
        }
        _ => system.clone(),
    }
}

/// Whether its civil times are those of the system's zone.
pub(super) fn follows_system(trigger: &Trigger) -> bool {
    is_civil(trigger)
        && matches!(
            trigger,
            Trigger::At { tz: None, .. } | Trigger::Cron { tz: None, .. }
        )
}

pub(super) fn is_civil(trigger: &Trigger) -> bool {
    matches!(meaning(trigger), Meaning::Daily(..) | Meaning::EachQuarter)
}

/// How long a period is.
pub(super) fn period(trigger: &Trigger) -> Option<SignedDuration> {
    match meaning(trigger) {
        Meaning::Each(period) => Some(period),
        _ => None,
    }
}

/// All due times in `from..=to`, of the row that `row` stands in.
pub(super) fn within(
    trigger: &Trigger,
    row: Timestamp,
    from: Timestamp,
    to: Timestamp,
    system: &TimeZone,
) -> Vec<Timestamp> {
    first_within(trigger, row, from, to, system, usize::MAX)
}

fn first_within(
    trigger: &Trigger,
    row: Timestamp,
    from: Timestamp,
    to: Timestamp,
    system: &TimeZone,
    most: usize,
) -> Vec<Timestamp> {
    let zone = || zone_of(trigger, system);
    match meaning(trigger) {
        Meaning::Never => Vec::new(),
        Meaning::Each(period) => {
            let mut found = Vec::new();
            let mut at = row;
            while at <= to {
                if at >= from {
                    found.push(at);
                }
                at += period;
            }
            found
        }
        Meaning::EachQuarter => crossed(from..=to, most, &zone(), true, |_| true),
        Meaning::Daily(hour, minute, sundays) => {
            crossed(from..=to, most, &zone(), false, |civil| {
                (civil.hour(), civil.minute()) == (hour, minute)
                    && (!sundays || civil.weekday() == Weekday::Sunday)
            })
        }
    }
}

/// The first due time later than `after`.
pub(super) fn next(
    trigger: &Trigger,
    row: Timestamp,
    after: Timestamp,
    system: &TimeZone,
) -> Option<Timestamp> {
    let days = match meaning(trigger) {
        Meaning::Never => return None,
        // To be later than both.
        Meaning::Each(period) => {
            let to = after.max(row) + period;
            return within(trigger, row, row, to, system)
                .into_iter()
                .find(|at| *at > after && *at > row);
        }
        Meaning::EachQuarter => 1,
        Meaning::Daily(_, _, false) => 3,
        Meaning::Daily(_, _, true) => 9,
    };
    let to = after + SignedDuration::from_hours(24 * days);
    let from = after + SignedDuration::from_nanos(1);
    first_within(trigger, row, from, to, system, 1).pop()
}

/// The instants at which the zone's clock for the first time shows such a civil time, or passes it
/// because it is set forward.
fn crossed(
    range: std::ops::RangeInclusive<Timestamp>,
    most: usize,
    zone: &TimeZone,
    again: bool,
    is: impl Fn(DateTime) -> bool,
) -> Vec<Timestamp> {
    let civil = |at: Timestamp| at.to_zoned(zone.clone()).datetime();
    let (from, to) = range.into_inner();
    let start = from.as_second().div_euclid(900) * 900 - 27 * 3600;
    let mut at = Timestamp::from_second(start).unwrap();
    let mut seen = civil(at);
    let mut found = Vec::new();
    while at + QUARTER <= to && found.len() < most {
        at += QUARTER;
        let shown = civil(at);
        let mut hit = again && is(shown);
        while seen < shown {
            seen += QUARTER;
            hit |= is(seen);
        }
        if hit && at >= from {
            found.push(at);
        }
    }
    found
}
