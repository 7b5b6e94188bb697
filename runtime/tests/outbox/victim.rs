//! The app that is killed, with a caller that writes orders and requests.

use std::{
    env,
    fs::{self, OpenOptions},
    io::Write,
    path::PathBuf,
};

use bgtask::{
    ActivationId,
    outbox::{OutboxError, OutboxRow, OutboxSource, SqliteOutbox},
    prelude::*,
    rusqlite::{Connection, TransactionBehavior},
};
use rustix::process::{Signal, getpid, kill_process};

use crate::Result;

/// Where the victim keeps everything.
pub(crate) const DIRECTORY: &str = "BGTASK_OUTBOX_VICTIM";
/// Where it is killed: the name of a [`Point`], and the how-maniest time it is there.
pub(crate) const POINT: &str = "BGTASK_OUTBOX_POINT";

/// The caller's database, in the victim's directory.
pub(crate) const DATABASE: &str = "shop.db";
/// The ids of what was rolled back, a line each.
pub(crate) const ROLLED_BACK: &str = "rolled-back";
/// The history, as JSON.
pub(crate) const HISTORY: &str = "history.json";
/// What the victim says when its app is there.
pub(crate) const READY: &str = "ready";

/// Where a victim ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Point {
    /// An order was committed; nobody has looked yet.
    Committed,
    /// The relay has read rows; the broker has not.
    Polled,
    /// The store keeps the rows; they stand in the outbox too.
    Kept,
    /// The rows are deleted; the relay does not know it.
    Deleted,
    /// Wherever the judge's kill finds it.
    Anywhere,
    /// It finishes what is left.
    End,
}

pub(crate) const POINTS: [Point; 5] = [
    Point::Committed,
    Point::Polled,
    Point::Kept,
    Point::Deleted,
    Point::Anywhere,
];

#[background_task(name = "receipt", trigger = application, overlap = queue(10000))]
async fn receipt(Args(order): Args<u32>) -> u32 {
    order
}

/// In a process of its own, which ends with its app.
#[background_task(name = "parcel", trigger = application, host = process("parcel"), overlap = queue(10000))]
fn parcel(Args(order): Args<u32>) -> u32 {
    order
}

/// Ends this process at its point, at the stated time.
#[derive(Clone, Copy, Debug)]
struct End {
    point: Point,
    left: u64,
}

impl End {
    fn told() -> Self {
        let told = env::var(POINT).unwrap_or_default();
        let (point, left) = told.split_once(' ').unwrap_or((&told, "0"));
        let named = |one: &Point| format!("{one:?}") == point;
        Self {
            point: POINTS.into_iter().find(named).unwrap_or(Point::End),
            left: left.parse().unwrap_or(0),
        }
    }

    fn at(&mut self, point: Point) {
        if self.point != point {
            return;
        }
        if self.left == 0 {
            // Its end comes before the call returns.
            let _ = kill_process(getpid(), Signal::KILL);
        }
        self.left = self.left.saturating_sub(1);
    }
}

/// The outbox, with the points between its steps.
struct Deadly {
    outbox: SqliteOutbox,
    end: End,
}

impl OutboxSource for Deadly {
    fn name(&self) -> String {
        OutboxSource::name(&self.outbox)
    }

    async fn poll(&mut self, most: usize, skip: usize) -> Result<Vec<OutboxRow>, OutboxError> {
        let rows = self.outbox.poll(most, skip).await?;
        if !rows.is_empty() {
            self.end.at(Point::Polled);
        }
        Ok(rows)
    }

    async fn acknowledge(&mut self, ids: Vec<String>) -> Result<(), OutboxError> {
        self.end.at(Point::Kept);
        self.outbox.acknowledge(ids).await?;
        self.end.at(Point::Deleted);
        Ok(())
    }

    async fn refuse(&mut self, id: String, error: String) -> Result<(), OutboxError> {
        self.outbox.refuse(id, error).await
    }

    async fn rung(&mut self) {
        self.outbox.rung().await;
    }
}

mod program {
    use super::{App, Result, play, setup};

    #[bgtask::main(setup = setup)]
    pub(crate) async fn main(app: App) -> Result<()> {
        play(app).await
    }
}

pub(crate) use program::main;

fn directory() -> PathBuf {
    env::var_os(DIRECTORY)
        .map(PathBuf::from)
        .unwrap_or_default()
}

fn setup(app: AppBuilder) -> std::io::Result<AppBuilder> {
    let directory = directory();
    Ok(app
        .id("victim")
        .state_dir(directory.join("state"))
        .runtime_dir(directory.join("run"))
        .host_env([DIRECTORY])
        .outbox_source(Deadly {
            outbox: SqliteOutbox::new(directory.join(DATABASE)),
            end: End::told(),
        }))
}

#[expect(clippy::print_stdout, reason = "the victim speaks to the judge")]
async fn play(app: App) -> Result<()> {
    println!("{READY}");
    let end = End::told();
    if end.point == Point::End {
        return finish(&app).await;
    }
    let directory = directory();
    let mut shop = Connection::open(directory.join(DATABASE))?;
    let mut rolled_back = OpenOptions::new()
        .create(true)
        .append(true)
        .open(directory.join(ROLLED_BACK))?;
    // Until it is killed, on the thread of `main`: the broker and the outbox have their own.
    let mut end = end;
    loop {
        // It reads first, and the relay writes too.
        let writing = shop.transaction_with_behavior(TransactionBehavior::Immediate)?;
        let number = "SELECT coalesce(max(number), 0) + 1 FROM orders";
        let number: u32 = writing.query_row(number, [], |row| row.get(0))?;
        let id = match number % 2 {
            0 => app.task::<receipt>().request_in(&writing, number)?,
            _ => app.task::<parcel>().request_in(&writing, number)?,
        };
        let insert = "INSERT INTO orders (number, activation) VALUES (?1, ?2)";
        writing.execute(insert, (number, id.to_string()))?;
        writing.commit()?;
        let receipts = id;
        end.at(Point::Committed);

        let changing_its_mind = shop.transaction()?;
        let id = app.task::<receipt>().request_in(&changing_its_mind, 0)?;
        rolled_back.write_all(format!("{id}\n").as_bytes())?;
        changing_its_mind.rollback()?;
        if number.is_multiple_of(8) {
            // It does not run away from its relay.
            app.run::<receipt>(receipts).await?.ended().await?;
        }
    }
}

#[expect(clippy::print_stdout, reason = "the victim speaks to the judge")]
async fn finish(app: &App) -> Result<()> {
    let shop = Connection::open(directory().join(DATABASE))?;
    let mut orders = shop.prepare("SELECT number, activation FROM orders")?;
    let mut orders = orders.query([])?;
    while let Some(order) = orders.next()? {
        let number: u32 = order.get(0)?;
        let id: ActivationId = order.get::<_, String>(1)?.parse()?;
        // Whether it is known, and how it ended, is for the judge.
        let ended = match number % 2 {
            0 => match app.run::<receipt>(id).await {
                Ok(mut run) => run.ended().await.map(drop),
                Err(error) => Err(error),
            },
            _ => match app.run::<parcel>(id).await {
                Ok(mut run) => run.ended().await.map(drop),
                Err(error) => Err(error),
            },
        };
        if let Err(error) = ended {
            println!("{error}");
        }
    }
    let history = app.history(None, 0).await?;
    fs::write(directory().join(HISTORY), serde_json::to_vec(&history)?)?;
    app.shutdown().await;
    Ok(())
}
