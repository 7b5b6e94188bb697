//! How late due times are: a thousand of them, spread over ten seconds.

use std::{
    collections::HashMap,
    sync::OnceLock,
    time::{Duration, SystemTime},
};

use bgtask::{App, RunId, prelude::*};
use tokio::{sync::mpsc, time::Instant};

use crate::{figures::Figures, load::Failure};

const TIMERS: usize = 100;
const DUE: usize = 1_000;
/// Between two due times: each timer's period is a second.
const APART: Duration = Duration::from_millis(10);

/// What a body tells when it starts.
struct Tick {
    run: RunId,
    due: SystemTime,
    started: SystemTime,
}

static TICKS: OnceLock<mpsc::UnboundedSender<Tick>> = OnceLock::new();

#[background_task(name = "tick", trigger = every("1s"), register = false)]
async fn tick(task: TaskContext, ScheduledTime(due): ScheduledTime) {
    let started = SystemTime::now();
    if let Some(ticks) = TICKS.get() {
        let (run, due) = (task.run_id(), due.into());
        // The measuring is over.
        let _ = ticks.send(Tick { run, due, started });
    }
}

pub(crate) async fn measure(app: &App) -> Result<(), Failure> {
    let mut tokio = Figures::default();
    let start = Instant::now();
    for due in 0..DUE {
        // In the middle of its grain of a millisecond, and everywhere else in it.
        let due =
            start + APART * u32::try_from(due)? + Duration::from_micros(due as u64 % 100 * 10);
        tokio::time::sleep_until(due).await;
        tokio.add(due.elapsed());
    }

    let (sender, mut ticks) = mpsc::unbounded_channel();
    let _ = TICKS.set(sender);
    let mut timers = Vec::new();
    for timer in 0..TIMERS {
        let timer = app.registration(format!("timer {timer}")).entry::<tick>();
        timers.push(timer.trigger("every(\"1s\")").register().await?);
        tokio::time::sleep(APART).await;
    }
    // What came due while others were registered does not count.
    while ticks.try_recv().is_ok() {}
    let mut told = HashMap::new();
    let mut body = Figures::default();
    while told.len() < DUE {
        let tick = ticks.recv().await.ok_or("no timer is left")?;
        body.add(tick.started.duration_since(tick.due)?);
        told.insert(tick.run, tick.due);
    }
    for timer in timers {
        timer.unregister(false).await?;
    }
    let mut decision = Figures::default();
    for run in app.history(None, 0).await? {
        if let Some(due) = told.remove(&run.run) {
            decision.add(SystemTime::from(run.accepted).duration_since(due)?);
        }
    }
    println!(
        "lateness of {DUE} due times, {} ms apart",
        APART.as_millis()
    );
    tokio.show("tokio::time::sleep_until, due to its return", None);
    let limit = tokio.quantile(0.5);
    decision.show("every, due to the decision", Some(limit));
    body.show(
        "every, due to body start, its activation on disk",
        Some(limit),
    );
    println!();
    Ok(())
}
