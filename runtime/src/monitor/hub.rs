//! From what the sources say to what is so: one column of sources per fact, the first that knows
//! decides. Pure: it is told the time and does nothing itself.
//!
//! What it guarantees: a source that comes or goes makes no false edge, a loss of the network
//! that is shorter than the debounce is silent, and nothing is said of a fact before each source
//! that outranks the answer was heard.

use std::{collections::BTreeMap, time::Duration};

use bgtask_model::{Predicate, SystemEvent, Truth};
use jiff::Timestamp;

use super::{Change, Fact, Reading};
use crate::NetworkDetails;

/// Who reads a fact. The first that knows decides, in this order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Source {
    /// A test, or whoever tries what a task does.
    Injected,
    /// A `#[background_condition]` function.
    Condition,
    /// NetworkManager's word.
    NetworkManager,
    /// The kernel's routes.
    Netlink,
    /// What the user says of what nobody knows.
    Policy,
    /// UPower's word.
    UPower,
    /// The daemon of power profiles.
    PowerProfiles,
    /// The kernel's power supplies.
    Supplies,
    /// logind's word.
    Logind,
    /// logind's files of users.
    Users,
    /// The sizes of file systems.
    FileSystem,
    /// The kernel's load average.
    LoadAverage,
}

impl Source {
    const ALL: [Self; 12] = [
        Self::Injected,
        Self::Condition,
        Self::NetworkManager,
        Self::Netlink,
        Self::Policy,
        Self::UPower,
        Self::PowerProfiles,
        Self::Supplies,
        Self::Logind,
        Self::Users,
        Self::FileSystem,
        Self::LoadAverage,
    ];

    /// Its name in [`Fact::source`].
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Injected => "injected",
            Self::Condition => "condition",
            Self::NetworkManager => "network_manager",
            Self::Netlink => "netlink",
            Self::Policy => "policy",
            Self::UPower => "upower",
            Self::PowerProfiles => "power_profiles",
            Self::Supplies => "power_supply",
            Self::Logind => "logind",
            Self::Users => "users",
            Self::FileSystem => "file_system",
            Self::LoadAverage => "load_average",
        }
    }
}

/// One word of a source.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Report {
    pub(crate) fact: Predicate,
    pub(crate) source: Source,
    pub(crate) reading: Reading,
}

/// Call [`Hub::settle`] after so much time awake.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Settle {
    pub(super) fact: Predicate,
    pub(super) generation: u64,
    pub(super) after: Duration,
}

/// The facts, by column.
#[derive(Debug)]
pub(super) struct Hub {
    debounce_down: Duration,
    debounce_up: Duration,
    columns: BTreeMap<Predicate, Column>,
}

#[derive(Debug)]
struct Column {
    /// `None`: it was announced and did not speak yet.
    readings: [Option<Reading>; Source::ALL.len()],
    /// Who spoke last: it answers for nobody knowing.
    spoke: Source,
    shown: Option<Shown>,
    /// The last value ever shown, across times of not knowing.
    last: Option<bool>,
    /// Since when the value differs from the shown one.
    differs: Option<Timestamp>,
    /// Tells the debounce that counts from those that were overtaken.
    generation: u64,
}

#[derive(Clone, Copy, Debug, PartialEq)]
struct Shown {
    reading: Reading,
    source: Source,
    since: Timestamp,
}

impl Hub {
    /// Nothing is known yet. The network's facts are debounced by so much before they are shown
    /// as lost, or as there again.
    pub(super) fn new(debounce_down: Duration, debounce_up: Duration) -> Self {
        Self {
            debounce_down,
            debounce_up,
            columns: BTreeMap::new(),
        }
    }

    /// Announces a source: lower ones are not listened to before its first word.
    pub(super) fn expect(&mut self, fact: Predicate, source: Source) {
        self.column(fact).readings[source as usize] = None;
    }

    /// Takes a word in. Gives back what changed, and what to wait for.
    pub(super) fn report(
        &mut self,
        now: Timestamp,
        report: &Report,
    ) -> (Vec<Change>, Option<Settle>) {
        if report.fact == Predicate::Unmetered {
            self.column(report.fact.clone()).hear(report);
            return (self.unmetered(now), None);
        }
        let (mut changes, settle) = self.hear(now, report);
        if report.fact == Predicate::Internet {
            changes.extend(self.unmetered(now));
        }
        (changes, settle)
    }

    fn hear(&mut self, now: Timestamp, report: &Report) -> (Vec<Change>, Option<Settle>) {
        let (down, up) = match report.fact {
            Predicate::Internet => (self.debounce_down, self.debounce_up),
            _ => (Duration::ZERO, Duration::ZERO),
        };
        let column = self.column(report.fact.clone());
        column.hear(report);
        let Some((reading, source)) = column.effective() else {
            return (Vec::new(), None);
        };
        let truth = reading.truth();
        let shown = column.shown.map(|shown| shown.reading.truth());
        if shown == Some(truth) || (shown.is_none() && truth == Truth::Unknown) {
            column.differs = None;
            column.generation += 1;
            return (column.show(now, &report.fact, reading, source), None);
        }
        let after = match (shown, truth) {
            (Some(Truth::True), _) => down,
            (Some(_), Truth::True) => up,
            _ => Duration::ZERO,
        };
        if after.is_zero() {
            column.differs = None;
            column.generation += 1;
            return (column.show(now, &report.fact, reading, source), None);
        }
        if column.differs.is_some() {
            // The debounce under way decides.
            return (Vec::new(), None);
        }
        column.differs = Some(now);
        column.generation += 1;
        let settle = Settle {
            fact: report.fact.clone(),
            generation: column.generation,
            after,
        };
        (Vec::new(), Some(settle))
    }

    /// A debounce is over: what is so now is shown, if nothing overtook it.
    pub(super) fn settle(&mut self, settle: &Settle) -> Vec<Change> {
        let Some(column) = self.columns.get_mut(&settle.fact) else {
            return Vec::new();
        };
        if column.generation != settle.generation {
            return Vec::new();
        }
        let Some(since) = column.differs.take() else {
            return Vec::new();
        };
        let Some((reading, source)) = column.effective() else {
            return Vec::new();
        };
        let mut changes = column.show(since, &settle.fact, reading, source);
        if settle.fact == Predicate::Internet {
            changes.extend(self.unmetered(since));
        }
        changes
    }

    /// Shows whether there is a network that costs nothing: the internet is reached, and what was
    /// said of its cost.
    fn unmetered(&mut self, now: Timestamp) -> Vec<Change> {
        let internet = self.columns.get(&Predicate::Internet);
        let internet = internet.and_then(|column| column.shown);
        let Some(column) = self.columns.get_mut(&Predicate::Unmetered) else {
            return Vec::new();
        };
        let Some((metering, source)) = column.effective() else {
            return Vec::new();
        };
        let (reading, source) = match internet {
            _ if source == Source::Injected => (metering, source),
            None if metering.truth() == Truth::False => (metering, source),
            None => (Reading::Unknown, source),
            Some(internet) => match (internet.reading.truth(), metering.truth()) {
                (Truth::False, _) => (internet.reading, internet.source),
                (_, Truth::False) | (Truth::True, Truth::Unknown) => (metering, source),
                (Truth::Unknown, _) => (internet.reading, internet.source),
                // As sure as the less sure of them.
                (Truth::True, Truth::True) => match internet.reading {
                    Reading::Known(_) => (metering, source),
                    guess => (guess, source),
                },
            },
        };
        column.show(now, &Predicate::Unmetered, reading, source)
    }

    fn column(&mut self, fact: Predicate) -> &mut Column {
        self.columns.entry(fact).or_insert_with(|| Column {
            readings: [Some(Reading::Unknown); Source::ALL.len()],
            spoke: Source::Injected,
            shown: None,
            last: None,
            differs: None,
            generation: 0,
        })
    }
}

impl Column {
    fn hear(&mut self, report: &Report) {
        self.readings[report.source as usize] = Some(report.reading);
        self.spoke = report.source;
    }

    /// The first word that is not unknown. Nothing while a source that could outrank it has not
    /// spoken.
    fn effective(&self) -> Option<(Reading, Source)> {
        for (source, reading) in Source::ALL.into_iter().zip(self.readings) {
            match reading {
                None => return None,
                Some(Reading::Unknown) => {}
                Some(reading) => return Some((reading, source)),
            }
        }
        Some((Reading::Unknown, self.spoke))
    }

    /// Shows the value, if it is not the one shown: who said it counts while anybody knows.
    fn show(
        &mut self,
        now: Timestamp,
        fact: &Predicate,
        reading: Reading,
        source: Source,
    ) -> Vec<Change> {
        let same_truth = match self.shown {
            Some(shown) if shown.reading == reading => {
                if shown.source == source || reading == Reading::Unknown {
                    return Vec::new();
                }
                true
            }
            Some(shown) => shown.reading.truth() == reading.truth(),
            None if reading == Reading::Unknown => return Vec::new(),
            None => false,
        };
        let since = match self.shown {
            Some(shown) if same_truth => shown.since,
            _ => now,
        };
        self.shown = Some(Shown {
            reading,
            source,
            since,
        });
        let mut changes = vec![Change::Fact(
            fact.clone(),
            Fact {
                reading,
                source: source.name().to_owned(),
                since,
            },
        )];
        let value = match reading {
            Reading::Unknown => return changes,
            Reading::Guess(value) | Reading::Known(value) => value,
        };
        let is_edge = self.last.replace(value) == Some(!value);
        if let Some(event) = event(fact, value).filter(|_| is_edge) {
            let of_network = *fact == Predicate::Internet;
            let network = of_network.then(|| NetworkDetails {
                source: source.name().to_owned(),
                guess: matches!(reading, Reading::Guess(_)),
                connectivity_changed: true,
                ..NetworkDetails::default()
            });
            changes.push(Change::System { event, network });
        }
        changes
    }
}

/// What a fact tells that was not so, and is now.
fn event(fact: &Predicate, is: bool) -> Option<SystemEvent> {
    match (fact, is) {
        (Predicate::Internet, true) => Some(SystemEvent::InternetAvailable),
        (Predicate::UserPresent, true) => Some(SystemEvent::UserPresent),
        (Predicate::UserPresent, false) => Some(SystemEvent::UserAway),
        (Predicate::SessionConnected, true) => Some(SystemEvent::SessionConnected),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
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
                reading,
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
                reading,
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
    fn users_and_sessions_have_edges() {
        let mut hub = Hub::new(DOWN, Duration::ZERO);
        let mut edges = |fact: Predicate, values: &[Reading]| {
            let mut edges = Vec::new();
            for reading in values {
                let report = Report {
                    fact: fact.clone(),
                    source: Source::Logind,
                    reading: *reading,
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
                        reading: [internet, metering][at],
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
            reading: Known(true),
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
}
