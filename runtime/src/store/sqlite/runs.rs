//! Statements about ended runs.

use jiff::Timestamp;
use rusqlite::{Connection, params};

use super::{
    fault::Sql,
    rows::{self, micros, text},
};
use crate::{
    RunId,
    store::{HistoryQuery, RunRecord, depth},
};

pub(super) fn insert(connection: &Connection, run: &RunRecord, undelivered: bool) -> Sql<()> {
    connection
        .prepare_cached(
            "INSERT INTO run (run, activation, registration, task, attempt, accepted, started,
                 ended, outcome, progress, retry_at, undelivered)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12)",
        )?
        .execute(params![
            run.run.as_bytes(),
            run.activation.as_bytes(),
            run.registration.as_bytes(),
            run.task,
            run.attempt,
            micros(run.accepted),
            run.started.map(micros),
            micros(run.ended),
            text(&depth::keepable(&run.outcome))?,
            run.progress.as_ref().map(text).transpose()?,
            run.retry_at.map(micros),
            undelivered,
        ])?;
    Ok(())
}

pub(super) fn history(connection: &Connection, query: &HistoryQuery) -> Sql<Vec<RunRecord>> {
    let limit = match query.limit {
        0 => -1,
        limit => i64::from(limit),
    };
    let columns = rows::RUN;
    // One text for each filter, so that each uses its index.
    match (&query.activation, &query.task) {
        (None, None) => select(
            connection,
            &format!("SELECT {columns} FROM run ORDER BY seq DESC LIMIT ?1"),
            params![limit],
        ),
        (None, Some(task)) => select(
            connection,
            &format!("SELECT {columns} FROM run WHERE task = ?2 ORDER BY seq DESC LIMIT ?1"),
            params![limit, task],
        ),
        (Some(activation), task) => select(
            connection,
            &format!(
                "SELECT {columns} FROM run
                 WHERE activation = ?2 AND (?3 IS NULL OR task = ?3)
                 ORDER BY seq DESC LIMIT ?1"
            ),
            params![limit, activation.as_bytes(), task],
        ),
    }
}

pub(super) fn undelivered(connection: &Connection) -> Sql<Vec<RunRecord>> {
    select(
        connection,
        &format!(
            "SELECT {} FROM run WHERE undelivered = 1 ORDER BY seq",
            rows::RUN
        ),
        [],
    )
}

pub(super) fn deliver(connection: &Connection, runs: &[RunId]) -> Sql<()> {
    let mut statement =
        connection.prepare_cached("UPDATE run SET undelivered = 0 WHERE run = ?1")?;
    for run in runs {
        statement.execute([run.as_bytes()])?;
    }
    Ok(())
}

pub(super) fn prune(connection: &Connection, before: Timestamp) -> Sql<u64> {
    let removed = connection
        .prepare_cached("DELETE FROM run WHERE ended < ?1 AND undelivered = 0")?
        .execute([micros(before)])?;
    Ok(removed as u64)
}

fn select(
    connection: &Connection,
    statement: &str,
    parameters: impl rusqlite::Params,
) -> Sql<Vec<RunRecord>> {
    let mut statement = connection.prepare_cached(statement)?;
    let mut found = statement.query(parameters)?;
    let mut records = Vec::new();
    while let Some(row) = found.next()? {
        records.push(rows::run(row)?);
    }
    Ok(records)
}
