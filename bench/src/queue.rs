//! A queue in a process of its own, for `peers`: bgtask, or SQLite alone. Those of others are
//! packages in `bench/peers`, and say the same.

use std::{path::Path, time::Instant};

use bgtask::{App, Durability, prelude::*};

use crate::{
    load::{self, Failure},
    raw::Raw,
};

/// Asks this program to be a queue; which, its folder, the number of callers and how follow.
pub(crate) const ARGUMENT: &str = "--queue";

/// How bgtask is told to keep nothing.
const VOLATILE: &str = "volatile";

#[background_task(name = "job", trigger = application, overlap = allow(16))]
pub(crate) async fn job(Args(job): Args<u64>) {
    load::body(job);
}

#[background_task(
    name = "volatile job", trigger = application, overlap = allow(16), delivery = volatile
)]
async fn volatile_job(Args(job): Args<u64>) {
    load::body(job);
}

/// What an app promises that is told this word of SQLite.
pub(crate) fn durability(how: &str) -> Durability {
    match how {
        "NORMAL" => Durability::Eventual,
        _ => Durability::Immediate,
    }
}

/// Jobs of bgtask.
pub(crate) async fn bgtask(app: App, callers: u64, how: &str) -> Result<(), Failure> {
    match how {
        VOLATILE => load::measure(callers, move |job| volatile(app.clone(), job)).await,
        _ => load::measure(callers, move |job| request(app.clone(), job)).await,
    }
}

async fn volatile(app: App, job: u64) -> Result<Instant, Failure> {
    let ran = load::ran(job);
    let run = app.task::<volatile_job>().request(job).await?.allowed()?;
    run.completed().await?;
    ran.await
}

/// One job: hands it over and waits until its end is recorded.
pub(crate) async fn request(app: App, job: u64) -> Result<Instant, Failure> {
    let ran = load::ran(job);
    let run = app.task::<self::job>().request(job).await?.allowed()?;
    run.completed().await?;
    ran.await
}

/// Jobs of SQLite alone.
pub(crate) fn raw(folder: &Path, callers: &str, synchronous: &str) -> Result<(), Failure> {
    let raw = Raw::open(&folder.join("raw.db"), synchronous)?;
    let load = load::measure(callers.parse()?, move |job| {
        let raw = raw.clone();
        async move { raw.job(job).await }
    });
    tokio::runtime::Runtime::new()?.block_on(load)
}
