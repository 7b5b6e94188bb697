//! One request, as a row of the outbox's table.

use jiff::Timestamp;
use serde::Serialize;

use crate::{ActivationId, Code, Error, NamedTask, Requestable, Result};

/// The outbox's table in SQLite, and an index that keeps refused rows out of the way; to be executed
/// as a batch. Executing it again changes nothing. `created` is filled in by the database.
///
/// Another database needs the same columns; `error` is null until a row is put aside.
pub const TABLE: &str = "
CREATE TABLE IF NOT EXISTS bgtask_outbox (
    seq        INTEGER PRIMARY KEY AUTOINCREMENT,
    id         TEXT NOT NULL UNIQUE,
    task       TEXT NOT NULL,
    arguments  TEXT NOT NULL,
    not_before TEXT,
    created    TEXT NOT NULL DEFAULT (strftime('%Y-%m-%dT%H:%M:%fZ', 'now')),
    error      TEXT
);
CREATE INDEX IF NOT EXISTS bgtask_outbox_waits ON bgtask_outbox (seq) WHERE error IS NULL;
";

/// The statement that adds a row; its parameters are [`OutboxRow`]'s `id`, `task`, `arguments` and
/// `not_before`, for a driver that is not rusqlite.
pub const INSERT: &str =
    "INSERT INTO bgtask_outbox (id, task, arguments, not_before) VALUES (?1, ?2, ?3, ?4)";

/// A request that is written down in a transaction of the caller's, and becomes an activation after
/// its commit. All of it is text, so that every database and every driver can hold it.
///
/// [`TaskHandle::outbox_row`](crate::TaskHandle::outbox_row) makes one with everything checked. In a
/// process without an [`App`](crate::App), such as a task's own or a web server beside the app, make
/// one with [`of`](Self::of) or [`new`](Self::new); what does not fit is found when it is relayed.
///
/// ```
/// use bgtask::{outbox::OutboxRow, prelude::*, rusqlite::Connection};
///
/// #[background_task(trigger = application)]
/// async fn send_receipt(Args(order): Args<u64>) {
///     println!("receipt of {order}");
/// }
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let mut database = Connection::open_in_memory()?;
/// database.execute_batch("CREATE TABLE orders (id INTEGER PRIMARY KEY, total INTEGER)")?;
///
/// let order = database.transaction()?;
/// order.execute("INSERT INTO orders VALUES (7, 4200)", [])?;
/// OutboxRow::of::<send_receipt>(7)?.insert(&order)?;
/// order.commit()?;
/// # let rows: u32 = database.query_row("SELECT count(*) FROM bgtask_outbox", [], |row| row.get(0))?;
/// # assert_eq!(rows, 1);
/// # Ok(())
/// # }
/// ```
///
/// Windows has no counterpart: a request there knows no transaction.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct OutboxRow {
    /// The id of the activation that it becomes, a UUID. It is what makes the relay exact: one that
    /// is known already is not accepted again.
    pub id: String,
    /// The name of the task.
    pub task: String,
    /// The arguments, as JSON text; `null` for a task that takes none.
    pub arguments: String,
    /// The time it is for, in the form `2026-12-24T18:00:00Z`; `None`: at once.
    pub not_before: Option<String>,
    /// When it was written, in the same form, where the database tells; it counts as the time of
    /// the request.
    pub created: Option<String>,
}

impl OutboxRow {
    /// A request of an annotated function, checked by the compiler.
    ///
    /// # Errors
    /// [`Code::BadArguments`] when the arguments cannot be written as JSON.
    pub fn of<F: NamedTask + Requestable>(arguments: F::Args) -> Result<Self> {
        Self::new(F::NAME, &arguments)
    }

    /// A request of the task of that name, which need not be linked into this program.
    ///
    /// # Errors
    /// [`Code::BadArguments`] when the arguments cannot be written as JSON.
    pub fn new(task: impl Into<String>, arguments: &impl Serialize) -> Result<Self> {
        let task = task.into();
        let arguments = serde_json::to_string(arguments).map_err(|error| {
            Error::new(
                Code::BadArguments,
                "the arguments cannot be written as JSON",
            )
            .task(&task)
            .source(error)
        })?;
        Ok(Self {
            id: ActivationId::now().to_string(),
            task,
            arguments,
            not_before: None,
            created: None,
        })
    }

    /// For a later time, as with [`request_later`](crate::TaskHandle::request_later).
    #[must_use]
    pub fn not_before(mut self, at: impl Into<Timestamp>) -> Self {
        self.not_before = Some(at.into().to_string());
        self
    }

    /// Writes it into a SQLite database, through the connection or the transaction (`&tx`) of the
    /// caller, and makes the [table](TABLE) if it is not there. It is there for the relay exactly if
    /// the caller commits.
    ///
    /// # Errors
    /// [`Code::Outbox`] with what SQLite says.
    pub fn insert(&self, connection: &rusqlite::Connection) -> Result<()> {
        self.write(connection).map_err(|error| {
            Error::new(Code::Outbox, "the request could not be written down")
                .task(&self.task)
                .source(error)
        })
    }

    fn write(&self, connection: &rusqlite::Connection) -> rusqlite::Result<()> {
        // Not the table first: that reads, and a transaction that has read cannot wait for another
        // writer any more. <https://sqlite.org/rescode.html#busy_snapshot>
        let mut insert = connection.prepare_cached(INSERT).or_else(|_| {
            connection.execute_batch(TABLE)?;
            connection.prepare_cached(INSERT)
        })?;
        let row = (&self.id, &self.task, &self.arguments, &self.not_before);
        insert.execute(row).map(drop)
    }
}
