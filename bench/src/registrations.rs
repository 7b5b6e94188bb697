//! An app with 10,000 registrations that were made while it ran: its start, beside one with none,
//! and what each keeps in memory.

use std::{
    env,
    io::{self, BufRead, BufReader},
    path::Path,
    process::{Command, Stdio},
    time::{Duration, Instant},
};

use bgtask::{App, prelude::*};

use crate::{figures::Figures, idle::Memory, load::Failure, queue};

/// Asks this program to be such an app; its folder and its part follow.
pub(crate) const ARGUMENT: &str = "--registrations";

const REGISTRATIONS: usize = 10_000;
const ROUNDS: usize = 20;
/// What the app has done before.
const RUNS: u64 = 1_000;
/// So many are made together.
const TOGETHER: usize = 250;

#[background_task(name = "seldom", trigger = application, register = false)]
async fn seldom() {}

/// Plays a part: makes the registrations, or starts with those that are there.
pub(crate) async fn child(app: App, part: &str) -> Result<(), Failure> {
    if let Ok(number) = part.parse::<usize>() {
        return make(&app, number).await;
    }
    let run = app.task::<queue::job>().request(0).await?.allowed()?;
    println!("accepted");
    run.completed().await?;
    // Until it was looked at.
    tokio::task::spawn_blocking(|| io::stdin().read_line(&mut String::new())).await??;
    Ok(())
}

async fn make(app: &App, number: usize) -> Result<(), Failure> {
    let mut left = 0..number;
    while !left.is_empty() {
        let together: Vec<_> = left
            .by_ref()
            .take(TOGETHER)
            .map(|each| {
                let each = app.registration(format!("registration {each}"));
                let each = each.entry::<seldom>().trigger("every(\"1h\")");
                tokio::spawn(each.register())
            })
            .collect();
        for one in together {
            one.await??;
        }
    }
    for run in 0..RUNS {
        let run = app.task::<queue::job>().request(run).await?.allowed()?;
        run.completed().await?;
    }
    Ok(())
}

pub(crate) fn measure() -> Result<(), Failure> {
    let (none, many) = (tempfile::tempdir()?, tempfile::tempdir()?);
    for (folder, number) in [(&none, 0), (&many, REGISTRATIONS)] {
        let started = Instant::now();
        let made = command(folder.path(), &number.to_string())?.status()?;
        if !made.success() {
            return Err(format!("no registrations were made: {made}").into());
        }
        let made = started.elapsed().as_secs_f64();
        println!("{number} registrations made, and {RUNS} runs, in {made:.1} s");
    }
    println!("{ROUNDS} starts each; times are p50 / p99\n");
    let mut starts = [Figures::default(), Figures::default()];
    let mut memory = [Vec::new(), Vec::new()];
    for _ in 0..ROUNDS {
        for (index, folder) in [&none, &many].into_iter().enumerate() {
            let (time, kept) = start(folder.path())?;
            starts[index].add(time);
            memory[index].push(kept.own);
        }
    }
    let [without, with] = &mut starts;
    println!("from exec to the first request that is accepted");
    without.show("no registration but those declared", None);
    let limit = without.quantile(0.5);
    with.show(&format!("{REGISTRATIONS} more"), Some(limit));
    let [without, with] = memory.map(|mut kept| {
        kept.sort_unstable();
        kept[kept.len() / 2]
    });
    println!("\npages of its own");
    println!(
        "{:<52} {without:>9} KiB",
        "no registration but those declared"
    );
    println!("{:<52} {with:>9} KiB", format!("{REGISTRATIONS} more"));
    let each = with.saturating_sub(without) * 1024 / REGISTRATIONS as u64;
    println!("{:<52} {each:>9} bytes", "each");
    Ok(())
}

fn start(folder: &Path) -> Result<(Duration, Memory), Failure> {
    let started = Instant::now();
    let mut child = command(folder, "start")?
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()?;
    let output = child.stdout.take().ok_or("no output")?;
    let mut line = String::new();
    BufReader::new(output).read_line(&mut line)?;
    let time = started.elapsed();
    if line.trim() != "accepted" {
        return Err(format!("it told {line:?}").into());
    }
    let memory = Memory::of(child.id())?;
    // Its input ends, and it does.
    drop(child.stdin.take());
    child.wait()?;
    Ok((time, memory))
}

fn command(folder: &Path, part: &str) -> io::Result<Command> {
    let mut command = Command::new(env::current_exe()?);
    command.arg(ARGUMENT).arg(folder).arg(part);
    Ok(command)
}
