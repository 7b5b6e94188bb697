//! Conditions with their places, and why some can never hold.

use std::ops::Range;

use super::Mistake;
use crate::{Condition, Predicate, Rule};

/// A condition with its places.
#[derive(Clone, Debug)]
pub(crate) struct Placed {
    pub(super) at: Range<usize>,
    pub(super) node: Node,
}

#[derive(Clone, Debug)]
pub(super) enum Node {
    Is(Predicate),
    Not(Box<Placed>),
    All(Vec<Placed>),
    Any(Vec<Placed>),
    /// Noted as a mistake already; reading went on to find the next one.
    Wrong,
}

impl Placed {
    /// Several `condition =` hold together.
    pub(super) fn all(mut parts: Vec<Self>) -> Option<Self> {
        if parts.len() < 2 {
            return parts.pop();
        }
        let at = parts[0].at.start..parts[parts.len() - 1].at.end;
        Some(Self {
            at,
            node: Node::All(parts),
        })
    }

    /// The condition without places; `None` if something in it is wrong.
    pub(crate) fn condition(&self) -> Option<Condition> {
        let parts = |parts: &[Self]| {
            parts
                .iter()
                .map(Self::condition)
                .collect::<Option<Vec<_>>>()
        };
        match &self.node {
            Node::Is(predicate) => Some(Condition::Is(predicate.clone())),
            Node::Not(inner) => inner.condition().map(Condition::negate),
            Node::All(all) => parts(all).map(Condition::all),
            Node::Any(any) => parts(any).map(Condition::any),
            Node::Wrong => None,
        }
    }

    /// The first pair of facts that would have to hold together and cannot, in the whole or in
    /// one alternative by itself.
    pub(crate) fn contradiction(&self) -> Option<Mistake> {
        self.contradiction_in(false)
    }

    fn contradiction_in(&self, negated: bool) -> Option<Mistake> {
        self.clash(negated, &mut Vec::new())
            .or_else(|| match &self.node {
                Node::Is(_) | Node::Wrong => None,
                Node::Not(inner) => inner.contradiction_in(!negated),
                Node::All(parts) | Node::Any(parts) => {
                    parts.iter().find_map(|part| part.contradiction_in(negated))
                }
            })
    }

    /// `facts` hold wherever this is asked for. What it asks for without alternative is added, so
    /// that two branches of one `&&` see each other.
    fn clash<'c>(&'c self, negated: bool, facts: &mut Vec<Fact<'c>>) -> Option<Mistake> {
        match (&self.node, negated) {
            (Node::Wrong, _) => None,
            (Node::Is(predicate), _) => {
                let fact = Fact::new(predicate, negated, &self.at);
                let clash = facts.iter().find(|other| fact.excludes(other));
                let mistake = clash.map(|other| fact.mistake(other));
                facts.push(fact);
                mistake
            }
            (Node::Not(inner), _) => inner.clash(!negated, facts),
            // `!(a || b)` is `!a && !b`.
            (Node::All(parts), false) | (Node::Any(parts), true) => {
                // Plain facts first: an alternative is judged by all that hold beside it.
                let (choices, plain): (Vec<_>, Vec<_>) =
                    parts.iter().partition(|part| part.is_choice(negated));
                plain
                    .into_iter()
                    .chain(choices)
                    .find_map(|part| part.clash(negated, facts))
            }
            // An alternative is open while one branch can hold.
            (Node::Any(parts), false) | (Node::All(parts), true) => {
                let mut first = None;
                for part in parts {
                    let mut facts = facts.clone();
                    let mistake = part.clash(negated, &mut facts)?;
                    first.get_or_insert(mistake);
                }
                first
            }
        }
    }

    fn is_choice(&self, negated: bool) -> bool {
        match &self.node {
            Node::Not(inner) => inner.is_choice(!negated),
            Node::Any(_) => !negated,
            Node::All(_) => negated,
            Node::Is(_) | Node::Wrong => false,
        }
    }
}

/// A fact that must hold, or must not.
#[derive(Clone, Debug)]
struct Fact<'c> {
    written: &'c Predicate,
    base: Predicate,
    negated: bool,
    at: &'c Range<usize>,
    by_not: bool,
}

impl<'c> Fact<'c> {
    fn new(written: &'c Predicate, by_not: bool, at: &'c Range<usize>) -> Self {
        let (base, opposite) = written.base();
        Self {
            written,
            base,
            negated: by_not != opposite,
            at,
            by_not,
        }
    }

    fn excludes(&self, other: &Self) -> bool {
        if self.negated == other.negated {
            return false;
        }
        let (holds, fails) = if self.negated {
            (&other.base, &self.base)
        } else {
            (&self.base, &other.base)
        };
        match (holds, fails) {
            // Above 50 is above 30 too.
            (Predicate::BatteryAbove(holds), Predicate::BatteryAbove(fails)) => holds >= fails,
            (Predicate::LoadBelow(holds), Predicate::LoadBelow(fails)) => holds <= fails,
            (holds, fails) => holds == fails,
        }
    }

    fn mistake(&self, other: &Self) -> Mistake {
        let text = |fact: &Self| {
            let not = if fact.by_not { "!" } else { "" };
            format!("{not}{}", fact.written)
        };
        let rule = Rule::new(
            "contradiction",
            format!(
                "`{}` and `{}` never hold together, so the task would never start",
                text(other),
                text(self)
            ),
        );
        let rule = rule.help("remove one of them, or join them by `||`");
        Mistake::new(rule, self.at.clone()).also(other.at.clone(), "contradicts this")
    }
}
