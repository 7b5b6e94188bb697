//! Runs in processes of their own, cold and warm, beside bare children. The store is in memory, so
//! that the figures are the hosts'; `request` has the disk's.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use bgtask::{App, prelude::*};
use serde::{Deserialize, Serialize};
use tokio_util::bytes::Bytes;

use crate::{bare, figures::Figures, idle::Memory, load::Failure, since_epoch};

/// What a run is given, and gives back with the time when its body started.
#[derive(Serialize, Deserialize)]
struct Answer {
    started: Duration,
    text: String,
}

#[background_task(name = "warm", trigger = application, host = process("warm"), overlap = allow(16))]
async fn warm(Args(text): Args<String>) -> Answer {
    let started = since_epoch();
    Answer { started, text }
}

/// Each run has a process of its own: all of them start cold.
#[background_task(name = "cold", trigger = application, host = process, multiple_instances)]
async fn cold() -> Duration {
    since_epoch()
}

#[background_task(name = "resident", trigger = application, host = process("idle"))]
async fn resident() -> u32 {
    std::process::id()
}

/// Between two cold starts: longer than a process takes to end.
const APART: Duration = Duration::from_millis(30);

/// Until a host with nothing to do rests.
const IDLE: Duration = Duration::from_secs(2);

pub(crate) async fn measure(app: &App, rounds: u32) -> Result<(), Failure> {
    println!("runs in a process of their own (store in memory)");
    cold_starts(app, rounds / 10).await?;
    warm_runs(app, rounds, 64).await?;
    warm_runs(app, rounds, 4096).await?;
    at_once(app, rounds).await?;
    memory(app).await?;
    println!();
    Ok(())
}

async fn cold_starts(app: &App, rounds: u32) -> Result<(), Failure> {
    let (mut bare, mut spawned) = (Figures::default(), Figures::default());
    for _ in 0..rounds {
        bare.add(bare::first_byte()?);
        tokio::time::sleep(APART).await;
        spawned.add(cold_start(app).await?);
    }
    bare.show("bare re-exec of this executable to first byte", None);
    spawned.show("request to body start, cold host", Some(bare.quantile(0.5)));
    let weight = std::hint::black_box(vec![1_u8; 1 << 30]);
    let mut heavy = Figures::default();
    for _ in 0..rounds {
        heavy.add(cold_start(app).await?);
    }
    heavy.show(
        "the same from a parent of 1 GiB",
        Some(spawned.quantile(0.5)),
    );
    drop(weight);
    Ok(())
}

async fn cold_start(app: &App) -> Result<Duration, Failure> {
    let asked = since_epoch();
    let run = app.task::<cold>().request(()).await?.allowed()?;
    let time = run.completed().await?.saturating_sub(asked);
    // The end of one process is not to be a part of the start of the next.
    tokio::time::sleep(APART).await;
    Ok(time)
}

async fn warm_runs(app: &App, rounds: u32, bytes: usize) -> Result<(), Failure> {
    let text = "x".repeat(bytes);
    let mut echo = bare::Echo::start()?;
    let (mut bare, mut figures) = (Figures::default(), Figures::default());
    for _ in 0..rounds {
        bare.add(echo.round_trip(Bytes::from(text.clone())).await?);
        let start = Instant::now();
        let run = app.task::<warm>().request(text.clone()).await?.allowed()?;
        run.completed().await?;
        figures.add(start.elapsed());
    }
    echo.end()?;
    bare.show(&format!("bare framed round trip, {bytes} B"), None);
    let what = format!("request to result, warm host, {bytes} B");
    figures.show(&what, Some(bare.quantile(0.5)));
    Ok(())
}

async fn at_once(app: &App, rounds: u32) -> Result<(), Failure> {
    let left = Arc::new(std::sync::atomic::AtomicI64::new(i64::from(rounds)));
    let start = Instant::now();
    let mut workers = Vec::new();
    for _ in 0..16 {
        let (app, left) = (app.clone(), Arc::clone(&left));
        workers.push(tokio::spawn(async move {
            while left.fetch_sub(1, std::sync::atomic::Ordering::Relaxed) > 0 {
                let run = app
                    .task::<warm>()
                    .request("x".repeat(64))
                    .await?
                    .allowed()?;
                run.completed().await.map_err(|error| {
                    bgtask::Error::new(bgtask::Code::RunEnded, error.to_string())
                })?;
            }
            Ok::<(), bgtask::Error>(())
        }));
    }
    for worker in workers {
        worker.await??;
    }
    let each = f64::from(rounds) / start.elapsed().as_secs_f64();
    println!(
        "{:<52} {each:>9.0} per second",
        "16 warm runs at once, 64 B"
    );
    Ok(())
}

async fn memory(app: &App) -> Result<(), Failure> {
    let bare = bare::idle_memory()?;
    let run = app.task::<resident>().request(()).await?.allowed()?;
    let host = run.completed().await?;
    tokio::time::sleep(IDLE).await;
    let ours = Memory::of(host)?;
    for (what, bare, ours) in [
        ("resident", bare.resident, ours.resident),
        ("of its own", bare.own, ours.own),
    ] {
        let process = format!("idle bare process with a tokio runtime, {what}");
        println!("{process:<52} {bare:>9} KiB");
        #[allow(clippy::cast_precision_loss, reason = "a ratio of some megabytes")]
        let ratio = ours as f64 / bare as f64;
        let host = format!("idle host, {what}");
        println!("{host:<52} {ours:>9} KiB   {ratio:.2} x");
    }
    Ok(())
}
