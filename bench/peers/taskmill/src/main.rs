//! taskmill under the load of bgtask's bench: `bgtask-bench-taskmill FOLDER CALLERS`.
//!
//! It sets WAL and `synchronous=NORMAL`, and offers nothing else.

#[path = "../../../src/load.rs"]
mod load;

use std::{env, path::Path};

use load::Failure;
use serde::{Deserialize, Serialize};
use taskmill::{
    Domain, DomainKey, DomainTaskContext, Scheduler, TaskError, TypedExecutor, TypedTask,
};
use tokio_util::sync::CancellationToken;

#[derive(Clone)]
struct Bench;

impl DomainKey for Bench {
    const NAME: &'static str = "bench";
}

#[derive(Serialize, Deserialize)]
struct Job {
    number: u64,
}

impl TypedTask for Job {
    type Domain = Bench;
    const TASK_TYPE: &'static str = "job";
}

struct Body;

impl TypedExecutor<Job> for Body {
    async fn execute<'a>(
        &'a self,
        job: Job,
        _: DomainTaskContext<'a, Bench>,
    ) -> Result<(), TaskError> {
        load::body(job.number);
        Ok(())
    }
}

#[tokio::main]
async fn main() -> Result<(), Failure> {
    let arguments: Vec<String> = env::args().skip(1).collect();
    let callers: u16 = arguments[1].parse()?;
    let file = Path::new(&arguments[0]).join("queue.db");
    let scheduler = Scheduler::builder()
        .store_path(&file.to_string_lossy())
        .domain(Domain::<Bench>::new().task::<Job>(Body))
        .max_concurrency(callers.into())
        .build()
        .await?;
    let bench = scheduler.domain::<Bench>();
    let end = CancellationToken::new();
    let running = tokio::spawn({
        let (scheduler, end) = (scheduler.clone(), end.clone());
        async move { scheduler.run(end).await }
    });
    load::measure(callers.into(), move |number| {
        let bench = bench.clone();
        async move {
            let ran = load::ran(number);
            bench.submit(Job { number }).await?;
            ran.await
        }
    })
    .await?;
    end.cancel();
    Ok(running.await?)
}
