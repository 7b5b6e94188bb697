//! Explanations: why a task runs, waits or has not run.

use std::fmt;

use bgtask_model::Overlap;
use jiff::{
    Timestamp,
    fmt::temporal::{DateTimeParser, DateTimePrinter},
    tz::TimeZone,
};
use serde::{Deserialize, Serialize};

use super::{
    Scheduler,
    entry::{Blocker, Entry, Phase},
};
use crate::{ActivationId, CancelReason, Error, Outcome, RegistrationId, Standing, Suppression};

/// At most so many waiting activations are listed, the next ones to start.
const LISTED: usize = 16;

/// What is said of an activation that waits for nothing but its time.
const WAITS_UNTIL: &str = "waits until ";

/// Why a registration's task runs, waits or has not run; its text is for people.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Explanation {
    /// Name of the task.
    pub task: String,
    /// The registration.
    pub registration: RegistrationId,
    /// The answer in one sentence.
    pub answer: String,
    /// The trigger as declared.
    pub trigger: String,
    /// A fire counts: it was not refused, did not end, is neither disabled nor in quarantine, and
    /// access is not denied.
    pub enabled: bool,
    /// Whether it may fire and start, by the word of the user.
    pub standing: Standing,
    /// The status of access, if it is denied.
    pub denied: Option<String>,
    /// The energy saver is on and holds all tasks.
    pub energy_saver: bool,
    /// The energy budget is spent and holds this task: it does not say `standby`.
    pub over_budget: bool,
    /// Why it was refused: the text of the error, with its remedy.
    pub refused: Option<String>,
    /// When a one-shot ended.
    pub ended: Option<Timestamp>,
    /// The condition as it is judged; `maintenance` adds `ac_power`.
    pub condition: Option<String>,
    /// Each fact that the condition asks for.
    pub facts: Vec<FactState>,
    /// When it fires next, jitter included, for time kinds.
    pub next_due: Option<Timestamp>,
    /// The number of waiting activations.
    pub waiting: usize,
    /// The first 16 waiting activations, next to start first.
    pub held: Vec<HeldActivation>,
    /// What runs, and what still executes after its end was recorded.
    pub running: Vec<RunningActivation>,
    /// The last fire that did not become a run, and why.
    pub last_suppression: Option<(Timestamp, Suppression)>,
    /// How the last run ended; the scheduler leaves that to who can ask the store.
    pub last_outcome: Option<LastOutcome>,
    /// Why the next run has a process of its own, when it would share one otherwise: the last one
    /// ended with its process. The scheduler leaves that too.
    pub alone: Option<String>,
    /// What the user says otherwise than the program declares, where, and what that is. The
    /// scheduler leaves that too.
    pub overridden: Option<String>,
    /// Who made the registration, `declared` or `built`. The scheduler leaves that and what
    /// follows, too.
    pub origin: String,
    /// The declared task whose body runs, where it is not `task`.
    pub entry: Option<String>,
    /// Its registration group.
    pub group: Option<String>,
    /// The zone of the times in its texts: a name such as `Europe/Berlin`, or an offset, `+02`.
    pub zone: String,
    /// Why its trigger cannot be watched, and since when: the folder of `files` is missing, say. It
    /// is tried again. The scheduler leaves that too.
    #[serde(default)]
    pub unwatched: Option<(Timestamp, String)>,
    /// What an outbox has of it that needs a look: it cannot be read, or rows were refused. The
    /// scheduler leaves that too.
    #[serde(default)]
    pub outbox: Vec<String>,
}

/// A fact that a condition asks for, as it stands.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FactState {
    /// As written in the condition: `internet`, `battery_above(30)`.
    pub name: String,
    /// Whether it holds.
    pub holds: Holds,
    /// Who said so; `None` if nobody did.
    pub source: Option<String>,
    /// It was inferred: a route exists, but nothing was tried.
    pub guess: bool,
    /// Since when.
    pub since: Option<Timestamp>,
}

/// Whether a fact holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Holds {
    /// It does.
    Yes,
    /// It does not.
    No,
    /// Nobody can say at the moment.
    Unknown,
}

/// A waiting activation.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct HeldActivation {
    /// The activation.
    pub activation: ActivationId,
    /// Since when it waits for this.
    pub since: Timestamp,
    /// What it waits for.
    pub reason: String,
    /// The time that it waits for, with [`request_later`](crate::TaskHandle::request_later) or
    /// between the attempts of a retry.
    #[serde(default)]
    pub until: Option<Timestamp>,
}

/// A running activation.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RunningActivation {
    /// The activation.
    pub activation: ActivationId,
    /// When it was told to start.
    pub since: Timestamp,
    /// Why it was asked to stop, if it was.
    pub cancelled: Option<CancelReason>,
    /// Its end is recorded, but its body still executes.
    pub overrun: bool,
}

/// How the last run ended.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct LastOutcome {
    /// When.
    pub at: Timestamp,
    /// How.
    pub outcome: Outcome,
}

impl Scheduler {
    /// A time as explanations have it.
    pub(crate) fn civil(&self, time: Timestamp) -> String {
        civil(time, &self.zone)
    }

    /// Why a registration's task runs, waits or has not run; `None` if it is not registered.
    pub(crate) fn explain(&self, id: RegistrationId, now: Timestamp) -> Option<Explanation> {
        let entry = self.entries.get(&id).filter(|entry| !entry.removed)?;
        let held = entry.waiting.iter().map(|item| {
            let (since, reason) = match &item.hold {
                Some((since, blocker)) => (*since, blocker.text(now, &self.zone)),
                None => (now, "waits for its turn".to_owned()),
            };
            HeldActivation {
                activation: item.waiting.id,
                since,
                reason,
                until: Some(item.waiting.not_before).filter(|at| *at > now),
            }
        });
        let later = |at| Blocker::Until(at).text(now, &self.zone);
        let mut held: Vec<_> = held.chain(entry.later.held(later)).take(LISTED).collect();
        if self.draining {
            for one in &mut held {
                "waits for the next start of the app: this one is closing"
                    .clone_into(&mut one.reason);
            }
        }
        let running = entry.running.iter().map(|run| RunningActivation {
            activation: run.waiting.id,
            since: run.since,
            cancelled: run.cancel,
            overrun: run.phase == Phase::Overrun,
        });
        Some(Explanation {
            task: entry.declaration.name.clone(),
            registration: id,
            answer: self.answer(entry, &held, now),
            trigger: entry.declaration.trigger.to_string(),
            enabled: entry.fires() && self.forbidden(entry).is_none(),
            standing: entry.standing.clone(),
            denied: self.restrictions.denied.clone(),
            energy_saver: self.restrictions.energy_saver,
            over_budget: self.restrictions.over_budget && !entry.declaration.options.standby,
            refused: entry.refused.clone(),
            ended: entry.ended,
            condition: entry.gate.text(),
            facts: entry.gate.states(&self.facts),
            next_due: entry.wake.filter(|_| entry.fires()),
            waiting: entry.waiting.len() + entry.later.len(),
            held,
            running: running.collect(),
            last_suppression: entry.last_suppression.clone(),
            last_outcome: None,
            alone: None,
            overridden: None,
            origin: String::new(),
            entry: None,
            group: None,
            zone: zone_name(&self.zone, now),
            unwatched: None,
            outbox: Vec::new(),
        })
    }

    /// Adds that its trigger cannot be watched: the answer, unless there is more to say.
    pub(crate) fn explain_unwatched(
        &self,
        explanation: &mut Explanation,
        (since, error): (Timestamp, String),
        now: Timestamp,
    ) {
        let waits = explanation.held.is_empty() && explanation.running.is_empty();
        if explanation.enabled && waits {
            let (trigger, at) = (&explanation.trigger, clock_time(since, now, &self.zone));
            explanation.answer = format!(
                "It waits for its trigger, {trigger}, which cannot be watched since {at}: {error}."
            );
        }
        explanation.unwatched = Some((since, error));
    }

    fn answer(&self, entry: &Entry, held: &[HeldActivation], now: Timestamp) -> String {
        let at = |time| clock_time(time, now, &self.zone);
        if let Some(why) = &entry.refused {
            return format!("It does not run: {}.", Error::parts(why).0);
        }
        if let Standing::Quarantined { since, reason } = &entry.standing
            && entry.running.is_empty()
        {
            return format!("It is in quarantine since {} ({reason}).", at(*since));
        }
        if let Some(active) = entry.running.iter().find(|run| run.phase != Phase::Overrun) {
            let since = at(active.since);
            return match active.cancel {
                Some(reason) => {
                    format!("It runs since {since} and was asked to stop: {reason}.")
                }
                None => format!("It runs since {since}."),
            };
        }
        if let Some(first) = held.first() {
            let since = at(first.since);
            return format!("Since {since} it {}.", first.reason);
        }
        if let Some(run) = entry.running.first() {
            let since = at(run.since);
            let next = match entry.overlap() {
                Overlap::Allow(_) => "",
                _ => ", and nothing starts before it returns",
            };
            return format!("Its run of {since} ended, but the body still executes{next}.");
        }
        if let Some(ended) = entry.ended {
            return format!("It was to run once, and ended at {}.", at(ended));
        }
        if self.draining {
            return "The app is closing: nothing new starts.".to_owned();
        }
        let waits = match entry.wake {
            Some(wake) if wake > now => format!("It waits for its next due time, {}", at(wake)),
            Some(_) => "It is due, and is being recorded".to_owned(),
            None => format!("It waits for its trigger, {}", entry.declaration.trigger),
        };
        let withheld = match (self.withheld(entry), self.forbidden(entry)) {
            (Some(why), Some(_)) => Some((why, "what fires does not count")),
            (Some(why), None) => Some((why, "what fires is held")),
            (None, _) => self.saving(entry).map(|why| (why, "what fires is held")),
        };
        let withheld = withheld
            .map(|(why, follows)| format!("; {follows}, because {}", why.cause(now, &self.zone)));
        let withheld = withheld.unwrap_or_default();
        let missed = entry.last_suppression.as_ref();
        let missed = missed.map(|(when, why)| format!("; it did not run at {}: {why}", at(*when)));
        format!("{waits}{withheld}{}.", missed.unwrap_or_default())
    }
}

impl Blocker {
    /// What is waited for, after "it".
    pub(super) fn text(&self, now: Timestamp, zone: &TimeZone) -> String {
        match self {
            Self::Refused(why) => {
                let (rule, _) = Error::parts(why);
                format!("waits, because the task was refused: {rule}")
            }
            Self::Quarantined { .. }
            | Self::Denied(_)
            | Self::Disabled { .. }
            | Self::Paused { .. }
            | Self::EnergySaver
            | Self::OverBudget => format!("waits, because {}", self.cause(now, zone)),
            Self::Until(at) => format!("{WAITS_UNTIL}{}", clock_time(*at, now, zone)),
            Self::Condition(lacks) => {
                let lacks: Vec<String> = lacks.iter().map(|lack| lack.text(now, zone)).collect();
                format!("waits for {}", lacks.join("; and for "))
            }
            Self::Slot { overrun: false } => "waits for the run before it to end".to_owned(),
            Self::Slot { overrun: true } => {
                "waits for the body of an ended run, which still executes".to_owned()
            }
            Self::Exclusive { key, task } => {
                format!("waits for `{task}`, which runs and has the exclusive key `{key}`")
            }
        }
    }

    /// Of what holds a registration back beside its declaration: what is so, after "because".
    fn cause(&self, now: Timestamp, zone: &TimeZone) -> String {
        let at = |since: &Timestamp| clock_time(*since, now, zone);
        match self {
            Self::Quarantined { since, reason } => {
                format!("it is in quarantine since {}: {reason}", at(since))
            }
            Self::Denied(status) => format!("access is {status}"),
            Self::Disabled { since } => format!("it is disabled since {}", at(since)),
            Self::Paused { since } => format!("it is paused since {}", at(since)),
            Self::EnergySaver => "the energy saver is on".to_owned(),
            Self::OverBudget => "the energy budget is spent".to_owned(),
            other => format!("it {}", other.text(now, zone)),
        }
    }
}

impl FactState {
    /// `not so since 10:03 (netlink, a guess)`
    pub(super) fn text(&self, now: Timestamp, zone: &TimeZone) -> String {
        let word = match (self.holds, self.name.as_str()) {
            (Holds::Yes, "internet") => "available",
            (Holds::No, "internet") => "not available",
            (Holds::Yes, _) => "so",
            (Holds::No, _) => "not so",
            (Holds::Unknown, _) => "unknown",
        };
        let (Some(since), Some(source)) = (self.since, &self.source) else {
            return format!("{word}, nobody can say");
        };
        let guess = if self.guess { ", a guess" } else { "" };
        let since = clock_time(since, now, zone);
        format!("{word} since {since} ({source}{guess})")
    }
}

/// A time for people, in full.
fn civil(time: Timestamp, zone: &TimeZone) -> String {
    let civil = time.to_zoned(zone.clone());
    civil.strftime("%Y-%m-%d %H:%M:%S").to_string()
}

/// A time for people: the clock's alone if it is today.
fn clock_time(time: Timestamp, now: Timestamp, zone: &TimeZone) -> String {
    let (time, now) = (time.to_zoned(zone.clone()), now.to_zoned(zone.clone()));
    if time.date() == now.date() {
        time.strftime("%H:%M").to_string()
    } else {
        time.strftime("%Y-%m-%d %H:%M").to_string()
    }
}

/// `Europe/Berlin`; the offset of a zone that has no name.
fn zone_name(zone: &TimeZone, now: Timestamp) -> String {
    let named = DateTimePrinter::new().time_zone_to_string(zone);
    named.unwrap_or_else(|_| zone.to_offset(now).to_string())
}

/// The zone of such a name.
fn zone_named(name: &str) -> TimeZone {
    let zone = DateTimeParser::new().parse_time_zone(name);
    zone.unwrap_or(TimeZone::UTC)
}

impl fmt::Display for Explanation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let zone = zone_named(&self.zone);
        let instant = |time: Timestamp| civil(time, &zone);
        writeln!(f, "{}: {}", self.task, self.answer)?;
        writeln!(f, "  registration: {}", self.registration)?;
        if !self.origin.is_empty() {
            writeln!(f, "  origin: {}", self.origin)?;
        }
        if let Some(entry) = &self.entry {
            writeln!(f, "  entry: {entry}")?;
        }
        if let Some(group) = &self.group {
            writeln!(f, "  group: {group}")?;
        }
        write!(f, "  trigger: {}", self.trigger)?;
        if let Some(told) = &self.overridden {
            write!(f, "\n  overridden: {told}")?;
        }
        if let Some(why) = &self.refused {
            let (rule, help) = Error::parts(why);
            write!(f, "\n  refused: {rule}")?;
            if let Some(help) = help {
                write!(f, "\n  help: {help}")?;
            }
        }
        let standing = match &self.standing {
            Standing::Enabled => None,
            Standing::Paused { since } => Some(("paused", since, "")),
            Standing::Disabled { since } => Some(("disabled", since, "")),
            Standing::Quarantined { since, reason } => {
                Some(("in quarantine", since, reason.as_str()))
            }
        };
        if let Some((word, since, reason)) = standing {
            let colon = if reason.is_empty() { "" } else { ": " };
            write!(f, "\n  {word} since {}{colon}{reason}", instant(*since))?;
        }
        if let Some(status) = &self.denied {
            write!(f, "\n  access: {status}")?;
        }
        if self.energy_saver {
            f.write_str("\n  the energy saver is on")?;
        }
        if self.over_budget {
            f.write_str("\n  the energy budget is spent")?;
        }
        if let Some(ended) = self.ended {
            write!(f, "\n  ended: {}", instant(ended))?;
        }
        if let Some(due) = self.next_due {
            write!(f, "\n  next due: {}", instant(due))?;
        }
        if let Some(condition) = &self.condition {
            write!(f, "\n  condition: {condition}")?;
        }
        for fact in &self.facts {
            // Far from any date, so that the day is always written.
            let text = fact.text(Timestamp::MIN, &zone);
            write!(f, "\n    {}: {text}", fact.name)?;
        }
        for run in &self.running {
            let state = match run.overrun {
                true => "still executing after its end was recorded, since",
                false => "running since",
            };
            write!(f, "\n  {state} {}: {}", instant(run.since), run.activation)?;
            if let Some(reason) = run.cancelled {
                write!(f, " (asked to stop: {reason})")?;
            }
        }
        for held in &self.held {
            let since = instant(held.since);
            write!(f, "\n  waiting since {since}: {} ", held.activation)?;
            match held.until.map(instant) {
                Some(until) if held.reason.starts_with(WAITS_UNTIL) => {
                    write!(f, "{WAITS_UNTIL}{until}")?;
                }
                Some(until) => write!(f, "{} (not before {until})", held.reason)?,
                None => f.write_str(&held.reason)?,
            }
        }
        if self.waiting > self.held.len() {
            write!(f, "\n  waiting besides: {}", self.waiting - self.held.len())?;
        }
        if let Some((at, why)) = &self.last_suppression {
            write!(f, "\n  last not run: {}: {why}", instant(*at))?;
        }
        if let Some(last) = &self.last_outcome {
            write!(
                f,
                "\n  last outcome: {}: {}",
                instant(last.at),
                last.outcome
            )?;
        }
        if let Some(why) = &self.alone {
            write!(f, "\n  runs in a process that it shares with nobody: {why}")?;
        }
        if let Some((since, error)) = &self.unwatched {
            let since = instant(*since);
            write!(
                f,
                "\n  trigger not watched since {since}, tried again: {error}"
            )?;
        }
        for told in &self.outbox {
            write!(f, "\n  outbox: {told}")?;
        }
        write!(f, "\n  times: {}", self.zone)
    }
}
