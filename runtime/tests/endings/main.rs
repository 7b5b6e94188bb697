//! The proof that a run ends with one outcome, and alone, however it ends.
//!
//! This program plays three parts: each trial starts it again as an app with tasks, and the app
//! starts it as its hosts. The bodies end in every way there is, and some do not end at all.
//!
//! - `BGTASK_ENDINGS`: how many random endings are played; 50 unless stated.
//! - `BGTASK_SEED`: the number that they follow from; always printed.

#![cfg(target_os = "linux")]
#![allow(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "programs under test speak to their trial in lines"
)]

mod faults;
#[allow(dead_code, reason = "shared by several programs under test")]
#[path = "../app/harness.rs"]
mod harness;
mod left;
mod mixed;
mod poison;
#[path = "../kill/random.rs"]
mod random;
mod rounds;
mod run;
mod tasks;
mod way;

use std::process::{Command, ExitCode};

use bgtask::prelude::*;
use libtest_mimic::{Arguments, Trial};

use harness::{Home, Process};

/// The program under test.
mod program {
    use super::{App, ExitCode, play, setup};

    #[bgtask::main(setup = setup)]
    pub(crate) async fn main(app: App) -> ExitCode {
        play(app).await
    }
}

fn main() -> ExitCode {
    // A host knows no scenario: it is what its app says.
    if harness::scenario().is_some() || std::env::var_os("BGTASK_HOST").is_some() {
        return program::main();
    }
    let mut trials = rounds::trials();
    trials.extend(poison::trials());
    trials.extend(mixed::trials());
    libtest_mimic::run(&Arguments::from_args(), trials).exit_code()
}

#[expect(clippy::unnecessary_wraps, reason = "the shape of `setup`")]
fn setup(app: AppBuilder) -> Result<AppBuilder, String> {
    // No host ends because it is idle: what is left is then always the same.
    let long = std::time::Duration::from_secs(3600);
    Ok(app.id(harness::APP).host_idle(long))
}

/// Plays the scenario; a failed assertion ends the process, whatever still runs in it.
async fn play(app: App) -> ExitCode {
    let scenario = harness::scenario().unwrap_or_default();
    let played = tokio::spawn(async move {
        rounds::play(&app, &scenario).await
            || poison::play(&app, &scenario).await
            || mixed::play(&app, &scenario).await
    });
    match played.await {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => std::process::exit(102),
        Err(_) => std::process::exit(101),
    }
}

fn trial(name: &str, check: impl FnOnce() + Send + 'static) -> Trial {
    Trial::test(name, move || {
        check();
        Ok(())
    })
}

/// The directories of one app; what is left in them at the end of a failed trial is ended.
struct Place(Home);

impl std::ops::Deref for Place {
    type Target = Home;

    fn deref(&self) -> &Home {
        &self.0
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        left::sweep(&self.0.path("."));
    }
}

/// Starts the app with its home as its working directory, which all that it starts inherits: so
/// it can be found again.
fn start(home: &Home, scenario: &str) -> Process {
    Process::start(command(home, scenario))
}

fn command(home: &Home, scenario: &str) -> Command {
    let mut command = home.command(scenario);
    command.current_dir(home.path("."));
    command
}
