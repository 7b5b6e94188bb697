//! The one thread that writes.
//!
//! Operations that wait together are committed together. One that fails takes nothing else with it:
//! all are done again then, each in a savepoint of its own. They are not at first, because the engine
//! keeps a copy of each page for a savepoint, of many pages in a file. An operation is answered after
//! its commit is on the disk.

use std::{
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
        mpsc::{Receiver, Sender},
    },
};

use rusqlite::{Connection, ErrorCode};
use tokio::sync::{oneshot, watch};

use super::{
    fault::{Fault, Sql},
    files::{Bell, Files, Taken, Turn},
};
use crate::{Code, Error, Result, store::StoreFuture};

/// So many operations share a commit at most, which bounds how long one holds the turn.
const GROUP: usize = 128;

/// A log that begins anew is at most so long, in bytes.
pub(super) const LOG_KEPT: u64 = 4 << 20;

/// A log longer than this is copied into the database, and begins anew: it has grown then.
const LOG_LIMIT: u64 = LOG_KEPT + (LOG_KEPT >> 4);

/// Less free space than this, in bytes, is left in the file.
const MUCH_FREE: i64 = 8 << 20;

/// What a thread of the store is told.
pub(super) enum Message {
    Do(Box<dyn Job>),
    /// Somebody rang: look whether it was another process.
    Look,
    /// Give free space back, and say when that is done.
    Tidy(oneshot::Sender<()>),
}

/// An operation together with who waits for its answer.
pub(super) trait Job: Send {
    /// Does it, and keeps the value. It may be done again when its transaction was lost.
    fn execute(&mut self, connection: &Connection) -> Sql<()>;
    /// Tells the value, or what went wrong.
    fn answer(self: Box<Self>, result: Result<()>);
}

struct Operation<T, F> {
    work: F,
    value: Option<T>,
    reply: oneshot::Sender<Result<T>>,
}

impl<T: Send, F: Fn(&Connection) -> Sql<T> + Send> Job for Operation<T, F> {
    fn execute(&mut self, connection: &Connection) -> Sql<()> {
        self.value = Some((self.work)(connection)?);
        Ok(())
    }

    fn answer(self: Box<Self>, result: Result<()>) {
        let answer = match (result, self.value) {
            (Ok(()), Some(value)) => Ok(value),
            (Ok(()), None) => Err(gone()),
            (Err(error), _) => Err(error),
        };
        // Nobody waits any more: what was done stays done.
        let _ = self.reply.send(answer);
    }
}

/// Hands work to a thread at once; the future only waits for its answer.
pub(super) fn submit<'a, T: Send + 'static>(
    thread: &Sender<Message>,
    work: impl Fn(&Connection) -> Sql<T> + Send + 'static,
) -> StoreFuture<'a, T> {
    let (reply, answer) = oneshot::channel();
    let job = Operation {
        work,
        value: None,
        reply,
    };
    let sent = thread.send(Message::Do(Box::new(job)));
    Box::pin(async move {
        sent.map_err(|_| gone())?;
        answer.await.unwrap_or_else(|_| Err(gone()))
    })
}

fn gone() -> Error {
    Error::new(Code::Store, "the store's thread has ended")
        .remedy("start the app again; what was acknowledged is kept")
}

/// How much was committed, and how often.
#[derive(Debug, Default)]
pub(super) struct Counts {
    pub(super) commits: AtomicU64,
    pub(super) operations: AtomicU64,
}

/// What the writing thread owns.
pub(super) struct Writer {
    pub(super) connection: Connection,
    pub(super) files: Files,
    pub(super) turn: Turn,
    pub(super) bell: Bell,
    pub(super) counts: Arc<Counts>,
    pub(super) changed: Arc<watch::Sender<u64>>,
    /// The engine's number that moves when another connection commits.
    pub(super) seen: i64,
    pub(super) log: Written,
}

impl Writer {
    /// Works until all senders are gone and the queue is empty.
    pub(super) fn run(mut self, queue: &Receiver<Message>) {
        while let Ok(first) = queue.recv() {
            let mut look = false;
            let mut tidy = None;
            let mut jobs = Vec::new();
            let mut next = Some(first);
            while let Some(message) = next {
                match message {
                    Message::Do(job) => jobs.push(job),
                    Message::Look => look = true,
                    Message::Tidy(done) => tidy = Some(done),
                }
                next = if jobs.len() < GROUP {
                    queue.try_recv().ok()
                } else {
                    None
                };
            }
            if !jobs.is_empty() {
                self.commit(jobs);
            }
            if look {
                self.look();
            }
            if let Some(done) = tidy {
                self.tidy();
                // Nobody waits any more: it is done all the same.
                let _ = done.send(());
            }
        }
        self.close();
    }

    fn commit(&mut self, mut jobs: Vec<Box<dyn Job>>) {
        let taken = match self.begin() {
            Ok(taken) => taken,
            Err(fault) => return self.refuse(jobs, fault),
        };
        let done = match in_transaction(&self.connection, &mut jobs, Savepoints::None) {
            Err(fault) if jobs.len() > 1 && !ends_transaction(&self.connection, &fault) => self
                .start()
                .and_then(|()| in_transaction(&self.connection, &mut jobs, Savepoints::Each)),
            done => done,
        };
        match done {
            Ok(results) => {
                self.committed(jobs.len());
                drop(taken);
                for (job, result) in jobs.into_iter().zip(results) {
                    job.answer(result.map_err(|fault| self.error(fault)));
                }
                // Last: who waits here need not wait for it.
                self.ring();
            }
            Err(fault) => {
                self.roll_back();
                if is_full(&fault) {
                    // What is copied out of the log makes room in it.
                    checkpoint(&self.connection);
                }
                drop(taken);
                if jobs.len() == 1 {
                    return self.refuse(jobs, fault);
                }
                // One that is too large for the disk must not take the others with it.
                for job in jobs {
                    self.commit(vec![job]);
                }
            }
        }
    }

    fn begin(&self) -> Sql<Taken> {
        let taken = self.turn.take()?;
        self.start()?;
        Ok(taken)
    }

    fn start(&self) -> Sql<()> {
        self.roll_back();
        execute(&self.connection, "BEGIN IMMEDIATE")
    }

    /// Ends what a failure left open; the engine has often done so itself.
    fn roll_back(&self) {
        if !self.connection.is_autocommit()
            && let Err(error) = self.connection.execute_batch("ROLLBACK")
        {
            tracing::warn!(%error, "a failed transaction of the store is still open");
        }
    }

    fn committed(&mut self, operations: usize) {
        self.counts.commits.fetch_add(1, Ordering::Relaxed);
        self.counts
            .operations
            .fetch_add(operations as u64, Ordering::Relaxed);
        if self.log.is_long(&self.files.log) {
            checkpoint(&self.connection);
        }
    }

    fn ring(&mut self) {
        if let Err(error) = self.bell.ring() {
            tracing::warn!(%error, "other processes were not told of a change");
        }
    }

    fn refuse(&self, jobs: Vec<Box<dyn Job>>, fault: Fault) {
        let error = self.error(fault);
        let (code, rule) = (error.code(), error.rule().to_owned());
        let remedy = error.help().unwrap_or_default().to_owned();
        let mut first = Some(error);
        for job in jobs {
            let error = first
                .take()
                .unwrap_or_else(|| Error::new(code, &*rule).remedy(&*remedy));
            job.answer(Err(error));
        }
    }

    fn look(&mut self) {
        match data_version(&self.connection) {
            Ok(version) if version == self.seen => {}
            Ok(version) => {
                self.seen = version;
                self.changed.send_modify(|count| *count += 1);
            }
            Err(fault) => {
                let error = self.error(fault);
                tracing::warn!(%error, "cannot tell whether the store was changed");
            }
        }
    }

    /// Makes the file smaller when most of it is free. Others may read meanwhile.
    fn tidy(&mut self) {
        let Ok(_taken) = self.turn.take() else {
            return;
        };
        match vacuum(&self.connection) {
            Ok(false) => {}
            Ok(true) => checkpoint(&self.connection),
            // Nothing is lost, and what is free is used again.
            Err(fault) => tracing::warn!(%fault, "the store's file could not be made smaller"),
        }
    }

    fn close(&mut self) {
        if let Ok(_taken) = self.turn.take() {
            checkpoint(&self.connection);
        }
    }

    fn error(&self, fault: Fault) -> Error {
        fault.into_error(&self.files.database)
    }
}

/// Writes the file anew without what is free, if that is worth it.
/// <https://sqlite.org/lang_vacuum.html>
fn vacuum(connection: &Connection) -> Sql<bool> {
    let number =
        |pragma: &str| connection.pragma_query_value(None, pragma, |row| row.get::<_, i64>(0));
    let (free, all) = (number("freelist_count")?, number("page_count")?);
    if free * 2 < all || free * number("page_size")? < MUCH_FREE {
        return Ok(false);
    }
    connection.execute_batch("VACUUM")?;
    Ok(true)
}

/// Which operations have one.
#[derive(Clone, Copy, PartialEq)]
enum Savepoints {
    None,
    Each,
}

/// Does the operations and commits them. Without savepoints the first fault is that of all.
fn in_transaction(
    connection: &Connection,
    jobs: &mut [Box<dyn Job>],
    savepoints: Savepoints,
) -> Sql<Vec<Sql<()>>> {
    let mut results = Vec::with_capacity(jobs.len());
    for job in jobs {
        if savepoints == Savepoints::None {
            job.execute(connection)?;
            results.push(Ok(()));
            continue;
        }
        execute(connection, "SAVEPOINT operation")?;
        match job.execute(connection) {
            Ok(()) => results.push(Ok(())),
            Err(fault) if ends_transaction(connection, &fault) => return Err(fault),
            Err(fault) => {
                execute(connection, "ROLLBACK TO operation")?;
                results.push(Err(fault));
            }
        }
        execute(connection, "RELEASE operation")?;
    }
    execute(connection, "COMMIT")?;
    Ok(results)
}

fn is_full(fault: &Fault) -> bool {
    matches!(fault, Fault::Engine(error)
        if error.sqlite_error_code() == Some(ErrorCode::DiskFull))
}

/// Some errors make the engine give up the whole transaction, or leave it in doubt.
/// <https://sqlite.org/lang_transaction.html#response_to_errors_within_a_transaction>
fn ends_transaction(connection: &Connection, fault: &Fault) -> bool {
    let severe = match fault {
        Fault::Engine(error) => matches!(
            error.sqlite_error_code(),
            Some(
                ErrorCode::DiskFull
                    | ErrorCode::SystemIoFailure
                    | ErrorCode::OutOfMemory
                    | ErrorCode::DatabaseCorrupt
            )
        ),
        Fault::File(_) => true,
        Fault::Value(_) | Fault::Refused(_) => false,
    };
    severe || connection.is_autocommit()
}

fn execute(connection: &Connection, statement: &str) -> Sql<()> {
    connection.prepare_cached(statement)?.execute([])?;
    Ok(())
}

/// Copies what no reader needs from the log into the database. Under the turn only: before
/// 3.51.3 the engine can damage the file when another connection writes meanwhile.
/// <https://sqlite.org/wal.html#walresetbug>
fn checkpoint(connection: &Connection) {
    let done = connection.query_row("PRAGMA wal_checkpoint(PASSIVE)", [], |_| Ok(()));
    if let Err(error) = done {
        // Nothing is lost: the log keeps it all, and grows until this succeeds.
        tracing::warn!(%error, "the store's log could not be copied into its database");
    }
}

/// Moves when another connection committed. <https://sqlite.org/pragma.html#pragma_data_version>
pub(super) fn data_version(connection: &Connection) -> Sql<i64> {
    Ok(connection.pragma_query_value(None, "data_version", |row| row.get(0))?)
}

/// When the log is next to be copied.
#[derive(Debug, Default)]
pub(super) struct Written {
    /// The length when it was last copied; 0 since it began anew.
    copied: u64,
}

impl Written {
    fn is_long(&mut self, path: &Path) -> bool {
        let length = path.metadata().map_or(0, |file| file.len());
        if length < self.copied {
            self.copied = 0;
        }
        let long = length >= self.copied + LOG_LIMIT;
        if long {
            self.copied = length;
        }
        long
    }
}
