//! Windows' rules for background tasks, one test each, and what people who follow them suffer from.
//!
//! Each test is a program of its own under `Profile::windows()`, with the page that states the rule.
//! `bgtask::guide::windows` says which test shows what.

#![cfg(target_os = "linux")]
#![allow(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "programs under test speak to their trial in lines"
)]

mod access;
mod execution;
#[allow(dead_code, reason = "shared by several programs under test")]
#[path = "../app/harness.rs"]
mod harness;
mod pains;
mod registration;
mod triggers;

use std::{
    io::Write,
    pin::Pin,
    process::ExitCode,
    sync::OnceLock,
    thread::{self, ThreadId},
};

use bgtask::{
    AccessKind, Code, Error, EventKind, Events, Outcome, Profile, RegistrationBuilder, prelude::*,
};
use libtest_mimic::{Arguments, Trial};

use harness::event;

/// What is played in a program of its own, and checks itself.
type Scenario = fn(App) -> Pin<Box<dyn Future<Output = ()> + Send>>;

/// Functions under their names.
macro_rules! scenarios {
    ($($name:ident),* $(,)?) => {
        &[$((stringify!($name), |app| Box::pin($name(app)))),*]
    };
}
use scenarios;

/// Functions under their names.
macro_rules! trials {
    ($($name:ident),* $(,)?) => {
        &[$((stringify!($name), $name)),*]
    };
}
use trials;

/// The tests of a family.
struct Family {
    /// Each is a test.
    rules: &'static [(&'static str, Scenario)],
    /// What `launches` are made of.
    parts: &'static [(&'static str, Scenario)],
    /// Tests that start programs several times, or with files around them.
    launches: &'static [(&'static str, fn())],
}

const FAMILIES: [&Family; 5] = [
    &access::FAMILY,
    &execution::FAMILY,
    &pains::FAMILY,
    &registration::FAMILY,
    &triggers::FAMILY,
];

/// The thread that `main` was called on.
static MAIN: OnceLock<ThreadId> = OnceLock::new();

/// The program under test.
mod program {
    use super::{App, ExitCode, play, setup};

    #[bgtask::main(setup = setup)]
    pub(crate) async fn main(app: App) -> ExitCode {
        play(app).await
    }
}

fn main() -> ExitCode {
    if harness::scenario().is_some() {
        MAIN.get_or_init(|| thread::current().id());
        return program::main();
    }
    let mut trials = Vec::new();
    for family in FAMILIES {
        for (name, _) in family.rules {
            trials.push(trial(name, || harness::check(name)));
        }
        for (name, check) in family.launches {
            trials.push(trial(name, check));
        }
    }
    libtest_mimic::run(&Arguments::from_args(), trials).exit_code()
}

fn trial(name: &str, check: impl FnOnce() + Send + 'static) -> Trial {
    Trial::test(name, move || {
        check();
        Ok(())
    })
}

#[expect(clippy::unnecessary_wraps, reason = "the shape of `setup`")]
fn setup(app: AppBuilder) -> Result<AppBuilder, String> {
    let version = match harness::scenario().as_deref() {
        Some("is_updated") => "2.0",
        _ => "1.0",
    };
    let app = app.id(harness::APP).profile(Profile::windows());
    // Whether this machine has one does not matter.
    let app = app.system_bus("unix:path=/nonexistent/bus");
    Ok(app.version(version).prompter(access::Counting))
}

/// Plays the scenario; a failed assertion ends the process, whatever still runs in it.
async fn play(app: App) -> ExitCode {
    let name = harness::scenario().unwrap_or_default();
    let scenarios = FAMILIES
        .iter()
        .flat_map(|family| family.rules.iter().chain(family.parts));
    let Some((_, scenario)) = scenarios.into_iter().find(|(known, _)| *known == name) else {
        std::process::exit(102);
    };
    match tokio::spawn(scenario(app)).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(_) => std::process::exit(101),
    }
}

/// Nothing is registered before.
async fn request_access(app: &App) {
    let kind = AccessKind::AllowedSubjectToSystemPolicy;
    let status = app.request_access(kind, "a trial").await.unwrap();
    assert!(status.is_allowed(), "{status}");
}

/// All that is wrong with a registration, which `register` says as well; nothing is kept of it.
async fn refused(app: &App, draft: RegistrationBuilder) -> Vec<Error> {
    let before = app.registrations().await.unwrap().len();
    let errors = draft.validate().await.unwrap_err();
    let error = draft.register().await.unwrap_err();
    assert_eq!(error.code(), errors[0].code(), "{error}");
    assert_eq!(app.registrations().await.unwrap().len(), before);
    errors
}

fn codes(errors: &[Error]) -> Vec<Code> {
    errors.iter().map(Error::code).collect()
}

/// Waits for the end of a task's run.
async fn ended(events: &mut Events, task: &str) -> Outcome {
    event(events, |event| match &event.kind {
        EventKind::Ended { outcome, .. } if event.task == task => Some(outcome.clone()),
        _ => None,
    })
    .await
}

/// Writes a line for the trial to compare with those of other launches.
fn tell(line: &str) {
    let path = harness::home().join("told");
    let told = std::fs::File::options()
        .append(true)
        .create(true)
        .open(path);
    writeln!(told.unwrap(), "{line}").unwrap();
}
