//! A durable request in the app's process, beside the commits that it needs.

use std::time::Instant;

use bgtask::{App, prelude::*};
use tokio::sync::mpsc;

use crate::figures::Figures;

/// Where a body says that it has started.
static STARTED: std::sync::OnceLock<mpsc::UnboundedSender<Instant>> = std::sync::OnceLock::new();

#[background_task(name = "noop", trigger = application, overlap = allow(256))]
async fn noop() {
    if let Some(started) = STARTED.get() {
        let _ = started.send(Instant::now());
    }
}

pub(crate) async fn measure(app: &App, rounds: u32) -> Result<(), Box<dyn std::error::Error>> {
    let mut raw = commits(rounds)?;
    let (sender, mut bodies) = mpsc::unbounded_channel();
    let _ = STARTED.set(sender);
    let (mut body, mut end) = (Figures::default(), Figures::default());
    for _ in 0..rounds {
        let asked = Instant::now();
        let run = app.task::<noop>().request(()).await?.allowed()?;
        let started = bodies.recv().await.ok_or("no body started")?;
        run.completed().await?;
        end.add(asked.elapsed());
        body.add(started - asked);
    }
    println!("durable requests in the app's process (SQLite, synchronous=FULL)");
    raw.show("one SQLite commit of a row, FULL", None);
    let commit = raw.quantile(0.5);
    body.show("request to body start", Some(commit));
    end.show("request to completed", Some(commit));

    let start = Instant::now();
    let mut runs = Vec::new();
    for _ in 0..rounds {
        let app = app.clone();
        runs.push(tokio::spawn(async move {
            let run = app.task::<noop>().request(()).await?.allowed()?;
            run.completed()
                .await
                .map_err(|error| bgtask::Error::new(bgtask::Code::RunEnded, error.to_string()))
        }));
    }
    for run in runs {
        run.await??;
    }
    let each = f64::from(rounds) / start.elapsed().as_secs_f64();
    println!(
        "{:<52} {each:>9.0} per second\n",
        "requests at once, to completed"
    );
    Ok(())
}

/// What one synced commit costs on this disk, now.
fn commits(rounds: u32) -> Result<Figures, Box<dyn std::error::Error>> {
    let dir = tempfile::tempdir()?;
    let file = rusqlite::Connection::open(dir.path().join("raw.db"))?;
    file.execute_batch(
        "PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL; CREATE TABLE t(a BLOB) STRICT;",
    )?;
    let mut figures = Figures::default();
    for _ in 0..rounds {
        let start = Instant::now();
        file.execute("INSERT INTO t VALUES (zeroblob(256))", [])?;
        figures.add(start.elapsed());
    }
    Ok(figures)
}
