//! bgtask beside its limits, measured in one run: compare within a table, as ratios.
//!
//! ```sh
//! cargo run --release -p bgtask-bench                   # a running app: idle, requests, due times
//! cargo run --release -p bgtask-bench -- peers          # other queues at the same work; builds them
//! cargo run --release -p bgtask-bench -- registrations  # an app with 10,000 registrations
//! cargo run --release -p bgtask-bench -- hosts          # processes of tasks
//! cargo run --release -p bgtask-bench -- compile        # what the attribute costs the compiler
//! cargo run --release -p bgtask-bench -- many           # a program with 10,000 tasks
//! ```
#![allow(clippy::print_stdout, reason = "this program's output is for people")]

mod bare;
mod compile;
mod figures;
mod host;
mod idle;
mod kill;
mod load;
mod many;
mod peers;
mod queue;
mod raw;
mod registrations;
mod request;
mod timer;
mod workspace;

use std::{
    env,
    path::{Path, PathBuf},
    process::ExitCode,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use bgtask::{App, prelude::*};
use load::Failure;

/// What every measured app keeps in a folder of its own.
fn setup(app: AppBuilder) -> std::io::Result<AppBuilder> {
    let arguments = arguments();
    let app = match words(&arguments)[..] {
        ["hosts"] => app.in_memory(),
        [queue::ARGUMENT, _, _, _, how] => app.durability(queue::durability(how)),
        _ => app,
    };
    let dir = match words(&arguments)[..] {
        [queue::ARGUMENT, _, folder, ..] | [registrations::ARGUMENT, folder, ..] => folder.into(),
        _ => own_folder(),
    };
    Ok(app
        .state_dir(dir.join("state"))
        .runtime_dir(dir.join("run")))
}

fn arguments() -> Vec<String> {
    env::args().skip(1).collect()
}

fn words(arguments: &[String]) -> Vec<&str> {
    arguments.iter().map(String::as_str).collect()
}

fn own_folder() -> PathBuf {
    env::temp_dir().join(format!("bgtask-bench-{}", std::process::id()))
}

/// The time now, as other processes tell it too.
fn since_epoch() -> Duration {
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default()
}

#[bgtask::main(setup = setup)]
async fn app(app: App) -> Result<(), Failure> {
    let arguments = arguments();
    let rounds = 500;
    match words(&arguments)[..] {
        [queue::ARGUMENT, "bgtask", _, callers, how] => {
            return queue::bgtask(app, callers.parse()?, how).await;
        }
        [registrations::ARGUMENT, _, part] => return registrations::child(app, part).await,
        ["hosts"] => {
            println!("{rounds} rounds each; times are p50 / p99\n");
            host::measure(&app, rounds).await?;
            kill::measure(&app, rounds / 5).await?;
        }
        _ => {
            println!("{rounds} rounds each; times are p50 / p99\n");
            idle::measure().await?;
            request::measure(&app, rounds).await?;
            timer::measure(&app).await?;
        }
    }
    std::fs::remove_dir_all(own_folder())?;
    Ok(())
}

fn main() -> ExitCode {
    let arguments = arguments();
    let told = match words(&arguments)[..] {
        [bare::ARGUMENT, ref part @ ..] => return bare::child(part.first().copied()),
        [queue::ARGUMENT, "raw", folder, callers, synchronous] => {
            queue::raw(Path::new(folder), callers, synchronous)
        }
        ["compile", ..] => compile::measure(&arguments[1..]).map_err(Into::into),
        ["many"] => many::measure(),
        ["peers"] => peers::measure(),
        ["registrations"] => registrations::measure(),
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
