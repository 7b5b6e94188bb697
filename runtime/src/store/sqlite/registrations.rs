//! Statements about registrations.

use jiff::Timestamp;
use rusqlite::{Connection, OptionalExtension, params};

use super::{
    activations,
    fault::{Fault, Sql},
    rows::{self, micros, number},
};
use crate::{
    RegistrationId, Standing, Suppression,
    store::{
        self, Fire, Limit, NewRegistration, OnDuplicate, Registering, RegistrationRecord, SyncDiff,
        depth,
        registration::Stance,
        rule::{self, Step, Verdict},
    },
};

pub(super) fn all(connection: &Connection) -> Sql<Vec<RegistrationRecord>> {
    query(connection, "1", [])
}

fn query(
    connection: &Connection,
    condition: &str,
    parameters: impl rusqlite::Params,
) -> Sql<Vec<RegistrationRecord>> {
    let mut statement = connection.prepare_cached(&format!(
        "SELECT {} FROM registration WHERE {condition} ORDER BY seq",
        rows::REGISTRATION
    ))?;
    let mut found = statement.query(parameters)?;
    let mut records = Vec::new();
    while let Some(row) = found.next()? {
        records.push(rows::registration(row)?);
    }
    Ok(records)
}

pub(super) fn sync(
    connection: &Connection,
    declared: &[NewRegistration],
    now: Timestamp,
) -> Sql<(SyncDiff, Vec<RegistrationRecord>)> {
    let kept = all(connection)?;
    let (steps, diff) = rule::sync(&kept, declared.to_vec()).map_err(Fault::Refused)?;
    for step in steps {
        match step {
            Step::Add(new) => drop(insert(connection, &new, Stance::default(), now)?),
            Step::Update(id, new) => update(connection, id, &new)?,
            Step::Replace(old, new) => drop(replace(connection, old, &new, now)?),
            Step::Remove(id) => drop(unregister(connection, id, now)?),
        }
    }
    Ok((diff, all(connection)?))
}

pub(super) fn register(
    connection: &Connection,
    new: &NewRegistration,
    on_duplicate: OnDuplicate,
    limit: Option<&Limit>,
    now: Timestamp,
) -> Sql<Registering> {
    let same_name = query(connection, "name = ?1", [&new.name])?;
    let verdict = rule::register(&same_name, new, on_duplicate).map_err(Fault::Refused)?;
    let replaced = match &verdict {
        Verdict::Keep(kept) => return Ok(Registering::Kept(RegistrationRecord::clone(kept))),
        Verdict::Replace(id, due) => Some((*id, *due)),
        Verdict::Add { .. } => None,
    };
    if let Some(limit) = limit {
        let others: i64 = connection
            .prepare_cached(
                "SELECT count(*) FROM registration
                 WHERE kind = ?1 AND ended IS NULL AND id IS NOT ?2",
            )?
            .query_row(
                params![limit.kind, replaced.as_ref().map(|(id, _)| id.as_bytes())],
                |row| row.get(0),
            )?;
        rule::check_limit(new, limit, others.unsigned_abs()).map_err(Fault::Refused)?;
    }
    let tombstones = match verdict {
        Verdict::Add { tombstones } => tombstones,
        Verdict::Replace(..) | Verdict::Keep(_) => Vec::new(),
    };
    for id in &tombstones {
        unregister(connection, *id, now)?;
    }
    Ok(match replaced {
        None => Registering::Added {
            record: insert(connection, new, Stance::default(), now)?,
            tombstones,
        },
        Some((old, due)) => {
            let new = NewRegistration { due, ..new.clone() };
            let record = replace(connection, old, &new, now)?;
            Registering::Replaced { record, old }
        }
    })
}

/// Makes one. Runs recorded up to now are not its own.
fn insert(
    connection: &Connection,
    new: &NewRegistration,
    stance: Stance,
    now: Timestamp,
) -> Sql<RegistrationRecord> {
    let record = new.record(&stance, now);
    connection
        .prepare_cached(
            "INSERT INTO registration (id, name, entry, origin, part_of, kind, declaration,
                 fingerprint, due, created, chosen, quarantine, seen)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12,
                 coalesce((SELECT max(seq) FROM run), 0))",
        )?
        .execute(params![
            record.id.as_bytes(),
            record.name,
            record.entry,
            record.origin.word(),
            record.group,
            record.kind,
            record.declaration,
            record.fingerprint,
            record.due.map(micros),
            micros(now),
            kept_standing(&stance.chosen)?,
            stance.quarantine.as_ref().map(rows::text).transpose()?,
        ])?;
    Ok(record)
}

fn kept_standing(chosen: &Standing) -> Sql<Option<String>> {
    match chosen {
        Standing::Enabled => Ok(None),
        other => rows::text(other).map(Some),
    }
}

/// Keeps what may change of an unchanged one, such as its description.
fn update(connection: &Connection, id: RegistrationId, new: &NewRegistration) -> Sql<()> {
    connection
        .prepare_cached(
            "UPDATE registration SET entry = ?2, part_of = ?3, kind = ?4, declaration = ?5,
                 quarantine = NULL
             WHERE id = ?1",
        )?
        .execute(params![
            id.as_bytes(),
            new.entry,
            new.group,
            new.kind,
            new.declaration
        ])?;
    Ok(())
}

fn replace(
    connection: &Connection,
    old: RegistrationId,
    new: &NewRegistration,
    now: Timestamp,
) -> Sql<RegistrationRecord> {
    let stance = Stance {
        quarantine: None,
        ..stance(connection, old)?.unwrap_or_default()
    };
    delete(connection, old)?;
    let record = insert(connection, new, stance, now)?;
    activations::inherit(connection, old, record.id)?;
    Ok(record)
}

pub(super) fn unregister(connection: &Connection, id: RegistrationId, now: Timestamp) -> Sql<bool> {
    activations::remove_waiting(connection, id, now)?;
    delete(connection, id)
}

fn stance(connection: &Connection, id: RegistrationId) -> Sql<Option<Stance>> {
    let mut statement =
        connection.prepare_cached("SELECT chosen, quarantine FROM registration WHERE id = ?1")?;
    let mut found = statement.query([id.as_bytes()])?;
    found.next()?.map(|row| rows::stance(row, 0)).transpose()
}

pub(super) fn stand(
    connection: &Connection,
    id: RegistrationId,
    standing: &Standing,
) -> Sql<Option<RegistrationRecord>> {
    let Some(mut stance) = stance(connection, id)? else {
        return Ok(None);
    };
    stance.take(standing.clone());
    connection
        .prepare_cached(
            "UPDATE registration SET chosen = ?2, quarantine = ?3
             WHERE id = ?1 AND ended IS NULL",
        )?
        .execute(params![
            id.as_bytes(),
            kept_standing(&stance.chosen)?,
            stance.quarantine.as_ref().map(rows::text).transpose()?,
        ])?;
    let found = query(connection, "id = ?1 AND ended IS NULL", [id.as_bytes()])?;
    Ok(found.into_iter().next())
}

pub(super) fn lift(connection: &Connection, id: RegistrationId) -> Sql<bool> {
    let lifted = connection
        .prepare_cached(
            "UPDATE registration SET quarantine = NULL WHERE id = ?1 AND quarantine IS NOT NULL",
        )?
        .execute([id.as_bytes()])?;
    Ok(lifted > 0)
}

/// Keeps what the runs up to now tell of registrations: they may be removed afterwards.
pub(super) fn keep_last_runs(connection: &Connection) -> Sql<()> {
    connection
        .prepare_cached(&format!(
            "UPDATE registration SET last_run = found.at, seen = (SELECT max(seq) FROM run)
             FROM (SELECT id, {} AS at FROM registration) AS found
             WHERE found.id = registration.id AND found.at IS NOT last_run",
            rows::LAST_RUN
        ))?
        .execute([])?;
    Ok(())
}

/// The number of a run that was removed may come again.
pub(super) fn see_again(connection: &Connection) -> Sql<()> {
    connection
        .prepare_cached(
            "UPDATE registration SET seen = newest.seq
             FROM (SELECT coalesce(max(seq), 0) AS seq FROM run) AS newest
             WHERE seen > newest.seq",
        )?
        .execute([])?;
    Ok(())
}

pub(super) fn throttled(connection: &Connection, id: RegistrationId, at: Timestamp) -> Sql<()> {
    connection
        .prepare_cached("UPDATE registration SET last_throttled = ?2 WHERE id = ?1")?
        .execute(params![id.as_bytes(), micros(at)])?;
    Ok(())
}

pub(super) fn is_there(connection: &Connection, id: RegistrationId) -> Sql<bool> {
    let found = connection
        .prepare_cached("SELECT 1 FROM registration WHERE id = ?1")?
        .exists([id.as_bytes()])?;
    Ok(found)
}

fn delete(connection: &Connection, id: RegistrationId) -> Sql<bool> {
    let deleted = connection
        .prepare_cached("DELETE FROM registration WHERE id = ?1")?
        .execute([id.as_bytes()])?;
    Ok(deleted > 0)
}

pub(super) fn fire(connection: &Connection, fire: &Fire) -> Sql<bool> {
    let fired = !fire.activations.is_empty() || fire.suppressed.is_some();
    let moved = connection
        .prepare_cached(
            "UPDATE registration SET
                 due = ?3,
                 generation = generation + 1,
                 last_fired = iif(?4, ?5, last_fired),
                 ending = ?6
             WHERE id = ?1 AND generation = ?2 AND ended IS NULL",
        )?
        .execute(params![
            fire.registration.as_bytes(),
            number(fire.generation),
            fire.next.filter(|_| !fire.last).map(micros),
            fired,
            micros(fire.at),
            fire.last,
        ])?;
    if moved == 0 {
        return Ok(false);
    }
    depth::check(fire.kept()).map_err(Fault::Refused)?;
    for new in fire.kept() {
        activations::insert(connection, new, fire.at)?;
    }
    if let Some(why) = &fire.suppressed {
        note_suppression(connection, fire.registration, fire.at, why)?;
    }
    if fire.last && fire.kept().is_empty() {
        // No outcome will follow that could end it.
        end(connection, fire.registration, fire.at)?;
    }
    Ok(true)
}

pub(super) fn note_suppression(
    connection: &Connection,
    id: RegistrationId,
    at: Timestamp,
    why: &Suppression,
) -> Sql<()> {
    connection
        .prepare_cached(
            "UPDATE registration SET suppressed = ?2, suppression = ?3,
                 suppressions = suppressions + 1
             WHERE id = ?1",
        )?
        .execute(params![id.as_bytes(), micros(at), rows::text(why)?])?;
    Ok(())
}

/// Makes a one-shot a tombstone.
pub(super) fn end(connection: &Connection, id: RegistrationId, at: Timestamp) -> Sql<()> {
    connection
        .prepare_cached(
            "UPDATE registration SET ended = ?2, due = NULL WHERE id = ?1 AND ended IS NULL",
        )?
        .execute(params![id.as_bytes(), micros(at)])?;
    Ok(())
}

/// What recovery asks of a registration.
pub(super) struct Kept {
    pub(super) at_most_once: bool,
    /// It fired for the last time, and ends with the outcome of what it fired.
    pub(super) ending: bool,
}

pub(super) fn kept(connection: &Connection, id: RegistrationId) -> Sql<Option<Kept>> {
    let found = connection
        .prepare_cached("SELECT declaration, ending FROM registration WHERE id = ?1")?
        .query_row([id.as_bytes()], |row| Ok((row.get(0)?, row.get(1)?)))
        .optional()?;
    Ok(found.map(|(declaration, ending): (String, bool)| Kept {
        at_most_once: store::at_most_once(&declaration),
        ending: ending || store::is_once(&declaration),
    }))
}
