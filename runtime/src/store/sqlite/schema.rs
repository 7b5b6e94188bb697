//! The tables, how they came to be, and how a connection is set up.
//!
//! Migrations go forward only: a version that does not know a file's schema refuses it unchanged.

use std::{path::Path, time::Duration};

use rusqlite::{Connection, OpenFlags, config::DbConfig};

use super::{
    fault::{self, Fault, Sql},
    writer,
};
use crate::{Code, Error, store::Durability};

/// Marks a file as ours: the letters `bgtk`. <https://sqlite.org/pragma.html#pragma_application_id>
const APPLICATION: i32 = 0x6267_746b;

/// Each brings a file from the version of its index to the next.
pub(super) const MIGRATIONS: &[&str] = &[FIRST, SECOND, THIRD];

/// Times are microseconds since 1970 UTC, identities 16 bytes, structures JSON text. `seq` is the
/// order of acceptance: it holds when the wall clock is set back.
const FIRST: &str = "
CREATE TABLE registration (
    seq                INTEGER PRIMARY KEY AUTOINCREMENT,
    id                 BLOB NOT NULL UNIQUE CHECK (length(id) = 16),
    name               TEXT NOT NULL UNIQUE,
    declaration        TEXT NOT NULL,
    fingerprint        TEXT NOT NULL,
    due                INTEGER,
    generation         INTEGER NOT NULL DEFAULT 0,
    created            INTEGER NOT NULL,
    last_fired         INTEGER,
    ending             INTEGER NOT NULL DEFAULT 0, -- fired for the last time: ends with its outcome
    ended              INTEGER,
    suppressed         INTEGER,
    suppression        TEXT
) STRICT;

CREATE TABLE activation (
    seq                INTEGER PRIMARY KEY AUTOINCREMENT,
    id                 BLOB NOT NULL UNIQUE CHECK (length(id) = 16),
    registration       BLOB NOT NULL,
    task               TEXT NOT NULL,
    details            TEXT NOT NULL,
    accepted           INTEGER NOT NULL,
    not_before         INTEGER NOT NULL,
    attempt            INTEGER NOT NULL DEFAULT 0,
    fence              INTEGER NOT NULL DEFAULT 0,
    run                BLOB,                       -- while it is running
    started            INTEGER,
    journal            INTEGER NOT NULL,
    inherited          INTEGER NOT NULL DEFAULT 0  -- accepted under a declaration since replaced
) STRICT;
CREATE INDEX activation_registration ON activation (registration);

CREATE TABLE run (
    seq                INTEGER PRIMARY KEY AUTOINCREMENT,
    run                BLOB NOT NULL UNIQUE CHECK (length(run) = 16),
    activation         BLOB NOT NULL,
    registration       BLOB NOT NULL,
    task               TEXT NOT NULL,
    attempt            INTEGER NOT NULL,
    accepted           INTEGER NOT NULL,
    started            INTEGER,
    ended              INTEGER NOT NULL,
    outcome            TEXT NOT NULL,
    progress           TEXT,
    retry_at           INTEGER,
    undelivered        INTEGER NOT NULL
) STRICT;
CREATE INDEX run_task ON run (task, seq);
CREATE INDEX run_activation ON run (activation, seq);
CREATE INDEX run_ended ON run (ended);
CREATE INDEX run_undelivered ON run (seq) WHERE undelivered = 1;
";

/// Names are no longer unique, and a registration tells who made it and what it may do. What has no
/// kind yet gets it with the next launch, which writes each declaration again.
const SECOND: &str = "
CREATE TABLE made (
    seq                INTEGER PRIMARY KEY AUTOINCREMENT,
    id                 BLOB NOT NULL UNIQUE CHECK (length(id) = 16),
    name               TEXT NOT NULL,
    entry              TEXT NOT NULL,              -- the declared task whose body runs
    origin             TEXT NOT NULL CHECK (origin IN ('declared', 'built')),
    part_of            TEXT,                       -- its group
    kind               TEXT NOT NULL,              -- its trigger's word
    declaration        TEXT NOT NULL,
    fingerprint        TEXT NOT NULL,
    due                INTEGER,
    generation         INTEGER NOT NULL DEFAULT 0,
    created            INTEGER NOT NULL,
    last_fired         INTEGER,
    last_run           INTEGER,                    -- of the runs up to `seen`
    seen               INTEGER NOT NULL DEFAULT 0, -- seq of a run
    last_throttled     INTEGER,
    ending             INTEGER NOT NULL DEFAULT 0, -- fired for the last time: ends with its outcome
    ended              INTEGER,
    chosen             TEXT,                       -- the user's standing for it; NULL: enabled
    quarantine         TEXT,                       -- what hides that standing
    suppressions       INTEGER NOT NULL DEFAULT 0,
    suppressed         INTEGER,
    suppression        TEXT
) STRICT;
INSERT INTO made (seq, id, name, entry, origin, kind, declaration, fingerprint, due, generation,
                  created, last_fired, ending, ended, suppressions, suppressed, suppression)
SELECT seq, id, name, name, 'declared', '', declaration, fingerprint, due, generation,
       created, last_fired, ending, ended, suppressed IS NOT NULL, suppressed, suppression
FROM registration ORDER BY seq;
DROP TABLE registration;
ALTER TABLE made RENAME TO registration;
CREATE INDEX registration_name ON registration (name);
CREATE UNIQUE INDEX registration_declared ON registration (name) WHERE origin = 'declared';
CREATE INDEX registration_kind ON registration (kind) WHERE ended IS NULL;

-- What the app and its tasks keep.
CREATE TABLE data (
    key                TEXT NOT NULL PRIMARY KEY,
    value              TEXT NOT NULL
) STRICT;

-- What this library keeps about the app.
CREATE TABLE meta (
    key                TEXT NOT NULL PRIMARY KEY,
    value              TEXT NOT NULL
) STRICT;

-- What happened, except for what activations and runs tell.
CREATE TABLE log (
    seq                INTEGER PRIMARY KEY AUTOINCREMENT,
    at                 INTEGER NOT NULL,
    task               TEXT NOT NULL,
    kind               TEXT NOT NULL
) STRICT;
CREATE INDEX log_task ON log (task, seq);
CREATE INDEX log_at ON log (at);

-- CPU time of ended runs in microseconds, by task and hour.
CREATE TABLE energy (
    task               TEXT NOT NULL,
    hour               INTEGER NOT NULL,
    cpu                INTEGER NOT NULL,
    on_battery         INTEGER NOT NULL,           -- of that
    PRIMARY KEY (task, hour)
) STRICT, WITHOUT ROWID;
";

/// What is written with each run has as few parts as it can: each part is a page of each commit. Old
/// runs are found at the beginning of their table, and one that is to be delivered by its own index.
/// The identity of a run needs none: only the claim with the last fence is ended. An order of rows is
/// one among those that are there, so a number may come again when the last row has gone.
const THIRD: &str = "
CREATE TABLE open (
    seq                INTEGER PRIMARY KEY,
    id                 BLOB NOT NULL UNIQUE CHECK (length(id) = 16),
    registration       BLOB NOT NULL,
    task               TEXT NOT NULL,
    details            TEXT NOT NULL,
    accepted           INTEGER NOT NULL,
    not_before         INTEGER NOT NULL,
    attempt            INTEGER NOT NULL DEFAULT 0,
    fence              INTEGER NOT NULL DEFAULT 0,
    run                BLOB,                       -- while it is running
    started            INTEGER,
    journal            INTEGER NOT NULL,
    inherited          INTEGER NOT NULL DEFAULT 0  -- not fired by its registration's own trigger
) STRICT;
INSERT INTO open
SELECT seq, id, registration, task, details, accepted, not_before, attempt, fence, run, started,
       journal, inherited
FROM activation;
DROP TABLE activation;
ALTER TABLE open RENAME TO activation;
CREATE INDEX activation_registration ON activation (registration);

CREATE TABLE ended (
    seq                INTEGER PRIMARY KEY,
    run                BLOB NOT NULL CHECK (length(run) = 16),
    activation         BLOB NOT NULL,
    registration       BLOB NOT NULL,
    task               TEXT NOT NULL,
    attempt            INTEGER NOT NULL,
    accepted           INTEGER NOT NULL,
    started            INTEGER,
    ended              INTEGER NOT NULL,
    outcome            TEXT NOT NULL,
    progress           TEXT,
    retry_at           INTEGER,
    undelivered        INTEGER NOT NULL
) STRICT;
INSERT INTO ended
SELECT seq, run, activation, registration, task, attempt, accepted, started, ended, outcome,
       progress, retry_at, undelivered
FROM run;
DROP TABLE run;
ALTER TABLE ended RENAME TO run;
CREATE INDEX run_task ON run (task, seq);
CREATE INDEX run_activation ON run (activation, seq);
CREATE INDEX run_undelivered ON run (run) WHERE undelivered = 1;
UPDATE registration SET seen = newest.seq
FROM (SELECT coalesce(max(seq), 0) AS seq FROM run) AS newest
WHERE seen > newest.seq;
";

/// A connection that writes; the file is made when it is not there.
pub(super) fn connect(path: &Path) -> Sql<Connection> {
    let connection = Connection::open_with_flags(
        path,
        OpenFlags::SQLITE_OPEN_READ_WRITE
            | OpenFlags::SQLITE_OPEN_CREATE
            | OpenFlags::SQLITE_OPEN_NO_MUTEX,
    )?;
    prepare(&connection)?;
    Ok(connection)
}

/// A connection that cannot write.
pub(super) fn connect_reader(path: &Path) -> Sql<Connection> {
    let connection = Connection::open_with_flags(
        path,
        OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX,
    )?;
    prepare(&connection)?;
    connection.pragma_update(None, "query_only", true)?;
    Ok(connection)
}

fn prepare(connection: &Connection) -> Sql<()> {
    connection.busy_timeout(Duration::from_secs(20))?;
    connection.set_prepared_statement_cache_capacity(64);
    // A checkpoint at close would run outside the turn, and would write to a damaged file.
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, true)?;
    connection.pragma_update(None, "trusted_schema", false)?;
    connection.pragma_update(None, "cell_size_check", true)?;
    Ok(())
}

/// What the file is, found out without writing to it.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum State {
    /// Nothing in it yet.
    Empty,
    /// Ours, of this version.
    Current,
    /// Ours, of an earlier version.
    Older(usize),
}

/// Looks whether the file is ours, of a version we know, and sound.
pub(super) fn inspect(connection: &Connection, path: &Path) -> Sql<State> {
    let state = recognize(connection, path)?;
    if state != State::Empty {
        let verdict: String =
            connection.query_row("PRAGMA quick_check(1)", [], |row| row.get(0))?;
        if verdict != "ok" {
            return Err(Fault::Refused(fault::corrupt(path).source(verdict)));
        }
    }
    Ok(state)
}

/// Looks whether the file is ours and of a version we know, and not whether it is sound.
pub(super) fn recognize(connection: &Connection, path: &Path) -> Sql<State> {
    let number =
        |pragma: &str| connection.pragma_query_value(None, pragma, |row| row.get::<_, i64>(0));
    let version = number("user_version")?;
    let objects: i64 =
        connection.query_row("SELECT count(*) FROM sqlite_master", [], |row| row.get(0))?;
    if version == 0 && objects == 0 {
        return Ok(State::Empty);
    }
    if number("application_id")? != i64::from(APPLICATION) {
        return Err(Fault::Refused(
            Error::new(
                Code::Store,
                format!("{} is a database of another program", path.display()),
            )
            .remedy("move it away, or give the app another id or state directory"),
        ));
    }
    let known = MIGRATIONS.len();
    let version = usize::try_from(version).unwrap_or(0);
    if version > known {
        return Err(Fault::Refused(
            Error::new(
                Code::StoreNewer,
                format!(
                    "the store {} was written by a newer version (schema {version}, this one \
                     knows {known})",
                    path.display()
                ),
            )
            .remedy("use the newer version; the store was not changed"),
        ));
    }
    Ok(if version == known {
        State::Current
    } else {
        State::Older(version)
    })
}

/// Makes the connection durable and the file current. To be called under the turn.
pub(super) fn bring_up(connection: &Connection, state: &State, durability: Durability) -> Sql<()> {
    connection.pragma_update(None, "synchronous", durability.synchronous())?;
    // Only macOS needs these: its fsync does not reach the medium. No effect elsewhere.
    connection.pragma_update(None, "fullfsync", true)?;
    connection.pragma_update(None, "checkpoint_fullfsync", true)?;
    let mode: String = connection.query_row("PRAGMA journal_mode = WAL", [], |row| row.get(0))?;
    if !mode.eq_ignore_ascii_case("wal") {
        return Err(Fault::Value(format!(
            "the file system allows journal mode `{mode}` only, not `wal`"
        )));
    }
    connection.query_row("PRAGMA wal_autocheckpoint = 0", [], |_| Ok(()))?;
    // A restarted log shrinks to this, so that its size tells how much is in it. What does not make
    // the file longer is synced without the file system's own log.
    let kept = format!("PRAGMA journal_size_limit = {}", writer::LOG_KEPT);
    connection.query_row(&kept, [], |_| Ok(()))?;
    let from = match state {
        State::Current => return Ok(()),
        State::Older(version) => *version,
        State::Empty => 0,
    };
    connection.execute_batch("BEGIN IMMEDIATE")?;
    let migrated = migrate(connection, from);
    if migrated.is_err() {
        // Already rolled back when the engine gave up the whole transaction.
        let _ = connection.execute_batch("ROLLBACK");
    }
    migrated
}

fn migrate(connection: &Connection, from: usize) -> Sql<()> {
    for migration in &MIGRATIONS[from..] {
        connection.execute_batch(migration)?;
    }
    connection.pragma_update(None, "application_id", APPLICATION)?;
    connection.pragma_update(None, "user_version", MIGRATIONS.len() as i64)?;
    connection.execute_batch("COMMIT")?;
    Ok(())
}
