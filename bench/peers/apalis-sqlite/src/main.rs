//! apalis-sqlite under the load of bgtask's bench: `bgtask-bench-apalis-sqlite FOLDER CALLERS HOW`,
//! with `full` or `normal`, which the connections are told: its own `setup` turns `synchronous` off
//! on one of them.
//!
//! It looks for jobs when its connections insert one, and each 10 ms. Without that it may find one
//! half a minute later.

#[path = "../../../src/load.rs"]
mod load;

use std::{env, path::Path, str::FromStr, time::Duration};

use apalis::prelude::*;
use apalis_sqlite::{Config, SqliteConnectOptions, SqliteStorage};
use load::Failure;

async fn body(job: u64) -> Result<(), BoxDynError> {
    load::body(job);
    Ok(())
}

#[tokio::main]
async fn main() -> Result<(), Failure> {
    let arguments: Vec<String> = env::args().skip(1).collect();
    let callers: u16 = arguments[1].parse()?;
    let file = Path::new(&arguments[0]).join("queue.db");
    let url = format!("sqlite://{}?mode=rwc", file.display());
    let (pool, inserted) = SqliteStorage::connect_with_callback(&url)?;
    let options = SqliteConnectOptions::from_str(&url)?;
    let options = options.pragma("journal_mode", "WAL");
    pool.set_connect_options(options.pragma("synchronous", arguments[2].clone()));
    SqliteStorage::migrations().run(&pool).await?;

    let config = Config::default().queue("job").batch_size(callers.into());
    let storage = SqliteStorage::<u64>::new(&pool).with_config(config);
    let look = Strategy::new().stream(inserted);
    let look = look.interval(Duration::from_millis(10));
    let worker = WorkerBuilder::new("worker")
        .backend(storage.clone().poll_with_strategy(look))
        .concurrency(callers.into())
        .parallelize(tokio::spawn)
        .build(body);
    let worker = tokio::spawn(worker.run());
    load::measure(callers.into(), move |job| {
        let mut storage = storage.clone();
        async move {
            let ran = load::ran(job);
            storage.push(job).await?;
            ran.await
        }
    })
    .await?;
    worker.abort();
    Ok(())
}
