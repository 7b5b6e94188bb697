use std::sync::Arc;

use super::*;
use crate::clock::{Clock, ManualClock};
use Reading::{Guess, Known, Unknown};
use Source::{Injected, Netlink, NetworkManager};

const DOWN: Duration = Duration::from_secs(2);

/// A hub, a clock, and the debounces that are under way.
struct Bench {
    hub: Hub,
    clock: Arc<ManualClock>,
    settles: Vec<(Timestamp, Settle)>,
}

impl Bench {
    fn new(expected: &[Source]) -> Self {
        Self::debounced(expected, Duration::ZERO)
    }

    fn debounced(expected: &[Source], up: Duration) -> Self {
        let mut hub = Hub::new(DOWN, up);
        for source in expected {
            hub.expect(Predicate::Internet, *source);
        }
        Self {
            hub,
            clock: Arc::new(ManualClock::new(Timestamp::UNIX_EPOCH)),
            settles: Vec::new(),
        }
    }

    fn say(&mut self, source: Source, reading: Reading) -> Vec<String> {
        let report = Report {
            fact: Predicate::Internet,
            source,
            reading: Some(reading),
        };
        let now = self.clock.now();
        let (changes, settle) = self.hub.report(now, &report);
        self.settles
            .extend(settle.map(|settle| (now + settle.after, settle)));
        changes.iter().map(short).collect()
    }

    fn pass(&mut self, milliseconds: u64) -> Vec<String> {
        self.clock.advance(Duration::from_millis(milliseconds));
        let now = self.clock.now();
        let (over, pending) = self.settles.drain(..).partition(|(at, _)| *at <= now);
        self.settles = pending;
        let over: Vec<(Timestamp, Settle)> = over;
        over.iter()
            .flat_map(|(_, settle)| self.hub.settle(settle))
            .map(|change| short(&change))
            .collect()
    }
}

fn short(change: &Change) -> String {
    match change {
        Change::Fact(fact, is) => {
            let since = is.since.as_millisecond();
            format!("{fact}={:?} by {} since {since}", is.reading, is.source)
        }
        Change::System {
            event: SystemEvent::InternetAvailable,
            network: Some(network),
        } => format!("available by {}", network.source),
        Change::System {
            event,
            network: None,
        } => format!("{event:?}"),
        other => format!("{other:?}"),
    }
}

const NOTHING: [&str; 0] = [];

#[test]
fn the_first_source_that_knows_decides() {
    let mut bench = Bench::new(&[]);
    assert_eq!(
        bench.say(Netlink, Guess(true)),
        ["internet=Guess(true) by netlink since 0"]
    );
    bench.pass(10);
    // The same value from a better source: it did not change since.
    assert_eq!(
        bench.say(NetworkManager, Known(true)),
        ["internet=Known(true) by network_manager since 0"]
    );
    assert_eq!(bench.say(Netlink, Guess(false)), NOTHING);
    assert_eq!(bench.say(Netlink, Guess(true)), NOTHING);
    assert_eq!(
        bench.say(NetworkManager, Unknown),
        ["internet=Guess(true) by netlink since 0"],
        "a lost provider is no edge"
    );
    assert_eq!(
        bench.say(Injected, Known(true)),
        ["internet=Known(true) by injected since 0"]
    );
}

#[test]
fn a_better_source_is_waited_for() {
    let mut bench = Bench::new(&[NetworkManager, Netlink]);
    assert_eq!(bench.say(Netlink, Guess(true)), NOTHING);
    assert_eq!(
        bench.say(NetworkManager, Known(false)),
        ["internet=Known(false) by network_manager since 0"],
        "a portal is never taken for the internet"
    );

    let mut bench = Bench::new(&[NetworkManager, Netlink]);
    assert_eq!(bench.say(Netlink, Guess(true)), NOTHING);
    assert_eq!(
        bench.say(NetworkManager, Unknown),
        ["internet=Guess(true) by netlink since 0"]
    );
}

#[test]
fn nobody_knowing_is_said_only_after_somebody_knew() {
    let mut bench = Bench::new(&[NetworkManager, Netlink]);
    assert_eq!(bench.say(NetworkManager, Unknown), NOTHING);
    assert_eq!(bench.say(Netlink, Unknown), NOTHING);
    assert_eq!(
        bench.say(Netlink, Guess(false)),
        ["internet=Guess(false) by netlink since 0"]
    );
    bench.pass(7);
    assert_eq!(
        bench.say(Netlink, Unknown),
        ["internet=Unknown by netlink since 7"]
    );
    assert_eq!(bench.say(NetworkManager, Unknown), NOTHING);
}

#[test]
fn an_edge_is_from_false_to_true_and_from_nothing_else() {
    let available = |changes: Vec<String>| changes.iter().any(|c| c.starts_with("available"));
    let mut bench = Bench::new(&[]);
    assert!(!available(bench.say(Netlink, Guess(true))), "at start");
    bench.say(Netlink, Guess(false));
    bench.pass(2000);
    assert!(available(bench.say(Netlink, Guess(true))));
    bench.say(Netlink, Unknown);
    bench.pass(2000);
    assert!(!available(bench.say(Netlink, Guess(true))), "it was true");
    bench.say(Netlink, Guess(false));
    bench.pass(2000);
    bench.say(Netlink, Unknown);
    assert!(
        available(bench.say(NetworkManager, Known(true))),
        "false was the last value anybody saw"
    );
}

#[test]
fn a_short_loss_is_silent() {
    let mut bench = Bench::new(&[]);
    bench.say(Netlink, Guess(true));
    assert_eq!(bench.say(Netlink, Guess(false)), NOTHING);
    assert_eq!(bench.pass(1999), NOTHING);
    assert_eq!(bench.say(Netlink, Guess(true)), NOTHING);
    assert_eq!(bench.pass(1), NOTHING, "the overtaken debounce is void");
    // A second loss counts from its own start, not from the first one's.
    assert_eq!(bench.say(Netlink, Guess(false)), NOTHING);
    assert_eq!(bench.pass(1999), NOTHING);
    assert_eq!(
        bench.pass(1),
        ["internet=Guess(false) by netlink since 2000"]
    );
    assert_eq!(
        bench.say(Netlink, Guess(true)),
        [
            "internet=Guess(true) by netlink since 4000",
            "available by netlink"
        ],
        "up is not debounced"
    );
}

#[test]
fn a_loss_may_change_its_mind_while_it_settles() {
    let mut bench = Bench::new(&[]);
    bench.say(NetworkManager, Known(true));
    assert_eq!(bench.say(NetworkManager, Known(false)), NOTHING);
    assert_eq!(bench.pass(1000), NOTHING);
    assert_eq!(bench.say(NetworkManager, Unknown), NOTHING);
    assert_eq!(bench.say(Netlink, Guess(false)), NOTHING);
    assert_eq!(
        bench.pass(1000),
        ["internet=Guess(false) by netlink since 0"]
    );
    // A provider that dies while another still sees the network: true all along.
    let mut bench = Bench::new(&[]);
    bench.say(NetworkManager, Known(true));
    assert_eq!(bench.say(NetworkManager, Unknown), NOTHING);
    assert_eq!(
        bench.say(Netlink, Guess(true)),
        ["internet=Guess(true) by netlink since 0"]
    );
    assert_eq!(bench.pass(5000), NOTHING);
}

#[test]
fn up_is_debounced_on_request() {
    let mut bench = Bench::debounced(&[], Duration::from_millis(500));
    bench.say(Netlink, Guess(false));
    assert_eq!(bench.say(Netlink, Guess(true)), NOTHING);
    assert_eq!(
        bench.pass(500),
        [
            "internet=Guess(true) by netlink since 0",
            "available by netlink"
        ]
    );
}

#[test]
fn conditions_of_users_are_taken_at_their_word() {
    let mut hub = Hub::new(DOWN, Duration::ZERO);
    let mut say = |reading| {
        let report = Report {
            fact: Predicate::User("app::ready".into()),
            source: Source::Condition,
            reading: Some(reading),
        };
        let (changes, settle) = hub.report(Timestamp::UNIX_EPOCH, &report);
        assert_eq!(settle, None);
        changes.iter().map(short).collect::<Vec<_>>()
    };
    assert_eq!(
        say(Known(true)),
        ["app::ready=Known(true) by condition since 0"]
    );
    assert_eq!(say(Known(true)), NOTHING);
    assert_eq!(
        say(Known(false)),
        ["app::ready=Known(false) by condition since 0"]
    );
    assert_eq!(say(Unknown), ["app::ready=Unknown by condition since 0"]);
}

#[test]
fn what_nobody_needs_is_forgotten() {
    let mut hub = Hub::new(DOWN, Duration::ZERO);
    let mut say = |source, reading| {
        let report = Report {
            fact: Predicate::UserPresent,
            source,
            reading,
        };
        let (changes, settle) = hub.report(Timestamp::UNIX_EPOCH, &report);
        assert_eq!(settle, None);
        changes.iter().map(short).collect::<Vec<_>>()
    };
    let logind = Source::Logind;
    assert_eq!(say(logind, None), NOTHING, "nobody spoke of it");
    say(logind, Some(Known(true)));
    assert_eq!(
        say(logind, None),
        ["user_present=Unknown by logind since 0"],
        "nobody looks"
    );
    assert_eq!(say(logind, None), NOTHING);
    assert_eq!(
        say(logind, Some(Known(false))),
        ["user_present=Known(false) by logind since 0"],
        "when they went is not known"
    );
    assert_eq!(say(logind, Some(Known(true))).len(), 2, "an edge");
    // What a test says stays.
    say(Injected, Some(Known(true)));
    assert_eq!(say(logind, None), NOTHING);
    assert_eq!(say(Injected, Some(Known(false))).len(), 2, "an edge");
}

#[test]
fn users_and_sessions_have_edges() {
    let mut hub = Hub::new(DOWN, Duration::ZERO);
    let mut edges = |fact: Predicate, values: &[Reading]| {
        let mut edges = Vec::new();
        for reading in values {
            let report = Report {
                fact: fact.clone(),
                source: Source::Logind,
                reading: Some(*reading),
            };
            let (changes, settle) = hub.report(Timestamp::UNIX_EPOCH, &report);
            assert_eq!(settle, None);
            // The fact comes first.
            edges.extend(changes.iter().skip(1).map(short));
        }
        edges
    };
    let values = [
        Known(true),
        Known(false),
        Unknown,
        Known(false),
        Known(true),
        Unknown,
        Known(true),
        Guess(true),
        Guess(false),
    ];
    let edges_of_presence = edges(Predicate::UserPresent, &values);
    assert_eq!(edges_of_presence, ["UserAway", "UserPresent", "UserAway"]);
    assert_eq!(
        edges(Predicate::SessionConnected, &values),
        ["SessionConnected"]
    );
    assert_eq!(edges(Predicate::DeviceIdle, &values), NOTHING);
}

#[test]
fn what_costs_nothing_is_reached_and_not_metered() {
    let sources = [Source::Netlink, Source::NetworkManager];
    for (internet, metering, expected) in [
        (
            Known(true),
            Known(true),
            Some((Known(true), NetworkManager)),
        ),
        (
            Known(true),
            Guess(true),
            Some((Guess(true), NetworkManager)),
        ),
        (
            Guess(true),
            Known(true),
            Some((Guess(true), NetworkManager)),
        ),
        (
            Known(true),
            Known(false),
            Some((Known(false), NetworkManager)),
        ),
        (Unknown, Guess(false), Some((Guess(false), NetworkManager))),
        (Known(false), Known(true), Some((Known(false), Netlink))),
        (Guess(false), Unknown, Some((Guess(false), Netlink))),
        (Known(true), Unknown, None),
        (Unknown, Known(true), None),
        (Unknown, Unknown, None),
    ] {
        // Whoever speaks first.
        for order in [[0, 1], [1, 0]] {
            let mut hub = Hub::new(DOWN, Duration::ZERO);
            let mut shown = None;
            for at in order {
                let report = Report {
                    fact: [Predicate::Internet, Predicate::Unmetered][at].clone(),
                    source: sources[at],
                    reading: Some([internet, metering][at]),
                };
                for change in hub.report(Timestamp::UNIX_EPOCH, &report).0 {
                    if let Change::Fact(Predicate::Unmetered, fact) = change {
                        shown = Some((fact.reading, fact.source));
                    }
                }
            }
            let expected = expected.map(|(reading, by)| (reading, by.name().to_owned()));
            assert_eq!(shown, expected, "{internet:?} {metering:?} {order:?}");
        }
    }
}

#[test]
fn a_short_loss_is_silent_for_the_cost_too() {
    let mut bench = Bench::new(&[]);
    let metering = Report {
        fact: Predicate::Unmetered,
        source: NetworkManager,
        reading: Some(Known(true)),
    };
    assert_eq!(bench.say(NetworkManager, Known(true)).len(), 1);
    let (shown, settle) = bench.hub.report(bench.clock.now(), &metering);
    assert_eq!((shown.len(), settle), (1, None));
    assert_eq!(bench.say(NetworkManager, Known(false)), NOTHING);
    assert_eq!(
        bench.pass(2000),
        [
            "internet=Known(false) by network_manager since 0",
            "unmetered=Known(false) by network_manager since 0"
        ]
    );
    assert_eq!(
        bench.say(NetworkManager, Known(true)),
        [
            "internet=Known(true) by network_manager since 2000",
            "available by network_manager",
            "unmetered=Known(true) by network_manager since 2000"
        ]
    );
}
