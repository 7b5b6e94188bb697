//! Where rows are relayed from.

use std::{error::Error, fmt, future::Future, pin::Pin, time::Duration};

use super::OutboxRow;

/// What a source says when its database cannot be reached: anything.
pub type OutboxError = Box<dyn Error + Send + Sync>;

/// How often a source without a bell is asked.
const PERIOD: Duration = Duration::from_secs(1);

/// Requests that wait in a database, for [`AppBuilder::outbox_source`](crate::AppBuilder::outbox_source).
///
/// [`SqliteOutbox`](super::SqliteOutbox) is one. For another database implement the three methods
/// over its driver; each may be called again after it failed, and what it did then must be the same.
/// A source has a thread and a tokio runtime of its own, in which it may block; it should connect
/// when it is first asked, because `setup` runs in every host process too.
///
/// What stands here is all that the relay does: it polls, has the app's store keep the rows, and
/// acknowledges them; what can never be accepted it hands to [`refuse`](Self::refuse), and what cannot
/// be accepted yet it leaves where it is, and polls what comes after it. When a source
/// fails it is asked again after 0.1 s, and after twice that each further time, up to a minute.
///
/// ```standalone_crate
/// use std::sync::{Arc, Mutex};
///
/// use bgtask::{outbox::{OutboxError, OutboxRow, OutboxSource}, prelude::*};
///
/// #[background_task(trigger = application)]
/// async fn greet(Args(name): Args<String>) -> String {
///     format!("hello, {name}")
/// }
///
/// /// Stands for a table of a database, and for the requests that were committed to it.
/// #[derive(Clone, Debug, Default)]
/// struct Table(Arc<Mutex<Vec<OutboxRow>>>);
///
/// impl OutboxSource for Table {
///     fn name(&self) -> String {
///         "a table".to_owned()
///     }
///
///     // SELECT id, task, arguments, not_before, created FROM bgtask_outbox
///     // WHERE error IS NULL ORDER BY seq LIMIT $1 OFFSET $2
///     async fn poll(&mut self, most: usize, skip: usize) -> Result<Vec<OutboxRow>, OutboxError> {
///         Ok(self.0.lock().unwrap().iter().skip(skip).take(most).cloned().collect())
///     }
///
///     // DELETE FROM bgtask_outbox WHERE id = ANY($1)
///     async fn acknowledge(&mut self, ids: Vec<String>) -> Result<(), OutboxError> {
///         self.0.lock().unwrap().retain(|row| !ids.contains(&row.id));
///         Ok(())
///     }
///
///     // UPDATE bgtask_outbox SET error = $2 WHERE id = $1
///     async fn refuse(&mut self, id: String, error: String) -> Result<(), OutboxError> {
///         eprintln!("{id}: {error}");
///         self.acknowledge(vec![id]).await
///     }
/// }
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # tokio::runtime::Runtime::new()?.block_on(async {
/// # let directory = tempfile::tempdir()?;
/// let table = Table::default();
/// let app = AppBuilder::new("com.example.greeter").outbox_source(table.clone());
/// # let app = app.state_dir(directory.path().join("state")).runtime_dir(directory.path().join("run"));
/// let app = app.start().await?;
///
/// let row = OutboxRow::of::<greet>("Ada".to_owned())?;
/// let id = row.id.parse()?;
/// table.0.lock().unwrap().push(row); // the transaction commits
///
/// assert_eq!(app.run::<greet>(id).await?.completed().await?, "hello, Ada");
/// assert!(table.0.lock().unwrap().is_empty());
/// # app.shutdown().await;
/// # Ok(())
/// # })
/// # }
/// ```
pub trait OutboxSource: Send + 'static {
    /// What it is called in the log and by `bgtask why`.
    fn name(&self) -> String;

    /// The oldest rows that wait, in their order, but for the first `skip` of them; at most `most`,
    /// and none that was acknowledged or refused. Those that are skipped were polled before, and
    /// their tasks cannot take them yet.
    fn poll(
        &mut self,
        most: usize,
        skip: usize,
    ) -> impl Future<Output = Result<Vec<OutboxRow>, OutboxError>> + Send;

    /// The store keeps the rows of these ids: they are to be deleted.
    fn acknowledge(
        &mut self,
        ids: Vec<String>,
    ) -> impl Future<Output = Result<(), OutboxError>> + Send;

    /// The row of this id will never be accepted: it is to be put aside with the error, for a
    /// person to look at, and not to be polled again.
    fn refuse(
        &mut self,
        id: String,
        error: String,
    ) -> impl Future<Output = Result<(), OutboxError>> + Send;

    /// Returns when there may be rows: when the database rings its own bell, such as Postgres'
    /// `LISTEN`. It is dropped and called again at any time. Default: after a second.
    fn rung(&mut self) -> impl Future<Output = ()> + Send {
        tokio::time::sleep(PERIOD)
    }
}

type Answer<'s, T> = Pin<Box<dyn Future<Output = Result<T, OutboxError>> + Send + 's>>;

/// An [`OutboxSource`] of whichever type.
pub(crate) trait Source: Send {
    fn name(&self) -> String;
    fn poll(&mut self, most: usize, skip: usize) -> Answer<'_, Vec<OutboxRow>>;
    fn acknowledge(&mut self, ids: Vec<String>) -> Answer<'_, ()>;
    fn refuse(&mut self, id: String, error: String) -> Answer<'_, ()>;
    fn rung(&mut self) -> Pin<Box<dyn Future<Output = ()> + Send + '_>>;
}

impl<S: OutboxSource> Source for S {
    fn name(&self) -> String {
        OutboxSource::name(self)
    }

    fn poll(&mut self, most: usize, skip: usize) -> Answer<'_, Vec<OutboxRow>> {
        Box::pin(OutboxSource::poll(self, most, skip))
    }

    fn acknowledge(&mut self, ids: Vec<String>) -> Answer<'_, ()> {
        Box::pin(OutboxSource::acknowledge(self, ids))
    }

    fn refuse(&mut self, id: String, error: String) -> Answer<'_, ()> {
        Box::pin(OutboxSource::refuse(self, id, error))
    }

    fn rung(&mut self) -> Pin<Box<dyn Future<Output = ()> + Send + '_>> {
        Box::pin(OutboxSource::rung(self))
    }
}

impl fmt::Debug for dyn Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Source").field(&self.name()).finish()
    }
}
