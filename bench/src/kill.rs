//! How late a run that does not stop is killed, while every core has something to do.

use std::{
    io,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    thread,
    time::Duration,
};

use bgtask::{App, prelude::*};
use rustix::{
    event::{PollFd, PollFlags, poll},
    process::{Pid, PidfdFlags, pidfd_open},
};

use crate::{figures::Figures, load::Failure, since_epoch};

/// Its time and its grace together; `timeout` and `grace` of the tasks below.
const GIVEN: Duration = Duration::from_millis(100);

/// Computes and does not look up.
#[background_task(name = "spin", trigger = application, host = process, multiple_instances, timeout = "50ms", grace = "50ms")]
fn spin(task: TaskContext) {
    told(&task);
    loop {
        std::hint::spin_loop();
    }
}

/// Waits, and is deaf to being asked, also by signal.
#[background_task(name = "deaf", trigger = application, host = process, multiple_instances, timeout = "50ms", grace = "50ms")]
async fn deaf(task: TaskContext) {
    let terminate = tokio::signal::unix::signal(tokio::signal::unix::SignalKind::terminate());
    told(&task);
    std::future::pending::<()>().await;
    drop(terminate);
}

/// Says which process it is, and since when it runs.
fn told(task: &TaskContext) {
    task.progress_with(std::process::id(), 0, since_epoch().as_nanos().to_string());
}

pub(crate) async fn measure(app: &App, rounds: u32) -> Result<(), Failure> {
    let busy = Busy::start();
    let mut computing = Figures::default();
    let mut deafened = Figures::default();
    for _ in 0..rounds {
        let run = app.task::<spin>().request(()).await?.allowed()?;
        computing.add(lateness(run.progress()).await?);
        let run = app.task::<deaf>().request(()).await?.allowed()?;
        deafened.add(lateness(run.progress()).await?);
    }
    drop(busy);
    println!("from the end of its grace until its process is gone, all cores busy");
    computing.show("a body that computes", None);
    deafened.show("one that ignores SIGTERM, which gives it 1 s more", None);
    println!();
    Ok(())
}

async fn lateness(mut progress: bgtask::ProgressStream) -> Result<Duration, Failure> {
    let told = progress.next().await.ok_or("it did not start")?;
    let started: u64 = told.message.ok_or("it did not say when")?.parse()?;
    let pid = i32::try_from(told.done)?;
    let gone = tokio::task::spawn_blocking(move || gone(pid)).await??;
    let over = Duration::from_nanos(started) + GIVEN;
    Ok(gone.saturating_sub(over))
}

/// Waits for the end of a process.
fn gone(pid: i32) -> io::Result<Duration> {
    let pid = Pid::from_raw(pid).ok_or(io::ErrorKind::InvalidInput)?;
    let process = pidfd_open(pid, PidfdFlags::empty())?;
    poll(&mut [PollFd::new(&process, PollFlags::IN)], None)?;
    Ok(since_epoch())
}

/// A thread for each core that does nothing but compute.
struct Busy {
    over: Arc<AtomicBool>,
    threads: Vec<thread::JoinHandle<()>>,
}

impl Busy {
    fn start() -> Self {
        let over = Arc::new(AtomicBool::new(false));
        let cores = thread::available_parallelism().map_or(1, std::num::NonZero::get);
        let threads = (0..cores)
            .map(|_| {
                let over = Arc::clone(&over);
                thread::spawn(move || {
                    while !over.load(Ordering::Relaxed) {
                        std::hint::spin_loop();
                    }
                })
            })
            .collect();
        Self { over, threads }
    }
}

impl Drop for Busy {
    fn drop(&mut self) {
        self.over.store(true, Ordering::Relaxed);
        for thread in self.threads.drain(..) {
            let _ = thread.join();
        }
    }
}
