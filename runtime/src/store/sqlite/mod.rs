//! The store in one SQLite file, for several processes at once.
//!
//! What was acknowledged survives a kill of the process and a loss of power: every commit is
//! synced to the disk first, unless the app is content with less. A damaged or newer file is refused and left as it is.

mod activations;
mod check;
mod fault;
mod files;
mod kept;
mod listener;
mod log;
mod operations;
mod registrations;
mod rows;
mod runs;
mod schema;
#[cfg(test)]
mod tests;
mod writer;

use std::{
    path::{Path, PathBuf},
    sync::{
        Arc,
        mpsc::{Receiver, Sender, channel},
    },
    thread::JoinHandle,
};

use rusqlite::Connection;
use tokio::sync::{oneshot, watch};

use self::{
    fault::{Fault, Sql},
    files::Files,
    listener::Listener,
    schema::State,
    writer::{Counts, Message, Writer, Written},
};
use super::{Durability, StoreFuture};
use crate::{Code, Error, Result};

/// The first version in which two connections cannot damage the file by writing and copying the
/// log at once. <https://sqlite.org/wal.html#walresetbug>
const SOUND: i32 = 3_051_003;

/// A handle to the store; the threads behind it end when it is dropped, after what was handed to
/// them is done.
#[derive(Debug)]
pub(crate) struct SqliteStore {
    database: PathBuf,
    durability: Durability,
    #[cfg_attr(not(test), expect(dead_code, reason = "tests count what was grouped"))]
    counts: Arc<Counts>,
    changed: Arc<watch::Sender<u64>>,
    // Dropped in this order: the bell talks to the writer.
    listener: Option<Listener>,
    writer: Option<Worker>,
    reader: Worker,
}

impl SqliteStore {
    /// Opens the store in this directory, and makes it when there is none. The directory must
    /// exist and be its owner's only. Blocks: it reads the whole file to see that it is sound.
    pub(crate) fn open_with(directory: &Path, durability: Durability) -> Result<Self> {
        files::check_directory(directory)?;
        warn_of_old_engine();
        let files = Files::of(directory);
        open(&files, durability).map_err(|fault| fault.into_error(&files.database))
    }

    #[cfg(test)]
    pub(crate) fn open(directory: &Path) -> Result<Self> {
        Self::open_with(directory, Durability::default())
    }

    /// Opens the store in this directory for reading only: nothing is made or changed, and
    /// writing operations are refused.
    pub(crate) fn open_reader(directory: &Path) -> Result<Self> {
        Self::reader(directory, schema::inspect)
    }

    /// As [`open_reader`](Self::open_reader), but the file is not read to see that it is sound:
    /// what is damaged is refused when it is met. For who looks at single records.
    pub(crate) fn glance(directory: &Path) -> Result<Self> {
        Self::reader(directory, schema::recognize)
    }

    fn reader(directory: &Path, inspect: Inspect) -> Result<Self> {
        files::check_directory(directory)?;
        let files = Files::of(directory);
        if !files.database.exists() {
            return Err(Error::new(
                Code::Store,
                format!("there is no store in {}", directory.display()),
            )
            .remedy("start the app once"));
        }
        open_reader(&files, inspect).map_err(|fault| fault.into_error(&files.database))
    }

    /// Whether the store in this directory is there and of this version, so that opening it changes
    /// nothing. Blocks, as [`open_with`](Self::open_with).
    pub(crate) fn is_current(directory: &Path) -> Result<bool> {
        files::check_directory(directory)?;
        let files = Files::of(directory);
        if !files.database.exists() {
            return Ok(false);
        }
        is_current(&files).map_err(|fault| fault.into_error(&files.database))
    }

    fn write<T: Send + 'static>(
        &self,
        work: impl Fn(&Connection) -> Sql<T> + Send + 'static,
    ) -> StoreFuture<'_, T> {
        match &self.writer {
            Some(writer) => writer::submit(&writer.queue, work),
            None => {
                let error = Error::new(
                    Code::Store,
                    format!(
                        "the store {} is open for reading only",
                        self.database.display()
                    ),
                )
                .remedy("start the app: it is the one that writes");
                Box::pin(async move { Err(error) })
            }
        }
    }

    /// Gives free space back to the system, when there is much of it.
    async fn tidy(&self) {
        let (reply, done) = oneshot::channel();
        if let Some(writer) = &self.writer
            && writer.queue.send(Message::Tidy(reply)).is_ok()
        {
            // The thread has ended: then there is nothing to wait for.
            let _ = done.await;
        }
    }

    fn read<T: Send + 'static>(
        &self,
        work: impl Fn(&Connection) -> Sql<T> + Send + 'static,
    ) -> StoreFuture<'_, T> {
        writer::submit(&self.reader.queue, work)
    }
}

impl Drop for SqliteStore {
    fn drop(&mut self) {
        // It may still tell the writer to look, so it goes first.
        self.listener = None;
    }
}

fn open(files: &Files, durability: Durability) -> Sql<SqliteStore> {
    files.refuse_beheaded()?;
    let (turn, bell) = files.prepare()?;
    let connection = {
        let _taken = turn.take()?;
        let connection = schema::connect(&files.database)?;
        let state = schema::inspect(&connection, &files.database)?;
        schema::bring_up(&connection, &state, durability)?;
        connection
    };
    let reading = schema::connect_reader(&files.database)?;
    let counts = Arc::new(Counts::default());
    let changed = Arc::new(watch::Sender::new(0));
    let writer = Writer {
        seen: writer::data_version(&connection)?,
        connection,
        files: files.clone(),
        turn,
        bell,
        counts: counts.clone(),
        changed: changed.clone(),
        log: Written::default(),
    };
    let writer = Worker::start("bgtask-store", move |queue| writer.run(queue))?;
    let database = files.database.clone();
    let reader = Worker::start("bgtask-reads", move |queue| {
        serve(&reading, queue, &database)
    })?;
    let looks = writer.queue.clone();
    let listener = listen(files, move || {
        // The writer has ended: so does this, next.
        let _ = looks.send(Message::Look);
    });
    Ok(SqliteStore {
        database: files.database.clone(),
        durability,
        counts,
        changed,
        listener,
        writer: Some(writer),
        reader,
    })
}

fn is_current(files: &Files) -> Sql<bool> {
    files.refuse_beheaded()?;
    let connection = schema::connect_reader(&files.database)?;
    Ok(schema::inspect(&connection, &files.database)? == State::Current)
}

/// Finds out what a file is.
type Inspect = fn(&Connection, &Path) -> Sql<State>;

fn open_reader(files: &Files, inspect: Inspect) -> Sql<SqliteStore> {
    files.refuse_beheaded()?;
    let connection = schema::connect_reader(&files.database)?;
    let state = inspect(&connection, &files.database)?;
    if state != State::Current {
        return Err(Fault::Refused(
            Error::new(
                Code::Store,
                format!(
                    "the store {} was not yet brought up to this version",
                    files.database.display()
                ),
            )
            .remedy("start the app once"),
        ));
    }
    let database = files.database.clone();
    let reader = Worker::start("bgtask-reads", move |queue| {
        serve(&connection, queue, &database);
    })?;
    let changed = Arc::new(watch::Sender::new(0));
    let told = changed.clone();
    let listener = listen(files, move || told.send_modify(|count| *count += 1));
    Ok(SqliteStore {
        database: files.database.clone(),
        durability: Durability::default(),
        counts: Arc::default(),
        changed,
        listener,
        writer: None,
        reader,
    })
}

fn listen(files: &Files, heard: impl Fn() + Send + 'static) -> Option<Listener> {
    Listener::start(&files.bell, heard)
        .inspect_err(|error| tracing::warn!(%error, "changes by other processes will not be heard"))
        .ok()
}

/// Answers reads, each from one state of the database, until all senders are gone.
fn serve(connection: &Connection, queue: &Receiver<Message>, database: &Path) {
    while let Ok(message) = queue.recv() {
        if let Message::Do(mut job) = message {
            let result = job.execute(connection);
            job.answer(result.map_err(|fault| fault.into_error(database)));
        }
    }
}

fn warn_of_old_engine() {
    if rusqlite::version_number() < SOUND {
        tracing::warn!(
            version = rusqlite::version(),
            "this SQLite can damage a store that another program writes to at the same time; \
             3.51.3 or later cannot: update the crate that holds libsqlite3-sys back \
             (`cargo tree -i libsqlite3-sys`)"
        );
    }
}

/// A thread of the store with its queue. Dropping it waits until the queue is empty.
#[derive(Debug)]
struct Worker {
    queue: Sender<Message>,
    thread: Option<JoinHandle<()>>,
}

impl Worker {
    fn start(
        name: &str,
        work: impl FnOnce(&Receiver<Message>) + Send + 'static,
    ) -> std::io::Result<Self> {
        let (queue, messages) = channel();
        let thread = std::thread::Builder::new()
            .name(name.into())
            .spawn(move || work(&messages))?;
        Ok(Self {
            queue,
            thread: Some(thread),
        })
    }
}

impl Drop for Worker {
    fn drop(&mut self) {
        self.queue = channel().0;
        if let Some(thread) = self.thread.take() {
            // Its panic, if any, was reported when it happened.
            let _ = thread.join();
        }
    }
}
