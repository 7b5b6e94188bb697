//! Statements about ended runs.

use rusqlite::{Connection, params};

use super::{
    fault::Sql,
    registrations,
    rows::{self, micros, text},
};
use crate::{
    RunId,
    store::{HistoryQuery, Retention, RunRecord, energy::hour_of},
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
            text(&run.outcome)?,
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

/// Goes from name to name in the index, whatever number of runs each has.
pub(super) fn tasks(connection: &Connection) -> Sql<Vec<String>> {
    let mut statement = connection.prepare(
        "WITH RECURSIVE name (task) AS (
           SELECT min(task) FROM run
           UNION ALL
           SELECT (SELECT min(task) FROM run WHERE task > name.task) FROM name
           WHERE name.task IS NOT NULL
         )
         SELECT task FROM name WHERE task IS NOT NULL",
    )?;
    let names = statement.query_map([], |row| row.get(0))?;
    Ok(names.collect::<Result<_, _>>()?)
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
    let mut statement = connection
        .prepare_cached("UPDATE run SET undelivered = 0 WHERE run = ?1 AND undelivered = 1")?;
    for run in runs {
        statement.execute([run.as_bytes()])?;
    }
    Ok(())
}

/// So many rows are removed in one transaction, which bounds how long it holds the turn.
const PART: i64 = 5000;

/// Removes a part of what is too old or too much; the number of runs and events removed. Nothing
/// more is to be removed when it is 0.
///
/// What is old is looked for at the beginning: rows are in the order in which they were recorded. Of
/// those with a time to come, written by a clock that was wrong, only so many can hide others.
pub(super) fn prune(connection: &Connection, keep: Retention) -> Sql<u64> {
    let before = micros(keep.before);
    let mut removed = 0;
    for (table, time) in [("run", "ended"), ("log", "at")] {
        let newest = newest(connection, table)?;
        let most = newest - i64::from(keep.most);
        let is_to_go = format!(
            "FROM {table} WHERE seq IN (SELECT seq FROM {table} ORDER BY seq LIMIT {PART})
                 AND ({time} < ?1 OR seq <= ?2)"
        );
        let any = connection
            .prepare_cached(&format!("SELECT 1 {is_to_go} LIMIT 1"))?
            .exists([before, most])?;
        if !any {
            continue;
        }
        if table == "run" {
            registrations::keep_last_runs(connection)?;
        }
        removed += connection
            .prepare_cached(&format!("DELETE {is_to_go}"))?
            .execute([before, most])?;
        if table == "run" {
            registrations::see_again(connection)?;
        }
    }
    Ok(removed as u64)
}

fn newest(connection: &Connection, table: &str) -> Sql<i64> {
    let newest = format!("SELECT coalesce(max(seq), 0) FROM {table}");
    Ok(connection
        .prepare_cached(&newest)?
        .query_row([], |row| row.get(0))?)
}

pub(super) fn prune_rest(connection: &Connection, keep: Retention) -> Sql<()> {
    connection
        .prepare_cached("DELETE FROM energy WHERE hour < ?1")?
        .execute([micros(hour_of(keep.before))])?;
    connection
        .prepare_cached(
            "DELETE FROM registration WHERE origin = 'built' AND ended < ?1
                 AND NOT EXISTS
                     (SELECT 1 FROM activation WHERE activation.registration = registration.id)",
        )?
        .execute([micros(keep.before)])?;
    Ok(())
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
