//! Statements about what happened.

use rusqlite::{Connection, params};

use super::{
    fault::Sql,
    rows::{self, micros, text},
};
use crate::{
    Event,
    store::{
        LogQuery,
        log::{self, Sources},
    },
};

pub(super) fn write(connection: &Connection, events: &[Event]) -> Sql<()> {
    let mut statement =
        connection.prepare_cached("INSERT INTO log (at, task, kind) VALUES (?1, ?2, ?3)")?;
    for event in events.iter().filter(|event| log::is_kept(event)) {
        statement.execute(params![micros(event.at), event.task, text(&event.kind)?])?;
    }
    Ok(())
}

pub(super) fn read(connection: &Connection, query: &LogQuery) -> Sql<Vec<Event>> {
    let sources = Sources {
        events: events(connection, query)?,
        runs: runs(connection, query)?,
        open: open(connection, query)?,
    };
    Ok(log::merge(query, sources))
}

fn events(connection: &Connection, query: &LogQuery) -> Sql<Vec<Event>> {
    let mut statement = connection.prepare_cached(&format!(
        "SELECT at, task, kind FROM log WHERE {} AND {} ORDER BY seq DESC LIMIT {}",
        of_task(query),
        since(query, "at"),
        limit(query),
    ))?;
    let mut found = statement.query(params![query.task])?;
    let mut all = Vec::new();
    while let Some(row) = found.next()? {
        // A later version may have written what this one does not know: the rest is told.
        if let Ok(kind) = rows::structure(row, 2) {
            all.push(Event {
                at: rows::time(row, 0)?,
                task: rows::get(row, 1)?,
                kind,
            });
        }
    }
    Ok(all)
}

fn runs(connection: &Connection, query: &LogQuery) -> Sql<Vec<(crate::RunRecord, bool)>> {
    let mut statement = connection.prepare_cached(&format!(
        "SELECT {}, NOT EXISTS (SELECT 1 FROM run AS other
             WHERE other.activation = run.activation AND other.seq < run.seq)
         FROM run WHERE {} AND {} ORDER BY seq DESC LIMIT {}",
        rows::RUN,
        of_task(query),
        since(query, "ended"),
        limit(query),
    ))?;
    let mut found = statement.query(params![query.task])?;
    let mut all = Vec::new();
    while let Some(row) = found.next()? {
        all.push((rows::run(row)?, rows::get(row, 11)?));
    }
    Ok(all)
}

fn open(
    connection: &Connection,
    query: &LogQuery,
) -> Sql<Vec<(crate::ActivationRecord, Option<jiff::Timestamp>, bool)>> {
    let mut statement = connection.prepare_cached(&format!(
        "SELECT {}, started, NOT EXISTS (SELECT 1 FROM run WHERE run.activation = activation.id)
         FROM activation WHERE {} ORDER BY seq DESC",
        rows::ACTIVATION,
        of_task(query),
    ))?;
    let mut found = statement.query(params![query.task])?;
    let mut all = Vec::new();
    while let Some(row) = found.next()? {
        let first = rows::get(row, 12)?;
        all.push((rows::activation(row)?, rows::time_if(row, 11)?, first));
    }
    Ok(all)
}

/// The condition is another text where there is none, so that each uses its index.
fn of_task(query: &LogQuery) -> &'static str {
    match query.task {
        Some(_) => "task = ?1",
        None => "?1 IS NULL",
    }
}

fn since(query: &LogQuery, column: &str) -> String {
    match query.since {
        Some(since) => format!("{column} >= {}", micros(since)),
        None => "1".to_owned(),
    }
}

fn limit(query: &LogQuery) -> i64 {
    match query.limit {
        0 => -1,
        limit => i64::from(limit),
    }
}
