//! Runs in processes of their own, cold and warm, beside a bare child.

use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use bgtask::{App, prelude::*};

use crate::{bare, figures::Figures};

#[background_task(name = "hosted", trigger = application, host = process("warm"))]
async fn hosted() -> Duration {
    since_epoch()
}

/// Ends its host, so that the next run starts cold.
#[background_task(name = "cold", trigger = application, host = process("cold"))]
async fn cold(Args(end): Args<bool>) -> Duration {
    if end {
        std::process::exit(0);
    }
    since_epoch()
}

fn since_epoch() -> Duration {
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default()
}

pub(crate) async fn measure(app: &App, rounds: u32) -> Result<(), Box<dyn std::error::Error>> {
    let few = rounds / 10;
    let mut bare = bare::measure(few)?;
    let mut spawned = Figures::default();
    for _ in 0..few {
        let asked = since_epoch();
        let run = app.task::<cold>().request(false).await?.allowed()?;
        let started = run.completed().await?;
        spawned.add(started.saturating_sub(asked));
        let last = app.task::<cold>().request(true).await?.allowed()?;
        // It ends with its process, which is what it is for.
        let _ = last.completed().await;
    }
    let mut warm = Figures::default();
    for _ in 0..rounds {
        let start = Instant::now();
        let run = app.task::<hosted>().request(()).await?.allowed()?;
        run.completed().await?;
        warm.add(start.elapsed());
    }
    println!("runs in a process of their own");
    bare.show("bare re-exec of this executable to first byte", None);
    let limit = bare.quantile(0.5);
    spawned.show("durable request to body start, cold host", Some(limit));
    warm.show("durable request to completed, warm host", None);
    println!();
    Ok(())
}
