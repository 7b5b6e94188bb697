//! bgtask beside its limits, measured in one run: compare within a table, as ratios.
//!
//! ```sh
//! cargo run --release -p bgtask-bench
//! ```
#![allow(clippy::print_stdout, reason = "this program's output is for people")]

mod bare;
mod figures;
mod host;
mod idle;
mod request;

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

fn main() -> std::process::ExitCode {
    if std::env::args().nth(1).as_deref() == Some(bare::ARGUMENT) {
        return bare::child();
    }
    app()
}
