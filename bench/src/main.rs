//! bgtask beside its limits, measured in one run: compare within a table, as ratios.
//!
//! ```sh
//! cargo run --release -p bgtask-bench              # a running app: idle, requests, hosts
//! cargo run --release -p bgtask-bench -- hosts     # processes of tasks
//! cargo run --release -p bgtask-bench -- compile   # what the attribute costs the compiler
//! cargo run --release -p bgtask-bench -- many      # a program with 10,000 tasks
//! ```
#![allow(clippy::print_stdout, reason = "this program's output is for people")]

mod bare;
mod compile;
mod figures;
mod host;
mod idle;
mod kill;
mod many;
mod request;
mod workspace;

use std::{
    process::ExitCode,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use bgtask::{App, prelude::*};

/// What every measured program keeps in a folder of its own.
fn setup(app: AppBuilder) -> std::io::Result<AppBuilder> {
    let app = if hosts_only() { app.in_memory() } else { app };
    let dir = std::env::temp_dir().join(format!("bgtask-bench-{}", std::process::id()));
    Ok(app
        .state_dir(dir.join("state"))
        .runtime_dir(dir.join("run")))
}

/// The time now, as other processes tell it too.
fn since_epoch() -> Duration {
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default()
}

/// Whether only hosts are measured, without a disk.
fn hosts_only() -> bool {
    std::env::args().nth(1).is_some_and(|word| word == "hosts")
}

#[bgtask::main(setup = setup)]
async fn app(app: App) -> Result<(), Box<dyn std::error::Error>> {
    let rounds = 500;
    println!("{rounds} rounds each; times are p50 / p99\n");
    if hosts_only() {
        host::measure(&app, rounds).await?;
        kill::measure(&app, rounds / 5).await?;
    } else {
        idle::measure().await?;
        request::measure(&app, rounds).await?;
    }
    let dir = std::env::temp_dir().join(format!("bgtask-bench-{}", std::process::id()));
    std::fs::remove_dir_all(dir)?;
    Ok(())
}

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let told = match arguments.first().map(String::as_str) {
        Some(bare::ARGUMENT) => return bare::child(arguments.get(1).map(String::as_str)),
        Some("compile") => compile::measure(&arguments[1..]).map_err(Into::into),
        Some("many") => many::measure(),
        _ => return app(),
    };
    match told {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            println!("{error}");
            ExitCode::FAILURE
        }
    }
}
