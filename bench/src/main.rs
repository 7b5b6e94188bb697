//! bgtask beside its limits, measured in one run: compare within a table, as ratios.
//!
//! ```sh
//! cargo run --release -p bgtask-bench              # a running app: idle, requests, hosts
//! cargo run --release -p bgtask-bench -- compile   # what the attribute costs the compiler
//! cargo run --release -p bgtask-bench -- many      # a program with 10,000 tasks
//! ```
#![allow(clippy::print_stdout, reason = "this program's output is for people")]

mod bare;
mod compile;
mod figures;
mod host;
mod idle;
mod many;
mod request;
mod workspace;

use std::process::ExitCode;

use bgtask::{App, prelude::*};

/// What every measured program keeps in a folder of its own.
fn setup(app: AppBuilder) -> std::io::Result<AppBuilder> {
    let dir = std::env::temp_dir().join(format!("bgtask-bench-{}", std::process::id()));
    Ok(app
        .state_dir(dir.join("state"))
        .runtime_dir(dir.join("run")))
}

#[bgtask::main(setup = setup)]
async fn app(app: App) -> Result<(), Box<dyn std::error::Error>> {
    let rounds = 500;
    println!("{rounds} rounds each; times are p50 / p99\n");
    idle::measure().await?;
    request::measure(&app, rounds).await?;
    host::measure(&app, rounds).await?;
    let dir = std::env::temp_dir().join(format!("bgtask-bench-{}", std::process::id()));
    std::fs::remove_dir_all(dir)?;
    Ok(())
}

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let told = match arguments.first().map(String::as_str) {
        Some(bare::ARGUMENT) => return bare::child(),
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
