//! The proof that a run's data and its completion are kept together, or neither of them.
//!
//! As the *judge* this program starts itself as the *victim*, again and again on one store, and
//! kills it with `kill -9` at a random moment. The victim's runs, one at a time here and one at a
//! time in a host, read a number, stage the next one, and return it. Were data kept without its
//! completion, a number would be left out; were a completion kept without its data, one would come
//! twice.
//!
//! - `BGTASK_KILLS`: how many victims are killed; 10 unless stated.
//! - `BGTASK_SEED`: the number that the random moments follow from; always printed.
#![expect(
    clippy::print_stdout,
    reason = "the victim speaks to the judge, and the judge to people, on standard output"
)]

#[path = "../kill/random.rs"]
mod random;

use std::{
    collections::BTreeMap,
    env,
    error::Error,
    fs,
    io::{BufRead, BufReader, Read},
    path::{Path, PathBuf},
    process::{Child, Command, ExitCode, Stdio},
    sync::mpsc,
    time::Duration,
};

use bgtask::{NamedTask, Outcome, Requestable, RunRecord, prelude::*};
use libtest_mimic::{Arguments, Failed, Trial};

use random::Random;

type Result<T, E = Box<dyn Error + Send + Sync>> = std::result::Result<T, E>;

/// Where the victim keeps everything.
const DIRECTORY: &str = "BGTASK_DATA_VICTIM";
/// Set: it asks for nothing, and writes down what there is.
const END: &str = "BGTASK_DATA_END";
/// What it says while it runs, after each end.
const ENDED: &str = "ended";
/// No step takes so long, even on a busy machine.
const LONG: Duration = Duration::from_secs(120);

#[background_task(name = "here", trigger = application, overlap = queue(100))]
async fn counts_here(task: TaskContext) -> bgtask::Result<u32> {
    let next = task.data().get("here").await?.unwrap_or(0) + 1;
    task.data().set("here", &next)?;
    Ok(next)
}

/// Its host goes with its app, and with the tasks of its group.
#[background_task(name = "hosted", trigger = application, host = process("data"), overlap = queue(100))]
fn counts_hosted(task: TaskContext) -> bgtask::Result<u32> {
    let next = task.data().get_blocking("hosted")?.unwrap_or(0) + 1;
    task.data().set("hosted", &next)?;
    Ok(next)
}

mod program {
    use super::{App, Result, play, setup};

    #[bgtask::main(setup = setup)]
    pub(crate) async fn main(app: App) -> Result<()> {
        play(app).await
    }
}

fn main() -> ExitCode {
    if env::var_os(DIRECTORY).is_some() {
        return program::main();
    }
    let proof = || proof().map_err(|error| Failed::from(error.to_string()));
    let test = Trial::test("data_and_completion_are_kept_together", proof);
    libtest_mimic::run(&Arguments::from_args(), vec![test]).exit_code()
}

fn setup(app: AppBuilder) -> Result<AppBuilder> {
    let directory = PathBuf::from(env::var_os(DIRECTORY).ok_or("no directory")?);
    Ok(app
        .id("victim")
        .state_dir(directory.join("state"))
        .runtime_dir(directory.join("run"))
        .host_env([DIRECTORY]))
}

async fn play(app: App) -> Result<()> {
    if env::var_os(END).is_none() {
        let (here, hosted) = tokio::join!(ask::<counts_here>(&app), ask::<counts_hosted>(&app));
        return here.and(hosted);
    }
    // What was left runs before these.
    for _ in 0..2 {
        let last = app.task::<counts_here>().request(()).await?.allowed()?;
        last.completed().await?;
        let last = app.task::<counts_hosted>().request(()).await?.allowed()?;
        last.completed().await?;
    }
    let mut kept = BTreeMap::new();
    for key in app.data().keys("").await? {
        kept.insert(key.clone(), app.data().get::<u32>(&key).await?);
    }
    let told = serde_json::to_vec(&(kept, app.history(None, 0).await?))?;
    let directory = PathBuf::from(env::var_os(DIRECTORY).ok_or("no directory")?);
    fs::write(directory.join("told"), told)?;
    app.shutdown().await;
    Ok(())
}

/// Asks for runs until the end, two at a time.
async fn ask<F: NamedTask + Requestable<Args = ()>>(app: &App) -> Result<()> {
    let mut before = app.task::<F>().request(()).await?.allowed()?;
    loop {
        let next = app.task::<F>().request(()).await?.allowed()?;
        before.ended().await?;
        println!("{ENDED}");
        before = next;
    }
}

fn proof() -> Result<()> {
    let kills = number("BGTASK_KILLS", 10)?;
    let seed = number("BGTASK_SEED", 20_260_101)?;
    println!("BGTASK_SEED={seed} BGTASK_KILLS={kills}");
    let mut random = Random(seed);
    let directory = tempfile::Builder::new().prefix("bgt").tempdir()?;
    for _ in 0..kills {
        let mut victim = start(directory.path(), false)?;
        let said = lines(&mut victim)?;
        // Some ends, and a random part of the next.
        for _ in 0..=random.below(20) {
            said.recv_timeout(LONG)?;
        }
        std::thread::sleep(Duration::from_micros(random.below(2000)));
        victim.kill()?;
        victim.wait()?;
    }
    let mut last = start(directory.path(), true)?;
    let said = lines(&mut last)?;
    // Its output ends with it.
    while said.recv_timeout(LONG).is_ok() {}
    let status = last.wait()?;
    if !status.success() {
        return Err(format!("what is left does not end: {status}").into());
    }
    compare(directory.path(), kills)
}

fn compare(directory: &Path, kills: u64) -> Result<()> {
    let mut told = Vec::new();
    fs::File::open(directory.join("told"))?.read_to_end(&mut told)?;
    let (kept, history): (BTreeMap<String, u32>, Vec<RunRecord>) = serde_json::from_slice(&told)?;
    for (task, kept) in kept {
        let of_it = history.iter().filter(|run| run.task == task);
        let mut values: Vec<u64> = of_it
            .filter_map(|run| match &run.outcome {
                Outcome::Completed { value } => value.as_u64(),
                _ => None,
            })
            .collect();
        values.sort_unstable();
        let count = values.len();
        println!("{task}: {count} completed, {kept} kept, {kills} victims killed");
        let expected: Vec<u64> = (1..=u64::from(kept)).collect();
        if values != expected {
            return Err(format!("{task}: {kept} is kept, and completed are {values:?}").into());
        }
        if (count as u64) < kills {
            return Err("too little happened to prove anything".into());
        }
    }
    Ok(())
}

fn number(name: &str, otherwise: u64) -> Result<u64> {
    env::var(name).map_or(Ok(otherwise), |text| Ok(text.parse()?))
}

fn start(directory: &Path, end: bool) -> Result<Child> {
    let mut command = Command::new(env::current_exe()?);
    if end {
        command.env(END, "1");
    }
    let command = command.env(DIRECTORY, directory).stdout(Stdio::piped());
    Ok(command.spawn()?)
}

fn lines(child: &mut Child) -> Result<mpsc::Receiver<String>> {
    let output = child.stdout.take().ok_or("no output")?;
    let (line, lines) = mpsc::channel();
    std::thread::spawn(move || {
        for text in BufReader::new(output).lines().map_while(Result::ok) {
            let _ = line.send(text);
        }
    });
    Ok(lines)
}
