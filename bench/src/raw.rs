//! SQLite alone doing what a queue has to: the limit of all queues that keep their jobs in it.
//!
//! A job is inserted and claimed in one commit and finished in another one. One thread writes, and
//! what waits together is committed together.

use std::{
    path::Path,
    sync::mpsc::{self, Receiver, Sender},
    thread,
    time::Instant,
};

use rusqlite::{Connection, params};
use tokio::sync::oneshot;

use crate::load::Failure;

/// So many steps share a commit at most.
const GROUP: usize = 128;

/// A queue without anything around it.
#[derive(Clone)]
pub(crate) struct Raw {
    writer: Sender<Step>,
}

enum Work {
    Claim,
    Finish,
}

struct Step {
    job: u64,
    work: Work,
    done: oneshot::Sender<()>,
}

/// Makes a file that keeps a log of what was written ahead, as every connection to it then does.
pub(crate) fn prepare(file: &Path) -> rusqlite::Result<Connection> {
    let connection = Connection::open(file)?;
    connection.execute_batch("PRAGMA journal_mode=WAL")?;
    Ok(connection)
}

impl Raw {
    pub(crate) fn open(file: &Path, synchronous: &str) -> rusqlite::Result<Self> {
        let connection = prepare(file)?;
        connection.execute_batch(&format!(
            "PRAGMA synchronous={synchronous};
             CREATE TABLE job (
                 seq INTEGER PRIMARY KEY, id BLOB NOT NULL UNIQUE, task TEXT NOT NULL,
                 arguments TEXT NOT NULL, accepted INTEGER NOT NULL, started INTEGER
             ) STRICT;
             CREATE TABLE run (
                 seq INTEGER PRIMARY KEY, id BLOB NOT NULL UNIQUE, task TEXT NOT NULL,
                 accepted INTEGER NOT NULL, started INTEGER NOT NULL, ended INTEGER NOT NULL,
                 outcome TEXT NOT NULL
             ) STRICT;"
        ))?;
        let (writer, steps) = mpsc::channel();
        thread::spawn(move || {
            if let Err(error) = write(&connection, &steps) {
                println!("{error}");
            }
        });
        Ok(Self { writer })
    }

    /// A job from its insertion to its end; its body runs here.
    pub(crate) async fn job(&self, job: u64) -> Result<Instant, Failure> {
        self.step(job, Work::Claim).await?;
        let ran = Instant::now();
        self.step(job, Work::Finish).await?;
        Ok(ran)
    }

    async fn step(&self, job: u64, work: Work) -> Result<(), Failure> {
        let (done, told) = oneshot::channel();
        self.writer.send(Step { job, work, done })?;
        Ok(told.await?)
    }
}

fn write(connection: &Connection, steps: &Receiver<Step>) -> rusqlite::Result<()> {
    while let Ok(first) = steps.recv() {
        let mut together = vec![first];
        together.extend(steps.try_iter().take(GROUP - 1));
        connection.prepare_cached("BEGIN IMMEDIATE")?.execute([])?;
        for step in &together {
            let id = uuid(step.job);
            match step.work {
                Work::Claim => {
                    connection
                        .prepare_cached(
                            "INSERT INTO job (id, task, arguments, accepted) VALUES (?, ?, ?, ?)",
                        )?
                        .execute(params![id, "job", step.job.to_string(), 1])?;
                    connection
                        .prepare_cached("UPDATE job SET started = ? WHERE id = ?")?
                        .execute(params![2, id])?;
                }
                Work::Finish => {
                    connection
                        .prepare_cached(
                            "INSERT INTO run (id, task, accepted, started, ended, outcome)
                             SELECT id, task, accepted, started, ?, ? FROM job WHERE id = ?",
                        )?
                        .execute(params![3, "\"completed\"", id])?;
                    connection
                        .prepare_cached("DELETE FROM job WHERE id = ?")?
                        .execute(params![id])?;
                }
            }
        }
        connection.prepare_cached("COMMIT")?.execute([])?;
        for step in together {
            // Who waited may have gone.
            let _ = step.done.send(());
        }
    }
    Ok(())
}

/// An identity as long as those of others; later ones are greater.
fn uuid(job: u64) -> [u8; 16] {
    u128::from(job).to_be_bytes()
}
