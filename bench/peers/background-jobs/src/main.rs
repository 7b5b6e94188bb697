//! background-jobs under the load of bgtask's bench: `bgtask-bench-background-jobs FOLDER CALLERS`.
//!
//! Its store sled writes to the file each 500 ms, and never has the disk write what it holds for
//! good: it calls `sync_file_range`.

#[path = "../../../src/load.rs"]
mod load;

use std::{convert::Infallible, env, path::Path};

use background_jobs::{sled::Storage, tokio::WorkerConfig};
use load::Failure;
use serde::{Deserialize, Serialize};

#[derive(Serialize, Deserialize)]
struct Job {
    number: u64,
}

impl background_jobs::Job for Job {
    type State = ();
    type Error = Infallible;

    const NAME: &'static str = "job";

    async fn run(self, (): ()) -> Result<(), Infallible> {
        load::body(self.number);
        Ok(())
    }
}

#[tokio::main]
async fn main() -> Result<(), Failure> {
    let arguments: Vec<String> = env::args().skip(1).collect();
    let callers: u64 = arguments[1].parse()?;
    let disk = sled::open(Path::new(&arguments[0]).join("queue"))?;
    let queue = WorkerConfig::new(Storage::new(disk)?, |_| ())
        .register::<Job>()
        .set_worker_count("default", callers)
        .start()?;
    load::measure(callers, move |number| {
        let queue = queue.clone();
        async move {
            let ran = load::ran(number);
            queue.push(Job { number }).await?;
            ran.await
        }
    })
    .await
}
