//! Statements about activations that have not ended.

use std::borrow::Cow;

use jiff::Timestamp;
use rusqlite::{Connection, OptionalExtension, Row, params};

use super::{
    fault::Sql,
    kept, registrations,
    rows::{self, micros, number, text},
    runs,
};
use crate::{
    ActivationId, Outcome, RegistrationId, RunId, Suppression,
    store::{
        ActivationRecord, Claim, Finish, Lease, NewActivation, Release, RunRecord, Suppress, depth,
    },
};

pub(super) fn all(connection: &Connection) -> Sql<Vec<ActivationRecord>> {
    let mut statement = connection.prepare_cached(&format!(
        "SELECT {} FROM activation ORDER BY seq",
        rows::ACTIVATION
    ))?;
    let mut found = statement.query([])?;
    let mut records = Vec::new();
    while let Some(row) = found.next()? {
        records.push(rows::activation(row)?);
    }
    Ok(records)
}

pub(super) fn one(connection: &Connection, id: ActivationId) -> Sql<Option<ActivationRecord>> {
    let found = query(connection, "id = ?1", [id.as_bytes()])?;
    Ok(found.into_iter().next().map(|open| open.record))
}

/// Accepts it, unless it is known: waiting, running, or ended. `false`: it has ended.
pub(super) fn insert(
    connection: &Connection,
    new: &NewActivation,
    accepted: Timestamp,
) -> Sql<bool> {
    let inserted = connection
        .prepare_cached(
            "INSERT INTO activation
                 (id, registration, task, details, accepted, not_before, journal, inherited)
             SELECT ?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8
             WHERE NOT EXISTS (SELECT 1 FROM run WHERE activation = ?1)
             ON CONFLICT (id) DO NOTHING",
        )?
        .execute(params![
            new.id.as_bytes(),
            new.registration.as_bytes(),
            new.task,
            text(&new.details)?,
            micros(accepted),
            micros(new.not_before),
            new.journal,
            new.foreign,
        ])?;
    if inserted > 0 {
        return Ok(true);
    }
    let open = connection
        .prepare_cached("SELECT 1 FROM activation WHERE id = ?1")?
        .exists([new.id.as_bytes()])?;
    Ok(open)
}

pub(super) fn claim(connection: &Connection, claim: &Claim) -> Sql<Option<Lease>> {
    // The same run asking again gets the lease it has: its first answer may have been lost.
    let found = connection
        .prepare_cached(
            "UPDATE activation SET
                 attempt = attempt + (run IS NULL),
                 fence = fence + (run IS NULL),
                 started = iif(run IS NULL, ?3, started),
                 run = ?2
             WHERE id = ?1 AND (run IS NULL OR run = ?2)
             RETURNING attempt, fence",
        )?
        .query_row(
            params![
                claim.activation.as_bytes(),
                claim.run.as_bytes(),
                micros(claim.at)
            ],
            |row| Ok((row.get(0)?, row.get::<_, i64>(1)?)),
        )
        .optional()?;
    Ok(found.map(|(attempt, fence)| Lease {
        attempt,
        fence: fence.unsigned_abs(),
    }))
}

pub(super) fn release(connection: &Connection, release: &Release) -> Sql<()> {
    connection
        .prepare_cached(
            "UPDATE activation SET run = NULL, started = NULL, attempt = attempt - 1
             WHERE id = ?1 AND run = ?2",
        )?
        .execute(params![
            release.activation.as_bytes(),
            release.run.as_bytes()
        ])?;
    Ok(())
}

pub(super) fn finish(connection: &Connection, finish: &Finish) -> Sql<bool> {
    let Some(running) = running(connection, finish)? else {
        return Ok(false);
    };
    let mut outcome = depth::keepable(&finish.outcome);
    if outcome.is_completed()
        && let Some(refused) = kept::apply(connection, &finish.data)?
    {
        outcome = Cow::Owned(Outcome::Failed {
            error: refused.of_run(),
        });
    }
    if let Some(cpu) = finish.cpu {
        kept::use_energy(connection, &running.task, finish.at, cpu, finish.on_battery)?;
    }
    // What would wait for a registration that is gone would wait for ever.
    let retry_at = match finish.retry_at {
        Some(at) if registrations::is_there(connection, running.registration)? => Some(at),
        _ => None,
    };
    connection
        .prepare_cached(
            "INSERT INTO run (run, activation, registration, task, attempt, accepted, started,
                 ended, outcome, progress, retry_at, undelivered)
             SELECT run, id, registration, task, attempt, accepted, started, ?2, ?3, ?4, ?5,
                 journal AND ?5 IS NULL
             FROM activation WHERE id = ?1",
        )?
        .execute(params![
            finish.activation.as_bytes(),
            micros(finish.at),
            text(&*outcome)?,
            finish.progress.as_ref().map(text).transpose()?,
            retry_at.map(micros),
        ])?;
    match retry_at {
        Some(at) => {
            connection
                .prepare_cached(
                    "UPDATE activation SET run = NULL, started = NULL, not_before = ?2 WHERE id = ?1",
                )?
                .execute(params![finish.activation.as_bytes(), micros(at)])?;
        }
        None => {
            delete(connection, finish.activation)?;
            if finish.ends_registration && !running.foreign {
                registrations::end(connection, running.registration, finish.at)?;
            }
        }
    }
    Ok(true)
}

/// What the end of a run needs of its activation.
struct Claimed {
    registration: RegistrationId,
    task: String,
    foreign: bool,
}

/// The activation whose last claim this run is.
fn running(connection: &Connection, finish: &Finish) -> Sql<Option<Claimed>> {
    let found = connection
        .prepare_cached(
            "SELECT registration, task, inherited FROM activation
             WHERE id = ?1 AND fence = ?2 AND run IS NOT NULL",
        )?
        .query_row(
            params![finish.activation.as_bytes(), number(finish.fence)],
            |row| {
                Ok(Claimed {
                    registration: RegistrationId::from_bytes(row.get(0)?),
                    task: row.get(1)?,
                    foreign: row.get(2)?,
                })
            },
        )
        .optional()?;
    Ok(found)
}

pub(super) fn suppress(connection: &Connection, suppress: &Suppress) -> Sql<bool> {
    let found = query(
        connection,
        "id = ?1 AND run IS NULL",
        params![suppress.activation.as_bytes()],
    )?;
    let Some(open) = found.into_iter().next() else {
        return Ok(false);
    };
    end_suppressed(
        connection,
        &open,
        suppress.at,
        &suppress.why,
        suppress.ends_registration,
    )?;
    Ok(true)
}

/// Records what waits for a registration that is no longer declared.
pub(super) fn remove_waiting(
    connection: &Connection,
    registration: RegistrationId,
    now: Timestamp,
) -> Sql<()> {
    let waiting = query(
        connection,
        "registration = ?1 AND run IS NULL",
        params![registration.as_bytes()],
    )?;
    for open in waiting {
        end_suppressed(connection, &open, now, &Suppression::Removed, false)?;
    }
    Ok(())
}

/// What was accepted under the old declaration goes on under the new one, but does not end it.
pub(super) fn inherit(
    connection: &Connection,
    old: RegistrationId,
    new: RegistrationId,
) -> Sql<()> {
    connection
        .prepare_cached(
            "UPDATE activation SET registration = ?2, inherited = 1 WHERE registration = ?1",
        )?
        .execute(params![old.as_bytes(), new.as_bytes()])?;
    Ok(())
}

pub(super) fn recover(connection: &Connection, now: Timestamp) -> Sql<Vec<ActivationRecord>> {
    let orphans = query(
        connection,
        "run IS NULL AND registration NOT IN (SELECT id FROM registration)",
        [],
    )?;
    for open in orphans {
        end_suppressed(connection, &open, now, &Suppression::Removed, false)?;
    }
    let mut recovered = Vec::new();
    for mut open in query(connection, "run IS NOT NULL", [])? {
        let kept = registrations::kept(connection, open.record.registration)?;
        let why = match &kept {
            None => Some(Suppression::Removed),
            Some(kept) if kept.at_most_once => Some(Suppression::AtMostOnce),
            Some(_) => None,
        };
        if let Some(why) = why {
            let ending = kept.is_some_and(|kept| kept.ending);
            end_suppressed(connection, &open, now, &why, ending)?;
            continue;
        }
        connection
            .prepare_cached("UPDATE activation SET run = NULL, started = NULL WHERE id = ?1")?
            .execute([open.record.id.as_bytes()])?;
        open.record.run = None;
        recovered.push(open.record);
    }
    Ok(recovered)
}

/// An activation that has not ended, with what its record does not show.
struct Open {
    record: ActivationRecord,
    started: Option<Timestamp>,
}

fn query(
    connection: &Connection,
    condition: &str,
    parameters: impl rusqlite::Params,
) -> Sql<Vec<Open>> {
    let mut statement = connection.prepare_cached(&format!(
        "SELECT {}, started FROM activation WHERE {condition} ORDER BY seq",
        rows::ACTIVATION
    ))?;
    let mut found = statement.query(parameters)?;
    let mut open = Vec::new();
    while let Some(row) = found.next()? {
        open.push(opened(row)?);
    }
    Ok(open)
}

fn opened(row: &Row<'_>) -> Sql<Open> {
    Ok(Open {
        record: rows::activation(row)?,
        started: rows::time_if(row, 11)?,
    })
}

fn end_suppressed(
    connection: &Connection,
    open: &Open,
    at: Timestamp,
    why: &Suppression,
    ends_registration: bool,
) -> Sql<()> {
    let record = &open.record;
    let outcome = Outcome::Suppressed { why: why.clone() };
    let run = ended(record, open.started, at, &outcome);
    runs::insert(connection, &run, record.journal)?;
    delete(connection, record.id)?;
    registrations::note_suppression(connection, record.registration, at, why)?;
    if ends_registration && !record.foreign {
        registrations::end(connection, record.registration, at)?;
    }
    Ok(())
}

fn ended(
    record: &ActivationRecord,
    started: Option<Timestamp>,
    at: Timestamp,
    outcome: &Outcome,
) -> RunRecord {
    RunRecord {
        run: record.run.unwrap_or_else(|| RunId::of_unstarted(record.id)),
        activation: record.id,
        registration: record.registration,
        task: record.task.clone(),
        attempt: record.attempt,
        accepted: record.accepted,
        started,
        ended: at,
        outcome: outcome.clone(),
        progress: None,
        retry_at: None,
    }
}

fn delete(connection: &Connection, id: ActivationId) -> Sql<()> {
    connection
        .prepare_cached("DELETE FROM activation WHERE id = ?1")?
        .execute([id.as_bytes()])?;
    Ok(())
}
