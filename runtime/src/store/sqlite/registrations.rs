//! Statements about registrations.

use std::collections::HashMap;

use jiff::Timestamp;
use rusqlite::{Connection, OptionalExtension, params};

use super::{
    activations,
    fault::{Fault, Sql},
    rows::{self, micros, number},
};
use crate::{
    RegistrationId, Suppression,
    store::{self, Fire, NewRegistration, RegistrationRecord, SyncDiff, depth},
};

pub(super) fn all(connection: &Connection) -> Sql<Vec<RegistrationRecord>> {
    let mut statement = connection.prepare_cached(&format!(
        "SELECT {} FROM registration ORDER BY seq",
        rows::REGISTRATION
    ))?;
    let mut found = statement.query([])?;
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
) -> Sql<SyncDiff> {
    store::refuse_duplicates(declared).map_err(Fault::Refused)?;
    let mut kept: HashMap<String, RegistrationRecord> = all(connection)?
        .into_iter()
        .map(|record| (record.name.clone(), record))
        .collect();
    let mut diff = SyncDiff::default();
    for new in declared {
        match kept.remove(&new.name) {
            None => {
                insert(connection, new, now)?;
                diff.added.push(new.name.clone());
            }
            Some(old) if old.fingerprint == new.fingerprint => {
                // Its description may have changed.
                connection
                    .prepare_cached("UPDATE registration SET declaration = ?2 WHERE id = ?1")?
                    .execute(params![old.id.as_bytes(), new.declaration])?;
                diff.unchanged.push(new.name.clone());
            }
            Some(old) => {
                delete(connection, old.id)?;
                let id = insert(connection, new, now)?;
                activations::inherit(connection, old.id, id)?;
                diff.replaced.push(new.name.clone());
            }
        }
    }
    let mut gone: Vec<_> = kept
        .into_values()
        .filter(|record| record.ended.is_none())
        .collect();
    gone.sort_by(|a, b| a.name.cmp(&b.name));
    for old in gone {
        activations::remove_waiting(connection, old.id, now)?;
        delete(connection, old.id)?;
        diff.removed.push(old.name);
    }
    Ok(diff)
}

fn insert(connection: &Connection, new: &NewRegistration, now: Timestamp) -> Sql<RegistrationId> {
    let id = RegistrationId::now();
    connection
        .prepare_cached(
            "INSERT INTO registration (id, name, declaration, fingerprint, due, created)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
        )?
        .execute(params![
            id.as_bytes(),
            new.name,
            new.declaration,
            new.fingerprint,
            new.due.map(micros),
            micros(now)
        ])?;
    Ok(id)
}

fn delete(connection: &Connection, id: RegistrationId) -> Sql<()> {
    connection
        .prepare_cached("DELETE FROM registration WHERE id = ?1")?
        .execute([id.as_bytes()])?;
    Ok(())
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
    depth::check(&fire.activations).map_err(Fault::Refused)?;
    for new in &fire.activations {
        activations::insert(connection, new, fire.at)?;
    }
    if let Some(why) = &fire.suppressed {
        note_suppression(connection, fire.registration, fire.at, why)?;
    }
    if fire.last && fire.activations.is_empty() {
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
        .prepare_cached("UPDATE registration SET suppressed = ?2, suppression = ?3 WHERE id = ?1")?
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
    /// It fired for the last time, and ends with its outcome.
    pub(super) ending: bool,
}

pub(super) fn kept(connection: &Connection, id: RegistrationId) -> Sql<Option<Kept>> {
    let found = connection
        .prepare_cached("SELECT declaration, ending FROM registration WHERE id = ?1")?
        .query_row([id.as_bytes()], |row| {
            Ok((row.get::<_, String>(0)?, row.get(1)?))
        })
        .optional()?;
    Ok(found.map(|(declaration, ending)| Kept {
        at_most_once: store::at_most_once(&declaration),
        ending,
    }))
}
