//! A durable request in the app's process, beside the commits that it needs.

use std::{path::Path, time::Instant};

use bgtask::{App, prelude::*};
use tokio::sync::mpsc;

use crate::{
    figures::Figures,
    load::{self, Failure, Loops},
    queue,
    raw::Raw,
};

/// Where a body says that it has started.
static STARTED: std::sync::OnceLock<mpsc::UnboundedSender<Instant>> = std::sync::OnceLock::new();

#[background_task(name = "noop", trigger = application, overlap = allow(256))]
async fn noop() {
    if let Some(started) = STARTED.get() {
        let _ = started.send(Instant::now());
    }
}

pub(crate) async fn measure(app: &App, rounds: u32) -> Result<(), Failure> {
    let mut raw = commits(rounds)?;
    let (sender, mut bodies) = mpsc::unbounded_channel();
    let _ = STARTED.set(sender);
    let (mut body, mut end) = (Figures::default(), Figures::default());
    for _ in 0..rounds {
        tokio::time::sleep(load::APART).await;
        let asked = Instant::now();
        let run = app.task::<noop>().request(()).await?.allowed()?;
        let started = bodies.recv().await.ok_or("no body started")?;
        run.completed().await?;
        end.add(asked.elapsed());
        body.add(started - asked);
    }
    println!("durable requests in an idle app's process (SQLite, synchronous=FULL)");
    raw.show("one SQLite commit of a row, FULL", None);
    let commit = raw.quantile(0.5);
    body.show("request to body start", Some(commit));
    end.show("request to completed", Some(commit));

    println!();
    throughput(app).await
}

/// Closed loops, beside SQLite alone.
async fn throughput(app: &App) -> Result<(), Failure> {
    let folder = tempfile::tempdir()?;
    println!("requests in closed loops, per second: 1 caller and worker, then 16");
    let app = app.clone();
    let job = move |job| queue::request(app.clone(), job);
    let ours = [load::loops(1, &job).await?, load::loops(16, &job).await?];
    let full = raw_loops(&folder.path().join("full.db"), "FULL").await?;
    show("SQLite alone, FULL", &full, &full);
    show("to completed (FULL)", &ours, &full);
    let normal = raw_loops(&folder.path().join("normal.db"), "NORMAL").await?;
    show("SQLite alone, NORMAL", &normal, &full);
    println!();
    Ok(())
}

async fn raw_loops(file: &Path, synchronous: &str) -> Result<[Loops; 2], Failure> {
    let raw = Raw::open(file, synchronous)?;
    let job = move |job| {
        let raw = raw.clone();
        async move { raw.job(job).await }
    };
    Ok([load::loops(1, &job).await?, load::loops(16, &job).await?])
}

fn show(what: &str, loops: &[Loops; 2], limits: &[Loops; 2]) {
    print!("{what:<52}");
    for (loops, limit) in loops.iter().zip(limits) {
        let jobs = loops.jobs_per_second;
        print!(" {jobs:>9.0}   {:.2} x", jobs / limit.jobs_per_second);
    }
    println!();
}

/// What one synced commit costs on this disk, now.
fn commits(rounds: u32) -> Result<Figures, Failure> {
    let dir = tempfile::tempdir()?;
    let file = rusqlite::Connection::open(dir.path().join("raw.db"))?;
    file.execute_batch(
        "PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL; CREATE TABLE t(a BLOB) STRICT;",
    )?;
    let mut figures = Figures::default();
    for _ in 0..rounds {
        std::thread::sleep(load::APART);
        let start = Instant::now();
        file.execute("INSERT INTO t VALUES (zeroblob(256))", [])?;
        figures.add(start.elapsed());
    }
    Ok(figures)
}
