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
    /// The kernel's pressure stall information.
    Pressure,
    /// The kernel's load average.
    LoadAverage,
}

impl Source {
    const ALL: [Self; 13] = [
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
        Self::Pressure,
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
            Self::Pressure => "pressure",
            Self::LoadAverage => "load_average",
        }
    }
}

/// One word of a source.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Report {
    pub(crate) fact: Predicate,
    pub(crate) source: Source,
    /// `None`: nobody needs to know any more, so nobody looks. What was so then is forgotten, and
    /// is no edge to what is so when it is needed again.
    pub(crate) reading: Option<Reading>,
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
        let Some(reading) = report.reading else {
            return (self.forget(now, report), None);
        };
        self.column(report.fact.clone())
            .hear(report.source, reading);
        if report.fact == Predicate::Unmetered {
            return (self.unmetered(now), None);
        }
        let (mut changes, settle) = self.judge(now, &report.fact);
        if report.fact == Predicate::Internet {
            changes.extend(self.unmetered(now));
        }
        (changes, settle)
    }

    fn forget(&mut self, now: Timestamp, report: &Report) -> Vec<Change> {
        let Some(column) = self.columns.get_mut(&report.fact) else {
            return Vec::new();
        };
        column.forget(report.source);
        let Some((reading, source)) = column.effective() else {
            return Vec::new();
        };
        column.last = reading.value();
        column.show(now, &report.fact, reading, source)
    }

    fn judge(&mut self, now: Timestamp, fact: &Predicate) -> (Vec<Change>, Option<Settle>) {
        let (down, up) = match fact {
            Predicate::Internet => (self.debounce_down, self.debounce_up),
            _ => (Duration::ZERO, Duration::ZERO),
        };
        let column = self.column(fact.clone());
        let Some((reading, source)) = column.effective() else {
            return (Vec::new(), None);
        };
        let truth = reading.truth();
        let shown = column.shown.map(|shown| shown.reading.truth());
        if shown == Some(truth) || (shown.is_none() && truth == Truth::Unknown) {
            column.differs = None;
            column.generation += 1;
            return (column.show(now, fact, reading, source), None);
        }
        let after = match (shown, truth) {
            (Some(Truth::True), _) => down,
            (Some(_), Truth::True) => up,
            _ => Duration::ZERO,
        };
        if after.is_zero() {
            column.differs = None;
            column.generation += 1;
            return (column.show(now, fact, reading, source), None);
        }
        if column.differs.is_some() {
            // The debounce under way decides.
            return (Vec::new(), None);
        }
        column.differs = Some(now);
        column.generation += 1;
        let settle = Settle {
            fact: fact.clone(),
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
    fn hear(&mut self, source: Source, reading: Reading) {
        self.readings[source as usize] = Some(reading);
        self.spoke = source;
    }

    /// What sources said does not count any more; what a test says does.
    fn forget(&mut self, source: Source) {
        for said in &mut self.readings[Source::Injected as usize + 1..] {
            *said = Some(Reading::Unknown);
        }
        self.spoke = source;
        self.differs = None;
        self.generation += 1;
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
        let Some(value) = reading.value() else {
            return changes;
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
mod tests;
