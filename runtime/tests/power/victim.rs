//! The app whose power is cut.

use std::{env, path::PathBuf, sync::Arc};

use bgtask::{EventKind, Events, prelude::*};
use tokio::sync::Semaphore;

use crate::Result;

/// Where the victim keeps everything; without it this program is the judge.
pub(crate) const DIRECTORY: &str = "BGTASK_POWER_VICTIM";
/// The store, in the victim's directory.
pub(crate) const STATE: &str = "state";
/// The app's id.
pub(crate) const APP: &str = "bgtask.power";

/// Followed by an activation: it is accepted.
pub(crate) const ACCEPTED: &str = "accepted ";
/// Followed by a run: it has ended, for good.
pub(crate) const ENDED: &str = "ended ";

/// How many runs the victim asks for: their records do not fit in one length of the store's log.
const REQUESTS: u64 = 240;
/// How many of them are asked for and not ended.
const OUTSTANDING: u32 = 8;

/// Fails the first time when its number is odd.
#[background_task(
    name = "work",
    trigger = application,
    overlap = queue(10000),
    retry(max = 10, backoff = fixed("1ms"))
)]
async fn work(task: TaskContext, Args(number): Args<u64>) -> Result<u64, &'static str> {
    if number % 2 == 1 && task.attempt() == 1 {
        return Err("the first attempt fails");
    }
    Ok(number)
}

/// Is there, and never due.
#[background_task(name = "yearly", trigger = cron("0 0 1 1 *", tz = "UTC"))]
async fn yearly() {}

fn setup(app: AppBuilder) -> Result<AppBuilder> {
    let directory = PathBuf::from(env::var_os(DIRECTORY).ok_or("no directory")?);
    Ok(app
        .id(APP)
        .state_dir(directory.join(STATE))
        .runtime_dir(directory.join("run")))
}

#[bgtask::main(setup = setup)]
pub(crate) async fn main(app: App) -> Result<()> {
    tokio::spawn(tell_ends(app.events()));
    let places = Arc::new(Semaphore::new(OUTSTANDING as usize));
    for number in 0..REQUESTS {
        let place = Arc::clone(&places).acquire_owned().await?;
        let mut run = app.task::<work>().request(number).await?.allowed()?;
        println!("{ACCEPTED}{}", run.activation());
        tokio::spawn(async move {
            // An error means that the app is closing.
            let _ = run.ended().await;
            drop(place);
        });
    }
    // All have ended.
    let _ = places.acquire_many(OUTSTANDING).await?;
    Ok(())
}

async fn tell_ends(mut events: Events) {
    while let Some(event) = events.next().await {
        if let EventKind::Ended {
            run,
            retry_at: None,
            ..
        } = event.kind
        {
            println!("{ENDED}{run}");
        }
    }
}
