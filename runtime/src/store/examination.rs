//! What is looked for in what a store keeps, besides what its engine looks for.

use std::collections::HashSet;

use super::{ActivationRecord, Finding, RegistrationRecord};
use crate::Standing;

/// Everything that can be told from the records.
pub(super) struct Examined {
    pub(super) registrations: Vec<RegistrationRecord>,
    pub(super) activations: Vec<ActivationRecord>,
    pub(super) runs: u64,
    pub(super) events: u64,
    pub(super) keys: u64,
    /// How many activations have more than one recorded outcome, or are open beside it.
    pub(super) ended_twice: u64,
}

pub(super) fn findings(examined: &Examined) -> Vec<Finding> {
    let Examined {
        registrations,
        activations,
        ..
    } = examined;
    let mut found = vec![counts(examined)];
    let known: HashSet<_> = registrations.iter().map(|record| record.id).collect();
    let orphans = activations
        .iter()
        .filter(|open| open.run.is_none() && !known.contains(&open.registration));
    for orphan in orphans {
        found.push(Finding::warning(
            format!(
                "activation {} of `{}` waits for a registration that is gone",
                orphan.id, orphan.task
            ),
            "the next start of the app records its end",
        ));
    }
    for record in registrations {
        if let Standing::Quarantined { since, reason } = &record.standing {
            found.push(Finding::warning(
                format!("`{}` is in quarantine since {since}: {reason}", record.name),
                "bring its task back, or unregister it",
            ));
        }
    }
    if examined.ended_twice > 0 {
        found.push(Finding::fault(
            format!(
                "{} activations have more than one outcome",
                examined.ended_twice
            ),
            "please report this, with what happened before",
        ));
    }
    found
}

fn counts(examined: &Examined) -> Finding {
    let running = examined.activations.iter().filter(|one| one.run.is_some());
    let running = running.count();
    let waiting = (examined.activations.len() - running) as u64;
    Finding::info(format!(
        "{}, {} waiting, {running} running, {}, {}, {} of data",
        number(examined.registrations.len() as u64, "registration"),
        number(waiting, "activation"),
        number(examined.runs, "ended run"),
        number(examined.events, "event"),
        number(examined.keys, "key"),
    ))
}

/// `1 event`, `2 events`
fn number(count: u64, one: &str) -> String {
    let s = if count == 1 { "" } else { "s" };
    format!("{count} {one}{s}")
}
