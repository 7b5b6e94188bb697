//! The app that is killed. It asks for runs without end, and writes down what was accepted
//! and what has ended.

use std::{
    env,
    fs::File,
    future::pending,
    path::PathBuf,
    sync::{
        Arc, LazyLock,
        atomic::{AtomicU64, Ordering},
    },
};

use bgtask::{ActivationId, EventKind, Events, NamedTask, Requestable, prelude::*};
use tokio::sync::{Semaphore, watch};

use crate::{
    Result,
    ledger::{self, Ledger},
};

/// Where the victim keeps everything.
pub(crate) const DIRECTORY: &str = "BGTASK_KILL_VICTIM";
/// The how-maniest victim it is, or [`DRAIN`].
pub(crate) const LIFE: &str = "BGTASK_KILL_LIFE";
/// It asks for nothing, finishes what is left, and writes the history to [`HISTORY`].
pub(crate) const DRAIN: &str = "drain";
/// It acknowledges what was not asked for yet.
pub(crate) const CONTROL: &str = "BGTASK_KILL_CONTROL";

/// The app's id.
pub(crate) const APP: &str = "bgtask.kill";

/// The history, as JSON, in the victim's directory.
pub(crate) const HISTORY: &str = "history.json";
/// The store, in the victim's directory.
pub(crate) const STATE: &str = "state";

/// What it says on standard output.
pub(crate) const READY: &str = "ready";
/// Followed by the process id of a host that took up a run.
pub(crate) const HOST: &str = "host ";
/// A run that ends by a kill only has started.
pub(crate) const STUCK: &str = "stuck";

/// How many runs of a task are asked for and not ended, so that queues stay far from their ends.
const OUTSTANDING: usize = 16;

pub(crate) const QUICK: &str = quick::NAME;
pub(crate) const HOSTED: &str = hosted::NAME;
pub(crate) const FLAKY: &str = flaky::NAME;
pub(crate) const GATED: &str = gated::NAME;
pub(crate) const ENDLESS: &str = endless::NAME;
pub(crate) const TICK: &str = tick::NAME;
/// The tasks that the clock starts, and their periods in milliseconds.
pub(crate) const TIMED: [(&str, i128); 2] = [(TICK, 20), (slow_tick::NAME, 300)];

/// Returns what it was given. As all of them it may be tried again, so that it is not given up when
/// many victims in a row are killed under it.
#[background_task(
    name = "quick",
    trigger = application,
    overlap = queue(10000),
    retry(max = 10000, backoff = fixed("1ms"))
)]
async fn quick(Args(number): Args<u64>) -> u64 {
    number
}

/// As `quick`, in a process of its own. Its host is killed too, so it is tried again.
#[background_task(
    name = "hosted",
    trigger = application,
    host = process("a"),
    overlap = queue(10000),
    retry(max = 10000, backoff = fixed("1ms"))
)]
fn hosted(Args(number): Args<u64>) -> u64 {
    number
}

/// Fails the first time.
#[background_task(
    name = "flaky",
    trigger = application,
    overlap = queue(10000),
    retry(max = 10000, backoff = fixed("1ms"))
)]
async fn flaky(task: TaskContext, Args(number): Args<u64>) -> Result<u64, &'static str> {
    match task.attempt() {
        1 => Err("the first attempt fails"),
        _ => Ok(number),
    }
}

/// Held while the gate is shut.
#[background_task(
    name = "gated",
    trigger = custom("raised"),
    condition = self::gate,
    overlap = queue(10000),
    retry(max = 10000, backoff = fixed("1ms"))
)]
async fn gated(Args(number): Args<u64>) -> u64 {
    number
}

/// Ends only when it is started again: the victim is always killed under a run.
#[background_task(
    name = "endless",
    trigger = application,
    overlap = queue(10000),
    retry(max = 10000, backoff = fixed("1ms"))
)]
async fn endless(task: TaskContext, Args(number): Args<u64>) -> u64 {
    if task.attempt() == 1 && !draining() {
        println!("{STUCK}");
        pending::<()>().await;
    }
    number
}

/// Returns its due time.
#[background_task(
    name = "tick",
    trigger = every("20ms"),
    retry(max = 10000, backoff = fixed("1ms"))
)]
async fn tick(ScheduledTime(due): ScheduledTime) -> String {
    due.to_string()
}

/// As `tick`; most victims do not live until it is due again, and find the due time kept.
#[background_task(
    name = "slow_tick",
    trigger = every("300ms"),
    retry(max = 10000, backoff = fixed("1ms"))
)]
async fn slow_tick(ScheduledTime(due): ScheduledTime) -> String {
    due.to_string()
}

pub(crate) fn is_timed(task: &str) -> bool {
    TIMED.iter().any(|(timed, _)| *timed == task)
}

static GATE: LazyLock<watch::Sender<bool>> = LazyLock::new(|| watch::Sender::new(draining()));

#[background_condition]
async fn gate(report: ConditionReporter) {
    let mut open = GATE.subscribe();
    loop {
        report.set(*open.borrow_and_update());
        if open.changed().await.is_err() {
            return;
        }
    }
}

fn draining() -> bool {
    env::var(LIFE).as_deref() == Ok(DRAIN)
}

fn directory() -> Result<PathBuf> {
    Ok(env::var_os(DIRECTORY).ok_or("no directory")?.into())
}

fn setup(app: AppBuilder) -> Result<AppBuilder> {
    let directory = directory()?;
    Ok(app.id(APP).state_dir(directory.join(STATE)))
}

#[bgtask::main(setup = setup)]
pub(crate) async fn main(app: App) -> Result<()> {
    let life = env::var(LIFE)?;
    let events = app.events();
    println!("{READY}");
    if life == DRAIN {
        return drain(app, events).await;
    }
    let requests = Requests {
        app,
        accepted: Ledger::open(&directory()?, ledger::ACCEPTED)?,
        ended: Ledger::open(&directory()?, ledger::ENDED)?,
        control: env::var_os(CONTROL).is_some(),
        // No two victims use the same numbers.
        numbers: AtomicU64::new(life.parse::<u64>()? << 32),
        raised: Semaphore::new(OUTSTANDING),
    };
    tokio::try_join!(
        requests.once::<endless>(),
        requests.forever::<quick>(),
        requests.forever::<hosted>(),
        requests.forever::<flaky>(),
        requests.raise(),
        requests.listen(events),
    )?;
    Ok(())
}

struct Requests {
    app: App,
    accepted: Ledger,
    ended: Ledger,
    control: bool,
    numbers: AtomicU64,
    /// How many more may be raised.
    raised: Semaphore,
}

impl Requests {
    async fn once<F: NamedTask + Requestable<Args = u64>>(&self) -> Result<()> {
        self.request::<F>().await.map(drop)
    }

    async fn forever<F: NamedTask + Requestable<Args = u64>>(&self) -> Result<()>
    where
        bgtask::Run<F>: Send + 'static,
    {
        let places = Arc::new(Semaphore::new(OUTSTANDING));
        loop {
            let place = Arc::clone(&places).acquire_owned().await?;
            let mut run = self.request::<F>().await?;
            tokio::spawn(async move {
                // An error means that the app is closing.
                let _ = run.ended().await;
                drop(place);
            });
        }
    }

    async fn request<F: NamedTask + Requestable<Args = u64>>(&self) -> Result<bgtask::Run<F>> {
        let number = self.number();
        self.too_early(F::NAME, number)?;
        let run = self.app.task::<F>().request(number).await?.allowed()?;
        self.acknowledge(F::NAME, run.activation(), number)?;
        Ok(run)
    }

    /// Raises events, and opens or shuts the gate after some.
    async fn raise(&self) -> Result<()> {
        for count in 1_u32.. {
            self.raised.acquire().await?.forget();
            let number = self.number();
            self.too_early(GATED, number)?;
            for activation in self.app.raise("raised", number).await? {
                self.acknowledge(GATED, activation, number)?;
            }
            if count % 4 == 0 {
                GATE.send_modify(|open| *open = !*open);
            }
        }
        Ok(())
    }

    /// What nobody asked for is acknowledged when its event says that it is kept. What has ended
    /// for good must have, too.
    async fn listen(&self, mut events: Events) -> Result<()> {
        while let Some(event) = events.next().await {
            match event.kind {
                EventKind::Fired { activation } if is_timed(&event.task) => {
                    self.accepted.write(&event.task, activation, "-")?;
                }
                EventKind::Ended {
                    activation,
                    run,
                    retry_at: None,
                    ..
                } => {
                    self.ended.write(&event.task, activation, run)?;
                    if event.task == GATED {
                        self.raised.add_permits(1);
                    }
                }
                EventKind::Started { pid: Some(pid), .. } if pid != std::process::id() => {
                    println!("{HOST}{pid}");
                }
                _ => {}
            }
        }
        Ok(())
    }

    fn acknowledge(&self, task: &str, activation: ActivationId, number: u64) -> Result<()> {
        if !self.control {
            self.accepted.write(task, activation, number)?;
        }
        Ok(())
    }

    /// The negative control: what is acknowledged here was never accepted.
    fn too_early(&self, task: &str, number: u64) -> Result<()> {
        if self.control {
            self.accepted.write(task, ActivationId::now(), number)?;
        }
        Ok(())
    }

    fn number(&self) -> u64 {
        self.numbers.fetch_add(1, Ordering::Relaxed)
    }
}

/// Waits until everything accepted has ended, takes the completions, and hands out the history.
async fn drain(app: App, mut events: Events) -> Result<()> {
    while !idle(&app).await? {
        // Something changed at the latest then: the clock goes on ticking.
        while let Some(event) = events.next().await {
            if event.task == TICK && matches!(event.kind, EventKind::Ended { .. }) {
                break;
            }
        }
    }
    let mut completions = app.completions();
    while completions.ready().await.is_some() {}
    app.shutdown().await;
    let history = app.history(None, u32::MAX).await?;
    let file = File::create(directory()?.join(HISTORY))?;
    serde_json::to_writer(file, &history)?;
    Ok(())
}

async fn idle(app: &App) -> Result<bool> {
    for task in [QUICK, HOSTED, FLAKY, GATED, ENDLESS] {
        let why = app.why(task).await?;
        if why.waiting > 0 || !why.running.is_empty() {
            return Ok(false);
        }
    }
    Ok(true)
}
