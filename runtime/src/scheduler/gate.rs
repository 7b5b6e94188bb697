//! Conditions: whether a gate is open, and what keeps it closed.

use std::collections::HashMap;

use bgtask_model::{Condition, Declaration, Predicate, Trigger, Truth};
use jiff::{Timestamp, tz::TimeZone};

use super::why::{FactState, Holds};
use crate::{CancelReason, Fact, Reading};

/// What the monitors said last.
#[derive(Debug, Default)]
pub(super) struct Facts(HashMap<Predicate, Fact>);

impl Facts {
    pub(super) fn set(&mut self, base: Predicate, fact: Fact) {
        self.0.insert(base, fact);
    }

    fn truth(&self, predicate: &Predicate) -> Truth {
        let (base, opposite) = predicate.base();
        let truth = self
            .0
            .get(&base)
            .map_or(Truth::Unknown, |fact| fact.reading.truth());
        if opposite { truth.negate() } else { truth }
    }

    /// A predicate as it stands, for people.
    fn state(&self, predicate: &Predicate) -> FactState {
        let fact = self.0.get(&predicate.base().0);
        FactState {
            name: predicate.to_string(),
            holds: self.truth(predicate).into(),
            source: fact.map(|fact| fact.source.clone()),
            guess: fact.is_some_and(|fact| matches!(fact.reading, Reading::Guess(_))),
            since: fact.map(|fact| fact.since),
        }
    }
}

/// The gate of one registration.
#[derive(Debug)]
pub(super) struct Gate {
    condition: Option<Condition>,
    /// Why a run is cancelled when the gate closes under it.
    on_loss: Option<CancelReason>,
    /// `maintenance`: losing AC power cancels with `Abort`, as Windows does.
    maintenance: bool,
}

impl Gate {
    pub(super) fn new(declaration: &Declaration) -> Self {
        let maintenance = matches!(declaration.trigger, Trigger::Maintenance { .. });
        let mut parts: Vec<Condition> = declaration.condition.iter().cloned().collect();
        if maintenance {
            parts.insert(0, Condition::Is(Predicate::AcPower));
        }
        Self {
            condition: (!parts.is_empty()).then(|| Condition::all(parts)),
            on_loss: declaration
                .options
                .cancel_on_condition_loss
                .then_some(CancelReason::ConditionLoss),
            maintenance,
        }
    }

    pub(super) fn text(&self) -> Option<String> {
        self.condition.as_ref().map(ToString::to_string)
    }

    /// The facts that it depends on, as monitors report them.
    pub(super) fn bases(&self) -> Vec<Predicate> {
        let predicates = self.condition.iter().flat_map(Condition::predicates);
        predicates.map(|predicate| predicate.base().0).collect()
    }

    fn truth(&self, facts: &Facts) -> Truth {
        match &self.condition {
            None => Truth::True,
            Some(condition) => condition.evaluate(&mut |predicate| facts.truth(predicate)),
        }
    }

    /// Only true opens: what is unknown holds.
    pub(super) fn is_open(&self, facts: &Facts) -> bool {
        self.truth(facts) == Truth::True
    }

    /// Why a run has to stop now. What is unknown stops nothing.
    pub(super) fn lost(&self, facts: &Facts) -> Option<CancelReason> {
        if self.maintenance && facts.truth(&Predicate::AcPower) == Truth::False {
            return Some(CancelReason::Abort);
        }
        self.on_loss.filter(|_| self.truth(facts) == Truth::False)
    }

    /// Every fact that it asks for, as it stands.
    pub(super) fn states(&self, facts: &Facts) -> Vec<FactState> {
        let predicates = self.condition.iter().flat_map(Condition::predicates);
        predicates.map(|predicate| facts.state(predicate)).collect()
    }

    /// The parts that are not true, each with its facts.
    pub(super) fn lacks(&self, facts: &Facts) -> Vec<Lack> {
        let parts = match &self.condition {
            None => &[],
            Some(Condition::All(parts)) => parts.as_slice(),
            Some(one) => std::slice::from_ref(one),
        };
        parts
            .iter()
            .filter(|part| part.evaluate(&mut |fact| facts.truth(fact)) != Truth::True)
            .map(|part| Lack {
                part: part.to_string(),
                facts: part
                    .predicates()
                    .into_iter()
                    .map(|p| facts.state(p))
                    .collect(),
            })
            .collect()
    }
}

/// A part of a condition that is not true.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Lack {
    part: String,
    facts: Vec<FactState>,
}

impl Lack {
    /// `internet: not so since 10:03 (netlink, a guess)`
    pub(super) fn text(&self, now: Timestamp, zone: &TimeZone) -> String {
        let facts: Vec<String> = self
            .facts
            .iter()
            .map(|fact| match fact.text(now, zone) {
                text if fact.name == self.part => text,
                text => format!("{} {text}", fact.name),
            })
            .collect();
        format!("{}: {}", self.part, facts.join(", "))
    }
}

impl From<Truth> for Holds {
    fn from(truth: Truth) -> Self {
        match truth {
            Truth::True => Self::Yes,
            Truth::False => Self::No,
            Truth::Unknown => Self::Unknown,
        }
    }
}
