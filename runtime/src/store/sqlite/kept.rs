//! Statements about what is kept beside registrations, activations and runs.

use std::time::Duration;

use jiff::Timestamp;
use rusqlite::{Connection, OptionalExtension, params};
use serde_json::Value;

use super::{
    fault::{Fault, Sql},
    rows::{self, micros},
};
use crate::store::{
    DataChange, DataQuery, EnergyRow,
    data::{self, Refused},
    energy::hour_of,
};

pub(super) fn meta(connection: &Connection, key: &str) -> Sql<Option<String>> {
    let mut statement = connection.prepare_cached("SELECT value FROM meta WHERE key = ?1")?;
    Ok(statement.query_row([key], |row| row.get(0)).optional()?)
}

pub(super) fn set_meta(connection: &Connection, key: &str, text: Option<&str>) -> Sql<()> {
    match text {
        Some(text) => connection
            .prepare_cached("INSERT OR REPLACE INTO meta (key, value) VALUES (?1, ?2)")?
            .execute([key, text])?,
        None => connection
            .prepare_cached("DELETE FROM meta WHERE key = ?1")?
            .execute([key])?,
    };
    Ok(())
}

pub(super) fn data(connection: &Connection, query: &DataQuery) -> Sql<Vec<(String, Value)>> {
    let (DataQuery::Key(from) | DataQuery::Prefix(from)) = query;
    let mut statement =
        connection.prepare_cached("SELECT key, value FROM data WHERE key >= ?1 ORDER BY key")?;
    let mut found = statement.query([from])?;
    let mut all = Vec::new();
    while let Some(row) = found.next()? {
        let key: String = rows::get(row, 0)?;
        let wanted = match query {
            DataQuery::Key(wanted) => key == *wanted,
            DataQuery::Prefix(prefix) => key.starts_with(prefix),
        };
        if !wanted {
            break;
        }
        all.push((key, rows::structure(row, 1)?));
    }
    Ok(all)
}

pub(super) fn change_data(connection: &Connection, changes: &[DataChange]) -> Sql<bool> {
    match apply(connection, changes)? {
        None => Ok(true),
        Some(Refused::Differs(_)) => Ok(false),
        Some(Refused::TooDeep(key)) => Err(Fault::Refused(data::too_deep(&key))),
    }
}

/// Makes the changes, or says why none of them can be made.
pub(super) fn apply(connection: &Connection, changes: &[DataChange]) -> Sql<Option<Refused>> {
    if let Some(refused) = data::refusal(changes, |key| text(connection, key))? {
        return Ok(Some(refused));
    }
    for change in changes {
        match change {
            DataChange::Set { key, value } => connection
                .prepare_cached("INSERT OR REPLACE INTO data (key, value) VALUES (?1, ?2)")?
                .execute([key, &value.to_string()])?,
            DataChange::Remove { key } => connection
                .prepare_cached("DELETE FROM data WHERE key = ?1")?
                .execute([key])?,
            DataChange::Compare { .. } => 0,
        };
    }
    Ok(None)
}

fn text(connection: &Connection, key: &str) -> Sql<Option<String>> {
    let mut statement = connection.prepare_cached("SELECT value FROM data WHERE key = ?1")?;
    Ok(statement.query_row([key], |row| row.get(0)).optional()?)
}

pub(super) fn use_energy(
    connection: &Connection,
    task: &str,
    at: Timestamp,
    cpu: Duration,
    battery: bool,
) -> Sql<()> {
    let cpu = i64::try_from(cpu.as_micros()).unwrap_or(i64::MAX);
    connection
        .prepare_cached(
            "INSERT INTO energy (task, hour, cpu, on_battery) VALUES (?1, ?2, ?3, ?4)
             ON CONFLICT (task, hour) DO UPDATE SET
                 cpu = cpu + excluded.cpu,
                 on_battery = on_battery + excluded.on_battery",
        )?
        .execute(params![
            task,
            micros(hour_of(at)),
            cpu,
            if battery { cpu } else { 0 }
        ])?;
    Ok(())
}

pub(super) fn energy(connection: &Connection, since: Timestamp) -> Sql<Vec<EnergyRow>> {
    let mut statement = connection.prepare_cached(
        "SELECT task, hour, cpu, on_battery FROM energy WHERE hour >= ?1 ORDER BY hour, task",
    )?;
    let mut found = statement.query([micros(hour_of(since))])?;
    let mut all = Vec::new();
    while let Some(row) = found.next()? {
        all.push(EnergyRow {
            task: rows::get(row, 0)?,
            hour: rows::time(row, 1)?,
            cpu: Duration::from_micros(rows::count(row, 2)?),
            on_battery: Duration::from_micros(rows::count(row, 3)?),
        });
    }
    Ok(all)
}
