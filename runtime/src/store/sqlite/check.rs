//! Examines the whole file, and changes nothing.

use rusqlite::{Connection, Row};

use super::{fault::Sql, rows};
use crate::{
    EventKind,
    store::{
        Finding,
        examination::{self, Examined},
    },
};

/// So many of the engine's own findings are told.
const MOST: u32 = 20;

const REPAIR: &str = "copy the store's files away, then try `sqlite3 store.db .recover`; without \
                      them the app begins with an empty store";

pub(super) fn check(connection: &Connection) -> Sql<Vec<Finding>> {
    let mut found = engine(connection)?;
    if !found.is_empty() {
        // What is damaged cannot be counted on.
        return Ok(found);
    }
    let mut read = Reading {
        connection,
        found: &mut found,
    };
    let registrations = read.all("registration", rows::REGISTRATION, rows::registration)?;
    let activations = read.all("activation", rows::ACTIVATION, rows::activation)?;
    let runs = read.all("run", rows::RUN, |row| rows::run(row).map(drop))?;
    let events = read.all("log", "kind, at", |row| {
        rows::time(row, 1)?;
        rows::structure::<EventKind>(row, 0).map(drop)
    })?;
    let keys = read.all("data", "value", |row| {
        rows::structure::<serde_json::Value>(row, 0).map(drop)
    })?;
    let ended_twice: i64 = connection.query_row(
        "SELECT count(*) FROM (
             SELECT activation FROM run WHERE retry_at IS NULL
             GROUP BY activation HAVING count(*) > 1
             UNION
             SELECT run.activation FROM run JOIN activation AS open ON open.id = run.activation
             WHERE run.retry_at IS NULL)",
        [],
        |row| row.get(0),
    )?;
    found.extend(examination::findings(&Examined {
        registrations,
        activations,
        runs: runs.len() as u64,
        events: events.len() as u64,
        keys: keys.len() as u64,
        ended_twice: ended_twice.unsigned_abs(),
    }));
    found.sort_by_key(|finding| std::cmp::Reverse(finding.severity));
    Ok(found)
}

/// What the engine finds. <https://sqlite.org/pragma.html#pragma_integrity_check>
fn engine(connection: &Connection) -> Sql<Vec<Finding>> {
    let mut statement = connection.prepare(&format!("PRAGMA integrity_check({MOST})"))?;
    let mut rows = statement.query([])?;
    let mut found = Vec::new();
    while let Some(row) = rows.next()? {
        let verdict: String = rows::get(row, 0)?;
        if verdict != "ok" {
            found.push(Finding::fault(
                format!("the file is damaged: {verdict}"),
                REPAIR,
            ));
        }
    }
    Ok(found)
}

struct Reading<'a> {
    connection: &'a Connection,
    found: &'a mut Vec<Finding>,
}

impl Reading<'_> {
    /// The rows of a table that can be read; each of the others is a finding.
    fn all<T>(
        &mut self,
        table: &str,
        columns: &str,
        read: impl Fn(&Row<'_>) -> Sql<T>,
    ) -> Sql<Vec<T>> {
        let mut statement = self
            .connection
            .prepare(&format!("SELECT {columns} FROM {table} ORDER BY rowid"))?;
        let mut rows = statement.query([])?;
        let mut all = Vec::new();
        let mut place = 0_u64;
        while let Some(row) = rows.next()? {
            place += 1;
            match read(row) {
                Ok(one) => all.push(one),
                Err(fault) => self.found.push(Finding::fault(
                    format!("row {place} of `{table}` cannot be read: {fault}"),
                    "a later version may have written it: use that one",
                )),
            }
        }
        Ok(all)
    }
}
