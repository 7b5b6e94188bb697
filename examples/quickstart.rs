//! The whole path on a folder of real files: watch it grow, hash it in a process of its own, wait
//! for the internet, and survive a task that aborts.
//!
//!     cargo run --example quickstart -- [FOLDER]
//!
//! Ctrl-C cancels what runs, with grace. Start it a second time to see what the first one left.

use std::{
    error::Error,
    fmt,
    fs::File,
    io::Read,
    path::{Path, PathBuf},
    sync::Mutex,
};

use bgtask::{Event, EventKind, Events, Outcome, prelude::*};
use indicatif::{HumanBytes, ProgressBar, ProgressStyle};
use jiff::{Timestamp, tz::TimeZone};
use serde::{Deserialize, Serialize};
use walkdir::WalkDir;

/// Says how the folder has grown since the last look.
#[background_task(name = "watch_folder", trigger = every("2s"))]
fn watch_folder(State(folder): State<Folder>) -> Option<String> {
    let now = Size::of(&folder.path);
    let before = folder.last.lock().ok()?.replace(now);
    match before {
        None => Some(now.to_string()),
        Some(before) if before == now => None,
        Some(before) => Some(format!("{now} ({})", now.since(before))),
    }
}

/// Hashes every file of a folder, in a process of its own.
#[background_task(name = "hash_folder", trigger = application, host = process("hashing"))]
fn hash_folder(task: TaskContext, Args(job): Args<HashJob>) -> Result<Digest, Box<dyn Error>> {
    let files = files_below(&job.folder);
    let mut hasher = blake3::Hasher::new();
    let mut buffer = vec![0; 1 << 20];
    for (done, path) in files.iter().enumerate() {
        let mut file = File::open(path)?;
        loop {
            task.checkpoint()?;
            match file.read(&mut buffer)? {
                0 => break,
                read => hasher.update(&buffer[..read]),
            };
        }
        let name = path.strip_prefix(&job.folder).unwrap_or(path);
        task.progress_with(done + 1, files.len(), name.to_string_lossy());
    }
    Ok(Digest {
        files: files.len(),
        bytes: hasher.count(),
        blake3: hasher.finalize().to_hex().to_string(),
    })
}

/// Would publish the digest; it is held while there is no internet.
#[background_task(name = "publish", trigger = custom("hashed"), condition = internet)]
async fn publish(Args(digest): Args<Digest>) -> String {
    format!("published {}", &digest.blake3[..16])
}

/// Aborts its process on purpose: nothing else notices.
#[background_task(name = "crash", trigger = startup, host = process("crashing"))]
fn crash() {
    std::process::abort();
}

#[derive(Clone, Debug, Serialize, Deserialize)]
struct HashJob {
    folder: PathBuf,
}

#[derive(Debug, Serialize, Deserialize)]
struct Digest {
    files: usize,
    bytes: u64,
    blake3: String,
}

/// The folder that `watch_folder` looks at, and what it saw last.
struct Folder {
    path: PathBuf,
    last: Mutex<Option<Size>>,
}

fn setup(app: AppBuilder) -> Result<AppBuilder, String> {
    let path = folder()?;
    let last = Mutex::new(None);
    Ok(app.state(Folder { path, last }))
}

/// The folder named on the command line; this repository without one.
fn folder() -> Result<PathBuf, String> {
    let repository = || Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let named = std::env::args_os().nth(1);
    let path = named.map_or_else(repository, PathBuf::from);
    let readable = path.read_dir().and_then(|_| path.canonicalize());
    readable.map_err(|error| format!("`{}` is no folder to look at: {error}", path.display()))
}

#[bgtask::main(setup = setup)]
async fn main(app: App) -> Result<(), Box<dyn Error>> {
    let events = app.events();
    show_what_was_left(&app).await?;
    let style = ProgressStyle::with_template("{bar:30} {pos}/{len} {wide_msg}")?;
    let bar = ProgressBar::no_length().with_style(style);
    let shown = tokio::spawn(show_events(events, bar.clone()));

    let job = HashJob { folder: folder()? };
    let hashing = app.task::<hash_folder>();
    let run = hashing.request(job.clone()).await?.allowed()?;
    let mut progress = run.progress();
    while let Some(now) = progress.next().await {
        bar.set_length(now.total);
        bar.set_position(now.done);
        bar.set_message(now.message.unwrap_or_default());
    }
    bar.finish_and_clear();
    match run.completed().await {
        Ok(digest) => {
            let (files, bytes) = (digest.files, HumanBytes(digest.bytes));
            line(&bar, now(), "digest", &format!("{files} files, {bytes}"));
            line(&bar, now(), "digest", &digest.blake3);
            app.raise("hashed", &digest).await?;
            // Nobody waits for this one: the next start shows it.
            drop(hashing.request(job).await?);
        }
        Err(error) => line(&bar, now(), "digest", &error.to_string()),
    }
    app.run_until_shutdown().await?;
    shown.await?;
    Ok(())
}

/// What the last start left: registrations with their due times and last runs, and completions
/// that nobody has seen.
async fn show_what_was_left(app: &App) -> bgtask::Result<()> {
    println!("Registered");
    for task in app.registrations().await? {
        let mut text = format!("since {}", local(task.created, "%F %T"));
        if let Some(last) = app.history(Some(&task.name), 1).await?.first() {
            text += &format!(", last run {}: {}", local(last.ended, "%T"), last.outcome);
        }
        if let Some(due) = task.due {
            text += &format!(", due {}", local(due, "%T"));
        }
        println!("  {:<14}{text}", task.name);
    }
    let mut completions = app.completions();
    while let Some(run) = completions.ready().await {
        println!("Ended, and nobody has seen it yet");
        let at = local(run.ended, "%T");
        println!("  {at}  {:<14}{}", run.task, run.outcome);
    }
    println!("Now (Ctrl-C ends)");
    Ok(())
}

async fn show_events(mut events: Events, bar: ProgressBar) {
    while let Some(Event { at, task, kind }) = events.next().await {
        let what = match kind {
            EventKind::Started { pid: Some(pid), .. } if pid != std::process::id() => {
                format!("started in process {pid}")
            }
            EventKind::Held { reason, .. } => format!("held: {reason}"),
            EventKind::CancelRequested { reason, .. } => format!("asked to stop: {reason}"),
            EventKind::Ended { outcome, .. } => match outcome {
                Outcome::Completed { value } if value.is_null() => continue,
                Outcome::Completed { value } => value.as_str().unwrap_or("completed").to_owned(),
                other => other.to_string(),
            },
            _ => continue,
        };
        line(&bar, at, &task, &what);
    }
}

/// One line, above the bar if there is one.
fn line(bar: &ProgressBar, at: Timestamp, task: &str, what: &str) {
    bar.suspend(|| println!("  {}  {task:<14}{what}", local(at, "%T")));
}

fn now() -> Timestamp {
    Timestamp::now()
}

fn local(at: Timestamp, format: &str) -> String {
    at.to_zoned(TimeZone::system()).strftime(format).to_string()
}

/// The regular files below a folder, without build output and version control, in a fixed order.
fn files_below(folder: &Path) -> Vec<PathBuf> {
    WalkDir::new(folder)
        .sort_by_file_name()
        .into_iter()
        .filter_entry(|entry| !matches!(entry.file_name().to_str(), Some("target" | ".git")))
        // What cannot be read or has just gone is not part of the folder.
        .filter_map(Result::ok)
        .filter(|entry| entry.file_type().is_file())
        .map(walkdir::DirEntry::into_path)
        .collect()
}

/// How much is in a folder.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Size {
    files: usize,
    bytes: u64,
}

impl Size {
    fn of(folder: &Path) -> Self {
        let files = files_below(folder);
        let length = |path: &PathBuf| path.metadata().map_or(0, |found| found.len());
        let bytes = files.iter().map(length).sum();
        let files = files.len();
        Self { files, bytes }
    }

    fn since(self, before: Self) -> String {
        let sign = |less| if less { '-' } else { '+' };
        format!(
            "{}{}, {}{}",
            sign(self.files < before.files),
            self.files.abs_diff(before.files),
            sign(self.bytes < before.bytes),
            HumanBytes(self.bytes.abs_diff(before.bytes))
        )
    }
}

impl fmt::Display for Size {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} files, {}", self.files, HumanBytes(self.bytes))
    }
}
