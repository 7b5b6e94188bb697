//! Due times over clock changes, leap days and long sleeps.

use std::time::Duration;

use super::*;
use crate::scheduler::due::Plan;

fn plan(trigger: &str) -> Plan {
    Plan::new(&declare(trigger, "", Options::default())).unwrap()
}

fn time(text: &str) -> Timestamp {
    text.parse().unwrap()
}

/// The next due times after an instant.
fn row(trigger: &str, from: &str, count: usize) -> Vec<Timestamp> {
    let plan = plan(trigger);
    let mut now = time(from);
    let mut row = Vec::new();
    while row.len() < count {
        now = plan.after(now, now, &TimeZone::UTC).unwrap();
        row.push(now);
    }
    // Looking back from the last finds the same.
    let back = plan.passed(row[0], now, count, &TimeZone::UTC);
    assert_eq!(back, row, "{trigger} looking back");
    row
}

fn expect(trigger: &str, from: &str, expected: &[&str]) {
    let expected: Vec<Timestamp> = expected.iter().map(|text| time(text)).collect();
    assert_eq!(row(trigger, from, expected.len()), expected, "{trigger}");
}

/// Both ways of writing a daily time.
fn expect_daily(clock: &str, tz: &str, from: &str, expected: &[&str]) {
    let (hour, minute) = clock.split_once(':').unwrap();
    let cron = format!("cron(\"{minute} {hour} * * *\", tz = \"{tz}\")");
    expect(&cron, from, expected);
    expect(&format!("at(\"{clock}\", tz = \"{tz}\")"), from, expected);
}

#[test]
fn a_time_in_a_gap_comes_at_the_end_of_the_gap() {
    // 02:00 to 03:00 is left out.
    expect_daily(
        "02:30",
        "Europe/Berlin",
        "2025-03-29T12:00:00Z",
        &["2025-03-30T01:00:00Z", "2025-03-31T00:30:00Z"],
    );
    expect_daily(
        "02:30",
        "America/New_York",
        "2025-03-08T12:00:00Z",
        &["2025-03-09T07:00:00Z", "2025-03-10T06:30:00Z"],
    );
    // Half an hour, 02:00 to 02:30, is left out.
    expect_daily(
        "02:15",
        "Australia/Lord_Howe",
        "2025-10-04T12:00:00Z",
        &["2025-10-04T15:30:00Z", "2025-10-05T15:15:00Z"],
    );
}

#[test]
fn a_time_in_an_overlap_comes_once_the_first_time() {
    expect_daily(
        "02:30",
        "Europe/Berlin",
        "2025-10-25T12:00:00Z",
        &["2025-10-26T00:30:00Z", "2025-10-27T01:30:00Z"],
    );
    expect_daily(
        "01:30",
        "America/New_York",
        "2025-11-01T12:00:00Z",
        &["2025-11-02T05:30:00Z", "2025-11-03T06:30:00Z"],
    );
    expect_daily(
        "01:45",
        "Australia/Lord_Howe",
        "2025-04-05T00:00:00Z",
        &["2025-04-05T14:45:00Z", "2025-04-06T15:15:00Z"],
    );
}

#[test]
fn a_leap_day_comes_every_four_years() {
    expect(
        "cron(\"0 0 29 2 *\")",
        "2025-01-01T00:00:00Z",
        &["2028-02-29T00:00:00Z", "2032-02-29T00:00:00Z"],
    );
    expect(
        "at(\"12:00\")",
        "2028-02-28T13:00:00Z",
        &["2028-02-29T12:00:00Z", "2028-03-01T12:00:00Z"],
    );
}

#[test]
fn a_civil_time_without_a_zone_follows_the_system() {
    let from = time("2025-01-01T12:00:00Z");
    for trigger in ["at(\"02:30\")", "cron(\"30 2 * * *\")"] {
        let plan = plan(trigger);
        assert!(plan.follows_system_zone());
        for (zone, expected) in [
            ("UTC", "2025-01-02T02:30:00Z"),
            ("Asia/Tokyo", "2025-01-01T17:30:00Z"),
        ] {
            let next = plan.first(from, &TimeZone::get(zone).unwrap());
            assert_eq!(next, Some(time(expected)), "{trigger} in {zone}");
        }
    }
    assert!(!plan("at(\"02:30\", tz = \"UTC\")").follows_system_zone());
    assert!(!plan("every(\"10s\")").follows_system_zone());
}

#[test]
fn a_period_does_not_drift() {
    let plan = plan("every(\"10s\")");
    for (due, now, expected) in [
        (10, 10, 20),
        (10, 13, 20),
        (10, 19, 20),
        (10, 20, 30),
        (10, 95, 100),
    ] {
        assert_eq!(
            plan.after(at(due), at(now), &TimeZone::UTC),
            Some(at(expected)),
            "{due} {now}"
        );
    }
}

#[test]
fn many_missed_times_are_computed_not_stepped_through() {
    let millis = plan("every(\"1ms\")");
    let now = time("2225-01-01T00:00:00Z");
    assert_eq!(millis.passed(at(0), now, 3, &TimeZone::UTC).len(), 3);
    assert_eq!(
        *millis.passed(at(0), now, 3, &TimeZone::UTC).last().unwrap(),
        now
    );
    let minutely = plan("cron(\"* * * * *\")");
    assert_eq!(
        minutely.passed(at(0), now, 2, &TimeZone::UTC),
        [now - Duration::from_secs(60), now]
    );
}

#[test]
fn the_end_of_time_is_the_end_of_due_times() {
    for trigger in ["every(\"10s\")", "at(\"02:30\")", "cron(\"30 2 * * *\")"] {
        assert_eq!(
            plan(trigger).after(Timestamp::MAX, Timestamp::MAX, &TimeZone::UTC),
            None,
            "{trigger}"
        );
    }
}

#[test]
fn jitter_stays_in_its_bounds_and_is_the_same_when_asked_again() {
    let plan = plan("every(\"10s\")");
    let spread = |due, jitter| {
        let jitter = Some(Duration::from_secs(jitter));
        plan.spread(registration(1), due, jitter, &TimeZone::UTC)
    };
    let mut different = std::collections::BTreeSet::new();
    for seconds in (0..1000).step_by(10) {
        let due = at(seconds);
        let short = spread(due, 5);
        assert_eq!(short, spread(due, 5));
        assert!(
            short >= due && short < due + Duration::from_secs(5),
            "{short}"
        );
        // Longer than the period: it never overtakes the next due time.
        assert!(spread(due, 500) < due + Duration::from_secs(10));
        different.insert(short.duration_since(due));
    }
    assert!(different.len() > 50, "{} spreads", different.len());
    assert_eq!(
        plan.spread(registration(1), at(0), None, &TimeZone::UTC),
        at(0)
    );
}

#[test]
fn what_cannot_be_read_is_an_error_and_refused_not_fatal() {
    let mut wrong = declare("cron(\"0 3 * * *\")", "", Options::default());
    wrong.trigger = bgtask_model::Trigger::Cron {
        expression: "0 3 * *".to_owned(),
        tz: None,
    };
    let error = Scheduler::first_due(&wrong, at(0), &TimeZone::UTC).unwrap_err();
    assert_eq!(error.code(), crate::Code::InvalidDeclaration);
    let mut world = World::new();
    world.register_due(1, wrong, Some(at(10)));
    world.go(20);
    assert!(world.said.is_empty());
    let why = world.scheduler.explain(registration(1), at(20)).unwrap();
    assert!(why.refused.unwrap().contains("0 3 * *"));
    let event = declare("application", "", Options::default());
    assert_eq!(
        Scheduler::first_due(&event, at(0), &TimeZone::UTC).unwrap(),
        None
    );
}
