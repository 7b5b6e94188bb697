//! For tests: what monitors say, taken in until something is so.

use std::{collections::BTreeMap, time::Duration};

use bgtask_model::{Declaration, FieldValue, Predicate, SystemEvent, grammar::Identity};
use tokio::sync::mpsc;

use super::{Change, Changes};
use crate::Reading;

/// Far more than any step takes: a test that waits for so long has failed.
pub(super) const PATIENCE: Duration = Duration::from_secs(20);

/// A declaration with this trigger, and this condition unless it is empty.
pub(super) fn declared(trigger: &str, condition: &str) -> Declaration {
    let identity = Identity {
        default_name: "app::task".to_owned(),
        function: "app::task".to_owned(),
        description: None,
    };
    let mut fields = vec![("trigger".to_owned(), FieldValue::from(trigger))];
    if !condition.is_empty() {
        fields.push(("condition".to_owned(), FieldValue::from(condition)));
    }
    Declaration::from_fields(identity, fields.into_iter()).expect("a declaration")
}

/// What was told.
pub(super) struct Told {
    pub(super) changes: mpsc::UnboundedReceiver<Change>,
    /// By fact: each value and who said it, in the order told.
    pub(super) facts: BTreeMap<Predicate, Vec<(Reading, String)>>,
    pub(super) events: Vec<SystemEvent>,
}

impl Told {
    /// Where to tell, and who listens.
    pub(super) fn listen() -> (Changes, Self) {
        let (sender, changes) = mpsc::unbounded_channel();
        let told = Self {
            changes,
            facts: BTreeMap::new(),
            events: Vec::new(),
        };
        (sender, told)
    }

    /// Takes in what is said until a fact is so.
    pub(super) async fn until(&mut self, fact: Predicate, reading: Reading, source: &str) {
        let expected = (reading, source.to_owned());
        while self.last(&fact) != Some(&expected) {
            let next = tokio::time::timeout(PATIENCE, self.changes.recv()).await;
            let told = &self.facts;
            let next = next.unwrap_or_else(|_| panic!("{fact} is not {expected:?}: {told:?}"));
            self.take(next.expect("running monitors"));
        }
        // What was said together is there already.
        while let Ok(next) = self.changes.try_recv() {
            self.take(next);
        }
    }

    pub(super) fn last(&self, fact: &Predicate) -> Option<&(Reading, String)> {
        self.facts.get(fact)?.last()
    }

    fn take(&mut self, change: Change) {
        match change {
            Change::Fact(fact, is) => {
                let told = (is.reading, is.source);
                self.facts.entry(fact).or_default().push(told);
            }
            Change::Power { events, .. } => self.events.extend(events),
            Change::System { event, .. } => self.events.push(event),
            // The machine's own clock may be set while this runs.
            Change::Clock => {}
            other => panic!("{other:?}"),
        }
    }
}
