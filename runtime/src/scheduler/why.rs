//! Explanations: why a task runs, waits or has not run.

use std::fmt;

use bgtask_model::Overlap;
use jiff::{Timestamp, tz::TimeZone};
use serde::{Deserialize, Serialize};

use super::{
    Scheduler,
    entry::{Blocker, Entry, Phase},
};
use crate::{ActivationId, CancelReason, Outcome, RegistrationId, Suppression};

/// At most so many waiting activations are listed, the next ones to start.
const LISTED: usize = 16;

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
    /// It may fire: it was not refused, and did not end.
    pub enabled: bool,
    /// Why it was refused.
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
            enabled: entry.fires(),
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
            outbox: Vec::new(),
        })
    }

    fn answer(&self, entry: &Entry, held: &[HeldActivation], now: Timestamp) -> String {
        let at = |time| clock_time(time, now, &self.zone);
        if let Some(why) = &entry.refused {
            return format!("It never runs here: it was refused ({why}).");
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
        match &entry.last_suppression {
            Some((when, why)) => format!("{waits}; it did not run at {}: {why}.", at(*when)),
            None => format!("{waits}."),
        }
    }
}

impl Blocker {
    /// What is waited for, after "it".
    pub(super) fn text(&self, now: Timestamp, zone: &TimeZone) -> String {
        match self {
            Self::Refused(why) => format!("waits, because the task was refused: {why}"),
            Self::Until(at) => format!("waits until {}", clock_time(*at, now, zone)),
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

/// A time for people: the clock's alone if it is today.
fn clock_time(time: Timestamp, now: Timestamp, zone: &TimeZone) -> String {
    let (time, now) = (time.to_zoned(zone.clone()), now.to_zoned(zone.clone()));
    if time.date() == now.date() {
        time.strftime("%H:%M").to_string()
    } else {
        time.strftime("%Y-%m-%d %H:%M").to_string()
    }
}

impl fmt::Display for Explanation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // The zone is the reader's business here: a log or a terminal may be far away.
        let zone = TimeZone::UTC;
        let instant = |time: Timestamp| format!("{}", time.strftime("%Y-%m-%d %H:%M:%SZ"));
        writeln!(f, "{}: {}", self.task, self.answer)?;
        writeln!(f, "  registration: {}", self.registration)?;
        write!(f, "  trigger: {}", self.trigger)?;
        if let Some(why) = &self.refused {
            write!(f, "\n  refused: {why}")?;
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
            write!(
                f,
                "\n  waiting since {since}: {} {}",
                held.activation, held.reason
            )?;
            if let Some(until) = held.until {
                write!(f, " (not before {})", instant(until))?;
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
        for told in &self.outbox {
            write!(f, "\n  outbox: {told}")?;
        }
        Ok(())
    }
}
