//! effectum under the load of bgtask's bench: `bgtask-bench-effectum FOLDER CALLERS`.
//!
//! It sets `synchronous=NORMAL` and means to set WAL, but says `PRAGMA journal=wal`, which is no
//! pragma: the file is in the mode that it had before.

#[path = "../../../src/load.rs"]
mod load;

use std::{env, path::Path, sync::Arc};

use effectum::{Job, JobRunner, Queue, RunningJob, Worker};
use load::Failure;

async fn body(job: RunningJob, (): ()) -> Result<(), effectum::Error> {
    load::body(job.json_payload()?);
    Ok(())
}

#[tokio::main]
async fn main() -> Result<(), Failure> {
    let arguments: Vec<String> = env::args().skip(1).collect();
    let callers: u16 = arguments[1].parse()?;
    let queue = Arc::new(Queue::new(&Path::new(&arguments[0]).join("queue.db")).await?);
    let worker = Worker::builder(&queue, ())
        .max_concurrency(callers)
        .jobs([JobRunner::builder("job", body).build()])
        .build()
        .await?;
    load::measure(callers.into(), move |job| {
        let queue = Arc::clone(&queue);
        async move {
            let ran = load::ran(job);
            Job::builder("job")
                .json_payload(&job)?
                .add_to(&queue)
                .await?;
            ran.await
        }
    })
    .await?;
    drop(worker);
    Ok(())
}
