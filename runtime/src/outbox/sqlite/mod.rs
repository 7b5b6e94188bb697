//! The outbox in a SQLite database of the caller's.

mod bell;
#[cfg(test)]
mod tests;

use std::{
    collections::HashMap,
    fs,
    os::unix::fs::MetadataExt,
    path::{Path, PathBuf},
    time::Duration,
};

use rusqlite::{Connection, OpenFlags, Row, TransactionBehavior, params, types::ValueRef};

use super::{OutboxError, OutboxRow, OutboxSource, TABLE};
use bell::Bell;

/// How long a lock of the database is waited for before it counts as locked.
const PATIENCE: Duration = Duration::from_secs(1);

/// How often the database is asked whether it changed, where nothing tells.
const PERIOD: Duration = Duration::from_secs(1);

/// The longest pause between looks at a database whose other tables are written all the time.
const LONGEST_PAUSE: Duration = Duration::from_millis(50);

/// An [`OutboxSource`] in a SQLite database of yours;
/// [`AppBuilder::outbox`](crate::AppBuilder::outbox) declares one.
///
/// The database may be missing until you make it. It is opened by the path, stays open, and keeps
/// its journal mode. The relay writes to it only to make the [table](TABLE), to delete what was
/// relayed and to put aside what was refused, and never checkpoints. On Linux the kernel tells of
/// writes (inotify), also by other processes; elsewhere SQLite is asked each second
/// ([`data_version`](https://sqlite.org/pragma.html#pragma_data_version)).
#[derive(Debug)]
pub struct SqliteOutbox {
    path: PathBuf,
    /// `None`: nothing tells of writes here.
    bell: Option<Bell>,
    open: Option<Open>,
    /// Before the next look, when one after another finds nothing.
    pause: Duration,
}

#[derive(Debug)]
struct Open {
    connection: Connection,
    /// Which file it is: another one may take its path.
    file: (u64, u64),
    /// The places of the rows that were polled last.
    polled: HashMap<String, i64>,
    /// `PRAGMA data_version`, at the last look.
    seen: i64,
}

impl SqliteOutbox {
    /// The outbox in the database at this path, which is opened when it is first polled.
    #[must_use]
    pub fn new(path: impl Into<PathBuf>) -> Self {
        Self {
            path: path.into(),
            bell: None,
            open: None,
            pause: Duration::ZERO,
        }
    }

    /// The database, opened if it is not, or is another one by now.
    fn opened(&mut self) -> Result<&mut Open, OutboxError> {
        // Before the first look: what is written after it is heard.
        if self.bell.as_ref().is_none_or(|bell| !bell.hears()) {
            let bell = Bell::start(&self.path);
            let deaf = |error: &std::io::Error| {
                tracing::debug!(%error, path = %self.path.display(), "an outbox is asked each second");
            };
            self.bell = bell.inspect_err(deaf).ok();
        }
        let file = identity(&self.path)?;
        if self.open.as_ref().is_none_or(|open| open.file != file) {
            self.open = Some(Open {
                connection: connect(&self.path)?,
                file,
                polled: HashMap::new(),
                seen: 0,
            });
        }
        // It was put there, if it was not there before.
        self.open.as_mut().ok_or_else(|| "not open".into())
    }

    fn rows(&mut self, most: usize, skip: usize) -> Result<Vec<OutboxRow>, OutboxError> {
        let open = self.opened()?;
        let mut rows = Vec::new();
        open.polled.clear();
        // Who writes now is waited for. The kernel tells of a write before its commit can be seen:
        // a look without the lock would come too early.
        let looking = open
            .connection
            .transaction_with_behavior(TransactionBehavior::Immediate)?;
        open.seen = data_version(&looking)?;
        {
            let mut statement = looking.prepare_cached(
                "SELECT seq, id, task, arguments, not_before, created FROM bgtask_outbox
                 WHERE error IS NULL ORDER BY seq LIMIT ?1 OFFSET ?2",
            )?;
            let mut found = statement.query([i64::try_from(most)?, i64::try_from(skip)?])?;
            while let Some(row) = found.next()? {
                let read = read(row)?;
                open.polled.insert(read.id.clone(), row.get(0)?);
                rows.push(read);
            }
        }
        looking.rollback()?;
        self.pause = match rows.is_empty() {
            true => (self.pause * 2).clamp(Duration::from_millis(1), LONGEST_PAUSE),
            false => Duration::ZERO,
        };
        Ok(rows)
    }

    /// Writes in one transaction, each statement for one place.
    fn write(
        &mut self,
        ids: &[String],
        statement: &str,
        error: Option<&str>,
    ) -> Result<(), OutboxError> {
        let open = self.opened()?;
        let writing = open
            .connection
            .transaction_with_behavior(TransactionBehavior::Immediate)?;
        for place in ids.iter().filter_map(|id| open.polled.get(id)) {
            let mut statement = writing.prepare_cached(statement)?;
            match error {
                Some(error) => statement.execute(params![place, error])?,
                None => statement.execute(params![place])?,
            };
        }
        writing.commit()?;
        Ok(())
    }
}

impl OutboxSource for SqliteOutbox {
    fn name(&self) -> String {
        self.path.display().to_string()
    }

    async fn poll(&mut self, most: usize, skip: usize) -> Result<Vec<OutboxRow>, OutboxError> {
        self.rows(most, skip).inspect_err(|_| self.open = None)
    }

    async fn acknowledge(&mut self, ids: Vec<String>) -> Result<(), OutboxError> {
        self.write(&ids, "DELETE FROM bgtask_outbox WHERE seq = ?1", None)
    }

    async fn refuse(&mut self, id: String, error: String) -> Result<(), OutboxError> {
        let statement = "UPDATE bgtask_outbox SET error = ?2 WHERE seq = ?1";
        self.write(&[id], statement, Some(&error))
    }

    async fn rung(&mut self) {
        match (&self.bell, &mut self.open) {
            (Some(bell), _) => {
                bell.rung().await;
                if !self.pause.is_zero() {
                    tokio::time::sleep(self.pause).await;
                }
            }
            (None, Some(open)) => loop {
                tokio::time::sleep(PERIOD).await;
                // A database that cannot say is looked at.
                if data_version(&open.connection).ok() != Some(open.seen) {
                    return;
                }
            },
            (None, None) => tokio::time::sleep(PERIOD).await,
        }
    }
}

fn connect(path: &Path) -> rusqlite::Result<Connection> {
    let connection = Connection::open_with_flags(
        path,
        OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX,
    )?;
    connection.busy_timeout(PATIENCE)?;
    // Before SQLite 3.51.3 two connections that write and checkpoint at once can damage the file.
    // <https://sqlite.org/wal.html#walresetbug>
    connection.query_row("PRAGMA wal_autocheckpoint = 0", [], |_| Ok(()))?;
    connection.execute_batch(TABLE)?;
    Ok(connection)
}

/// Device and number of the file.
fn identity(path: &Path) -> Result<(u64, u64), OutboxError> {
    let file = fs::metadata(path).map_err(|error| match error.kind() {
        std::io::ErrorKind::NotFound => "there is no such database".into(),
        _ => OutboxError::from(error),
    })?;
    Ok((file.dev(), file.ino()))
}

fn data_version(connection: &Connection) -> rusqlite::Result<i64> {
    connection.query_row("PRAGMA data_version", [], |row| row.get(0))
}

/// What stands in a row, whatever it is: the broker judges it.
fn read(row: &Row<'_>) -> rusqlite::Result<OutboxRow> {
    Ok(OutboxRow {
        id: text(row, 1)?.unwrap_or_default(),
        task: text(row, 2)?.unwrap_or_default(),
        arguments: text(row, 3)?.unwrap_or_default(),
        not_before: text(row, 4)?,
        created: text(row, 5)?,
    })
}

fn text(row: &Row<'_>, column: usize) -> rusqlite::Result<Option<String>> {
    Ok(match row.get_ref(column)? {
        ValueRef::Null => None,
        ValueRef::Integer(number) => Some(number.to_string()),
        ValueRef::Real(number) => Some(number.to_string()),
        ValueRef::Text(bytes) | ValueRef::Blob(bytes) => {
            Some(String::from_utf8_lossy(bytes).into_owned())
        }
    })
}
