//! A queue in a process of its own, for `peers`: bgtask, or SQLite alone. Those of others are
//! packages in `bench/peers`, and say the same.

use std::{path::Path, time::Instant};

use bgtask::{App, prelude::*};

use crate::{
    load::{self, Failure},
    raw::Raw,
};

/// Asks this program to be a queue; which, its folder, the number of callers and how follow.
pub(crate) const ARGUMENT: &str = "--queue";

#[background_task(name = "job", trigger = application, overlap = allow(16))]
pub(crate) async fn job(Args(job): Args<u64>) {
    load::body(job);
}

/// Jobs of bgtask.
pub(crate) async fn bgtask(app: App, callers: u64) -> Result<(), Failure> {
    load::measure(callers, move |job| request(app.clone(), job)).await
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
