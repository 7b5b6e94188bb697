//! What becomes of registrations: the rules that all stores follow.

use std::collections::{HashMap, HashSet};

use jiff::Timestamp;

use super::{
    Limit, NewRegistration, OnDuplicate, Origin, RegistrationRecord, SyncDiff,
    registration::refuse_duplicates,
};
use crate::{Code, Error, RegistrationId, Result, Standing};

/// What a launch does with one registration.
pub(super) enum Step {
    Add(NewRegistration),
    /// Nothing that matters changed. The quarantine of one that is declared again is over.
    Update(RegistrationId, NewRegistration),
    Replace(RegistrationId, NewRegistration),
    Remove(RegistrationId),
}

/// How the kept registrations become equal to the declared ones.
pub(super) fn sync(
    kept: &[RegistrationRecord],
    declared: Vec<NewRegistration>,
) -> Result<(Vec<Step>, SyncDiff)> {
    refuse_duplicates(&declared)?;
    let (of_attributes, of_the_app): (Vec<_>, Vec<_>) = kept
        .iter()
        .partition(|record| record.origin == Origin::Declared);
    let (tombstones, of_the_app): (Vec<_>, Vec<_>) = of_the_app
        .into_iter()
        .partition(|record| record.ended.is_some());
    let taken: HashSet<&str> = of_the_app.iter().map(|record| &*record.name).collect();
    let mut old: HashMap<&str, &RegistrationRecord> = of_attributes
        .into_iter()
        .map(|record| (&*record.name, record))
        .collect();
    let mut steps = Vec::new();
    let mut diff = SyncDiff::default();
    for new in declared {
        let name = new.name.clone();
        let (told, step) = match old.remove(&*name) {
            None if taken.contains(&*name) => {
                diff.refused.push(name);
                continue;
            }
            None => {
                let of_name = tombstones.iter().filter(|record| record.name == name);
                steps.extend(of_name.map(|record| Step::Remove(record.id)));
                (&mut diff.added, Step::Add(new))
            }
            Some(_) if new.fingerprint.is_empty() => {
                diff.unchanged.push(name);
                continue;
            }
            Some(old) if is_kept_so(old, &new) => {
                diff.unchanged.push(name);
                continue;
            }
            Some(old) if old.fingerprint == new.fingerprint => {
                (&mut diff.unchanged, Step::Update(old.id, new))
            }
            Some(old) => (&mut diff.replaced, Step::Replace(old.id, new)),
        };
        told.push(name);
        steps.push(step);
    }
    let mut gone: Vec<_> = old
        .into_values()
        .filter(|record| record.ended.is_none())
        .collect();
    gone.sort_by(|a, b| a.name.cmp(&b.name));
    for record in gone {
        steps.push(Step::Remove(record.id));
        diff.removed.push(record.name.clone());
    }
    Ok((steps, diff))
}

/// Whether there is nothing to write about a declared one.
fn is_kept_so(old: &RegistrationRecord, new: &NewRegistration) -> bool {
    old.fingerprint == new.fingerprint
        && old.declaration == new.declaration
        && (&old.entry, &old.group, &old.kind) == (&new.entry, &new.group, &new.kind)
        && !matches!(old.standing, Standing::Quarantined { .. })
}

/// What becomes of a registration to be made.
pub(super) enum Verdict {
    /// It is added; tombstones of its name make room for it.
    Add {
        tombstones: Vec<RegistrationId>,
    },
    /// It takes the place of this one, and comes due then.
    Replace(RegistrationId, Option<Timestamp>),
    Keep(Box<RegistrationRecord>),
}

/// Decides about a registration to be made, from those that have its name.
pub(super) fn register(
    same_name: &[RegistrationRecord],
    new: &NewRegistration,
    on_duplicate: OnDuplicate,
) -> Result<Verdict> {
    let taken = |record: &&RegistrationRecord| {
        // What is declared will be again, also after it ended.
        record.origin != new.origin && (record.ended.is_none() || record.origin == Origin::Declared)
    };
    if let Some(other) = same_name.iter().find(taken) {
        return Err(name_is_taken(other));
    }
    let (ended, live): (Vec<_>, Vec<_>) =
        same_name.iter().partition(|record| record.ended.is_some());
    let ids =
        |records: &[&RegistrationRecord]| records.iter().map(|one| one.id).collect::<Vec<_>>();
    match (on_duplicate, &live[..]) {
        (OnDuplicate::Allow, _) if new.origin == Origin::Built => Ok(Verdict::Add {
            tombstones: ids(&ended),
        }),
        (_, []) => Ok(Verdict::Add {
            tombstones: ids(&ended),
        }),
        (OnDuplicate::Keep, [first, ..]) => Ok(Verdict::Keep(Box::new((*first).clone()))),
        (OnDuplicate::Replace, [one]) => Ok(Verdict::Replace(one.id, due_after(one, new))),
        (OnDuplicate::Replace, several) => Err(ambiguous(&new.name, &ids(several))),
        (OnDuplicate::Error | OnDuplicate::Allow, [first, ..]) => Err(name_is_taken(first)),
    }
}

/// When the successor of a registration comes due. One that says the same goes on where the old one
/// was: an app that registers at each launch would otherwise never see a period longer than a launch.
fn due_after(old: &RegistrationRecord, new: &NewRegistration) -> Option<Timestamp> {
    let same = old.fingerprint == new.fingerprint;
    old.due.filter(|_| same).or(new.due)
}

/// Refuses one more of a kind; `others` does not count the one that is replaced.
pub(super) fn check_limit(new: &NewRegistration, limit: &Limit, others: u64) -> Result<()> {
    if others < u64::from(limit.most) {
        return Ok(());
    }
    let (kind, most) = (&limit.kind, limit.most);
    Err(Error::new(
        Code::TriggerLimitExceeded,
        format!(
            "the app has {others} registrations with the trigger `{kind}`, and may have {most}"
        ),
    )
    .task(&new.name)
    .remedy("unregister another one first, or register under its name, which replaces it"))
}

fn name_is_taken(by: &RegistrationRecord) -> Error {
    let error = |rule: &str| Error::new(Code::DuplicateName, rule).task(&by.name);
    match by.origin {
        Origin::Declared => error("a declared task has this name")
            .remedy("choose another name, or write `register = false` at the declaration"),
        Origin::Built => error("another registration has this name").remedy(
            "choose another name, unregister the other one, or say what to do with `on_duplicate`",
        ),
    }
}

/// Refuses an order by a name that several registrations have.
pub(super) fn ambiguous(name: &str, ids: &[RegistrationId]) -> Error {
    let ids: Vec<_> = ids.iter().map(ToString::to_string).collect();
    Error::new(
        Code::Ambiguous,
        format!(
            "{} registrations have this name: {}",
            ids.len(),
            ids.join(", ")
        ),
    )
    .task(name)
    .remedy("say which one by its id")
}
