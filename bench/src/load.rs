//! The load that every queue is put under: closed loops of jobs, and a job now and then. The
//! packages in `bench/peers` include this file, so that all of them do the same.

use std::{
    collections::HashMap,
    fs,
    sync::{
        LazyLock, Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use tokio::sync::oneshot;

pub(crate) type Failure = Box<dyn std::error::Error + Send + Sync>;

/// How long a loop goes on.
const LENGTH: Duration = Duration::from_secs(2);
/// Before that: caches and branches are warm then.
const WARM_UP: Duration = Duration::from_millis(500);
/// So many jobs are handed over one by one, each when the one before has long ended.
const SINGLE: u32 = 300;
pub(crate) const APART: Duration = Duration::from_millis(5);

/// The number of the next job.
static NEXT: AtomicU64 = AtomicU64::new(0);

/// Who waits for the body of a job.
static WAITING: LazyLock<Mutex<HashMap<u64, oneshot::Sender<Instant>>>> =
    LazyLock::new(Mutex::default);

/// What the body of a job does.
pub(crate) fn body(job: u64) {
    let now = Instant::now();
    let mut waiting = WAITING.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(waiting) = waiting.remove(&job) {
        // Nobody waits any more: the measuring is over.
        let _ = waiting.send(now);
    }
}

/// When the body of this job ran, once it has. To be called before the job is handed over.
pub(crate) fn ran(job: u64) -> impl Future<Output = Result<Instant, Failure>> {
    let (sender, ran) = oneshot::channel();
    let mut waiting = WAITING.lock().unwrap_or_else(PoisonError::into_inner);
    waiting.insert(job, sender);
    async { Ok(ran.await?) }
}

/// Puts a queue under load, and prints what came of it as lines of a name and its figure; a single
/// caller also hands over a job now and then.
/// `job` hands over the job of this number, and ends when the body has run, with the time of that.
pub(crate) async fn measure<J, F>(callers: u64, job: J) -> Result<(), Failure>
where
    J: Fn(u64) -> F + Clone + Send + 'static,
    F: Future<Output = Result<Instant, Failure>> + Send,
{
    let loops = loops(callers, &job).await?;
    println!("jobs_per_second {}", loops.jobs_per_second);
    println!("flushes_per_job {}", loops.flushes_per_job);
    if callers > 1 {
        return Ok(());
    }
    let mut times = Vec::new();
    for _ in 0..SINGLE {
        tokio::time::sleep(APART).await;
        let start = Instant::now();
        let body = job(next()).await?;
        times.push(body - start);
    }
    times.sort_unstable();
    for (name, index) in [("p50_ms", SINGLE / 2), ("p99_ms", SINGLE * 99 / 100)] {
        println!("{name} {}", times[index as usize].as_secs_f64() * 1e3);
    }
    Ok(())
}

/// What came of closed loops.
pub(crate) struct Loops {
    pub(crate) jobs_per_second: f64,
    /// Whoever caused them.
    pub(crate) flushes_per_job: f64,
}

/// So many callers hand over one job after the other, each as soon as its last one has ended.
pub(crate) async fn loops<J, F>(callers: u64, job: &J) -> Result<Loops, Failure>
where
    J: Fn(u64) -> F + Clone + Send + 'static,
    F: Future<Output = Result<Instant, Failure>> + Send,
{
    closed_loops(callers, WARM_UP, job).await?;
    let (flushed, start) = (flushes()?, Instant::now());
    let jobs = closed_loops(callers, LENGTH, job).await?;
    let length = start.elapsed();
    Ok(Loops {
        jobs_per_second: jobs / length.as_secs_f64(),
        flushes_per_job: (flushes()? - flushed) / jobs,
    })
}

fn next() -> u64 {
    NEXT.fetch_add(1, Ordering::Relaxed)
}

/// How many jobs there were.
async fn closed_loops<J, F>(callers: u64, length: Duration, job: &J) -> Result<f64, Failure>
where
    J: Fn(u64) -> F + Clone + Send + 'static,
    F: Future<Output = Result<Instant, Failure>> + Send,
{
    let start = Instant::now();
    let mut running = Vec::new();
    for _ in 0..callers {
        let job = job.clone();
        running.push(tokio::spawn(async move {
            let mut done = 0_u32;
            while start.elapsed() < length {
                job(next()).await?;
                done += 1;
            }
            Ok::<_, Failure>(done)
        }));
    }
    let mut done = 0.0;
    for one in running {
        done += f64::from(one.await??);
    }
    Ok(done)
}

/// How often the machine's busiest disk was told to write what it holds for good.
/// <https://docs.kernel.org/admin-guide/iostats.html>
fn flushes() -> Result<f64, Failure> {
    let disks = fs::read_to_string("/proc/diskstats")?;
    let counts = disks.lines().filter_map(|disk| {
        let count = disk.split_whitespace().nth(18)?;
        count.parse::<f64>().ok()
    });
    Ok(counts.fold(0.0, f64::max))
}
