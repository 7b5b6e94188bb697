//! Requests in a transaction of the caller's, and the databases that hold them.

use std::path::PathBuf;

use tokio::sync::oneshot;

use super::{App, AppBuilder, TaskHandle, to_json};
use crate::{
    ActivationId, Code, Error, Requestable, Result, TaskType,
    broker::{check_length, check_relayable, check_requestable},
    outbox::{OutboxRow, OutboxSource, SqliteOutbox},
    store::check_depth,
};

impl AppBuilder {
    /// Relays the requests that are written into the SQLite database at this path, one of yours, in
    /// its own transactions: with [`TaskHandle::request_in`], with
    /// [`OutboxRow::insert`](crate::outbox::OutboxRow::insert), or by other programs with plain SQL.
    /// [The guide](crate::guide::outbox) tells how. Several databases may be declared.
    ///
    /// The table `bgtask_outbox` is made there if it is missing. A database that is missing or
    /// locked is tried again, and `bgtask why` says so; the app starts all the same. With
    /// [`in_memory`](Self::in_memory) what was relayed is lost with the process.
    ///
    /// ```
    /// # use bgtask::AppBuilder;
    /// fn setup(app: AppBuilder) -> Result<AppBuilder, std::convert::Infallible> {
    ///     Ok(app.outbox("shop.db"))
    /// }
    /// # let _ = setup(AppBuilder::new("demo"));
    /// ```
    #[must_use]
    pub fn outbox(self, path: impl Into<PathBuf>) -> Self {
        self.outbox_source(SqliteOutbox::new(path))
    }

    /// As [`outbox`](Self::outbox), for another database: see
    /// [`OutboxSource`](crate::outbox::OutboxSource).
    #[must_use]
    pub fn outbox_source(mut self, source: impl OutboxSource) -> Self {
        self.outboxes.push(Box::new(source));
        self
    }
}

impl App {
    /// Has every outbox look soon: a task may take rows by now that it did not take before.
    pub(super) fn look(&self) {
        for outbox in &self.inner.outboxes {
            // Nobody waits for the answer.
            let _ = outbox.send(oneshot::channel().0);
        }
    }
}

impl<F: TaskType> TaskHandle<F> {
    /// Requests a run in a transaction of your own SQLite database: the request is made exactly if
    /// you commit. The id is that of the activation which it becomes then; [`App::run`] gives the
    /// run for it, also before it was relayed.
    ///
    /// `connection` is one of the database that [`AppBuilder::outbox`] declared, or a transaction
    /// on it (`&tx`), of [`bgtask::rusqlite`](crate::rusqlite): there is one rusqlite in a program.
    /// Without a transaction the request is made at once. A committed request is never answered
    /// with [`CurrentlyRunning`](crate::RequestOutcome::CurrentlyRunning): it waits for an active
    /// run.
    ///
    /// ```standalone_crate
    /// use bgtask::{prelude::*, rusqlite::Connection};
    ///
    /// #[background_task(trigger = application)]
    /// async fn send_receipt(Args(order): Args<u64>) -> String {
    ///     format!("receipt of order {order}")
    /// }
    ///
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # tokio::runtime::Runtime::new()?.block_on(async {
    /// # let directory = tempfile::tempdir()?;
    /// # let path = directory.path().join("shop.db");
    /// # let app = AppBuilder::new("demo").state_dir(directory.path().join("state")).runtime_dir(directory.path().join("run"));
    /// let mut shop = Connection::open(&path)?;
    /// shop.execute_batch("CREATE TABLE orders (id INTEGER PRIMARY KEY, total INTEGER)")?;
    /// let app = app.outbox(&path).start().await?; // in `setup`, as a rule
    ///
    /// let order = shop.transaction()?;
    /// order.execute("INSERT INTO orders VALUES (7, 4200)", [])?;
    /// let receipt = app.task::<send_receipt>().request_in(&order, 7)?;
    /// order.commit()?;
    ///
    /// let run = app.run::<send_receipt>(receipt).await?;
    /// assert_eq!(run.completed().await?, "receipt of order 7");
    /// # app.shutdown().await;
    /// # Ok(())
    /// # })
    /// # }
    /// ```
    ///
    /// # Errors
    /// [`Code::BadArguments`] and [`Code::TooLarge`] as with [`request`](Self::request);
    /// [`Code::Unsupported`] when, of several tasks of a function, this one has another trigger;
    /// [`Code::Outbox`] when no outbox is declared, and what SQLite says. Nothing is written then,
    /// and the transaction goes on. Whether the task is registered and its declaration was accepted
    /// is not looked at: the row waits in the outbox until it is so.
    pub fn request_in(
        &self,
        connection: &rusqlite::Connection,
        arguments: F::Args,
    ) -> Result<ActivationId>
    where
        F: Requestable,
    {
        let (id, row) = self.row(&arguments)?;
        row.insert(connection)?;
        Ok(id)
    }

    /// The row that [`request_in`](Self::request_in) writes, checked as there, for a driver that is
    /// not rusqlite, another database, or a later time.
    ///
    /// # Errors
    /// As [`request_in`](Self::request_in), but for what SQLite says.
    pub fn outbox_row(&self, arguments: F::Args) -> Result<OutboxRow>
    where
        F: Requestable,
    {
        self.row(&arguments).map(|(_, row)| row)
    }

    fn row(&self, arguments: &F::Args) -> Result<(ActivationId, OutboxRow)> {
        if self.app.inner.outboxes.is_empty() {
            return Err(Error::new(Code::Outbox, "the app declares no outbox")
                .task(self.name())
                .remedy("in `setup` return `app.outbox(\"path of the database\")`"));
        }
        let task = self.app.inner.registry.find(self.name())?;
        check_requestable(&task.declaration)?;
        check_relayable(&task.declaration)?;
        let value = to_json(arguments)?;
        let given = Some(&value).filter(|value| !value.is_null());
        check_length(given, self.app.inner.max_payload).map_err(|error| error.task(self.name()))?;
        task.check_arguments(given)?;
        check_depth(self.name(), given)?;
        let row = OutboxRow::new(self.name(), &value)?;
        let id = row.id.parse().map_err(|error| {
            Error::new(Code::Outbox, "an id that was just made cannot be read").source(error)
        })?;
        Ok((id, row))
    }
}
