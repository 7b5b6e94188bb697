//! Rows as records. What is in the file is not trusted: a value this version would not write is
//! an error that says so, never a panic.

use jiff::Timestamp;
use rusqlite::{Row, types::FromSql};
use serde::{Serialize, de::DeserializeOwned};

use super::fault::{Fault, Sql};
use crate::{
    ActivationId, RegistrationId, RunId,
    store::{ActivationRecord, Origin, RegistrationRecord, RunRecord, registration::Stance},
};

/// When the last run of a registration started: no run writes that, so it is looked for among those
/// recorded after `seen`.
macro_rules! last_run {
    () => {
        "coalesce((SELECT run.started FROM run WHERE run.task = registration.name \
            AND run.seq > registration.seen AND run.registration = registration.id \
            AND run.started IS NOT NULL ORDER BY run.seq DESC LIMIT 1), last_run)"
    };
}

/// A time as it is kept. The last second there is counts as its beginning: only that can be read
/// back as microseconds.
pub(super) fn micros(time: Timestamp) -> i64 {
    time.as_microsecond()
        .min(Timestamp::MAX.as_second() * 1_000_000)
}

/// A counter as it is kept. One too large to be kept equals none that is.
pub(super) fn number(count: u64) -> i64 {
    i64::try_from(count).unwrap_or(-1)
}

/// A structure as it is kept.
pub(super) fn text<T: Serialize>(value: &T) -> Sql<String> {
    serde_json::to_string(value).map_err(|error| Fault::Value(error.to_string()))
}

pub(super) const REGISTRATION: &str = concat!(
    "id, name, entry, origin, part_of, kind, declaration, fingerprint, due, generation, created, \
     last_fired, ",
    last_run!(),
    ", last_throttled, ended, chosen, quarantine, suppressions, suppressed, suppression"
);

pub(super) const LAST_RUN: &str = last_run!();

pub(super) fn registration(row: &Row<'_>) -> Sql<RegistrationRecord> {
    let origin: String = get(row, 3)?;
    let suppressed = time_if(row, 18)?;
    let why = structure_if(row, 19)?;
    let stance = stance(row, 15)?;
    Ok(RegistrationRecord {
        id: RegistrationId::from_bytes(get(row, 0)?),
        name: get(row, 1)?,
        entry: get(row, 2)?,
        origin: Origin::of_word(&origin)
            .ok_or_else(|| Fault::Value(format!("`{origin}` is no origin")))?,
        group: get(row, 4)?,
        kind: get(row, 5)?,
        declaration: get(row, 6)?,
        fingerprint: get(row, 7)?,
        due: time_if(row, 8)?,
        generation: count(row, 9)?,
        created: time(row, 10)?,
        last_fired: time_if(row, 11)?,
        last_run: time_if(row, 12)?,
        last_throttled: time_if(row, 13)?,
        ended: time_if(row, 14)?,
        standing: stance.standing().clone(),
        chosen: stance.chosen,
        suppressed: count(row, 17)?,
        last_suppression: suppressed.zip(why),
    })
}

/// The user's standing for a registration, and in the next column what hides it.
pub(super) fn stance(row: &Row<'_>, column: usize) -> Sql<Stance> {
    Ok(Stance {
        chosen: structure_if(row, column)?.unwrap_or_default(),
        quarantine: structure_if(row, column + 1)?,
    })
}

/// `inherited` is said of all that its registration's own trigger did not fire.
pub(super) const ACTIVATION: &str = "id, registration, task, details, accepted, not_before, attempt, fence, run, journal, \
     inherited";

pub(super) fn activation(row: &Row<'_>) -> Sql<ActivationRecord> {
    Ok(ActivationRecord {
        id: ActivationId::from_bytes(get(row, 0)?),
        registration: RegistrationId::from_bytes(get(row, 1)?),
        task: get(row, 2)?,
        details: structure(row, 3)?,
        accepted: time(row, 4)?,
        not_before: time(row, 5)?,
        attempt: get(row, 6)?,
        fence: count(row, 7)?,
        run: get::<Option<[u8; 16]>>(row, 8)?.map(RunId::from_bytes),
        journal: get(row, 9)?,
        foreign: get(row, 10)?,
    })
}

pub(super) const RUN: &str = "run, activation, registration, task, attempt, accepted, started, \
     ended, outcome, progress, retry_at";

pub(super) fn run(row: &Row<'_>) -> Sql<RunRecord> {
    Ok(RunRecord {
        run: RunId::from_bytes(get(row, 0)?),
        activation: ActivationId::from_bytes(get(row, 1)?),
        registration: RegistrationId::from_bytes(get(row, 2)?),
        task: get(row, 3)?,
        attempt: get(row, 4)?,
        accepted: time(row, 5)?,
        started: time_if(row, 6)?,
        ended: time(row, 7)?,
        outcome: structure(row, 8)?,
        progress: structure_if(row, 9)?,
        retry_at: time_if(row, 10)?,
    })
}

pub(super) fn get<T: FromSql>(row: &Row<'_>, column: usize) -> Sql<T> {
    Ok(row.get(column)?)
}

pub(super) fn count(row: &Row<'_>, column: usize) -> Sql<u64> {
    let kept: i64 = get(row, column)?;
    u64::try_from(kept).map_err(|_| Fault::Value(format!("{kept} is no counter")))
}

pub(super) fn time(row: &Row<'_>, column: usize) -> Sql<Timestamp> {
    as_time(get(row, column)?)
}

pub(super) fn time_if(row: &Row<'_>, column: usize) -> Sql<Option<Timestamp>> {
    get::<Option<i64>>(row, column)?.map(as_time).transpose()
}

fn as_time(kept: i64) -> Sql<Timestamp> {
    Timestamp::from_microsecond(kept).map_err(|error| Fault::Value(error.to_string()))
}

pub(super) fn structure<T: DeserializeOwned>(row: &Row<'_>, column: usize) -> Sql<T> {
    parse(&get::<String>(row, column)?)
}

fn structure_if<T: DeserializeOwned>(row: &Row<'_>, column: usize) -> Sql<Option<T>> {
    let kept: Option<String> = get(row, column)?;
    kept.as_deref().map(parse).transpose()
}

fn parse<T: DeserializeOwned>(kept: &str) -> Sql<T> {
    serde_json::from_str(kept).map_err(|error| Fault::Value(error.to_string()))
}
