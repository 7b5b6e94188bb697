//! An app and its hosts, as processes: each trial starts this executable again as a program with
//! tasks, which re-executes itself as its hosts.

#![cfg(target_os = "linux")]
#![allow(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "programs under test speak to their trial in lines"
)]

#[path = "app/access.rs"]
mod access;
#[path = "app/client.rs"]
mod client;
#[path = "app/data.rs"]
mod data;
#[path = "app/devices.rs"]
mod devices;
#[path = "app/extended.rs"]
mod extended;
#[path = "app/files.rs"]
mod files;
#[path = "app/harness.rs"]
mod harness;
#[path = "app/hosted.rs"]
mod hosted;
#[path = "app/in_process.rs"]
mod in_process;
#[path = "app/later.rs"]
mod later;
#[path = "app/lifetime.rs"]
mod lifetime;
#[path = "app/log.rs"]
mod log;
#[path = "app/media.rs"]
mod media;
#[path = "app/network_requested.rs"]
mod network_requested;
#[path = "app/outbox.rs"]
mod outbox;
#[path = "app/power.rs"]
mod power;
#[path = "app/process.rs"]
mod process;
#[path = "app/push.rs"]
mod push;
#[path = "app/registrations.rs"]
mod registrations;
#[path = "app/requests.rs"]
mod requests;
#[path = "app/service.rs"]
mod service;
#[path = "app/sockets.rs"]
mod sockets;
#[path = "app/start.rs"]
mod start;
#[path = "app/tasks.rs"]
mod tasks;
#[path = "app/toast.rs"]
mod toast;
#[path = "app/volatile.rs"]
mod volatile;
#[path = "app/windows.rs"]
mod windows;

use std::process::ExitCode;

use bgtask::{EventKind, Events, Outcome, Requestable, Run, prelude::*};
use libtest_mimic::{Arguments, Trial};

use harness::event;
use tasks::{Deed, Origin, Report, act, act_plainly};

/// The program under test.
mod program {
    use super::{App, ExitCode, play, setup};

    #[bgtask::main(setup = setup)]
    pub(crate) async fn main(app: App) -> ExitCode {
        play(app).await
    }
}

fn main() -> ExitCode {
    match harness::scenario() {
        Some(scenario) if scenario == client::SCENARIO => return client::main(),
        Some(scenario) if scenario == "is_outside" => return push::ask_from_outside(),
        Some(_) => return program::main(),
        None => {}
    }
    let trials = [
        hosted::trials(),
        process::trials(),
        in_process::trials(),
        requests::trials(),
        client::trials(),
        later::trials(),
        media::trials(),
        devices::trials(),
        push::trials(),
        sockets::trials(),
        outbox::trials(),
        data::trials(),
        lifetime::trials(),
        start::trials(),
        registrations::trials(),
        windows::trials(),
        power::trials(),
        network_requested::trials(),
        extended::trials(),
        toast::trials(),
        service::trials(),
        access::trials(),
        log::trials(),
        volatile::trials(),
        files::trials(),
    ];
    let trials = trials.into_iter().flatten().collect();
    libtest_mimic::run(&Arguments::from_args(), trials).exit_code()
}

fn setup(app: AppBuilder) -> Result<AppBuilder, String> {
    let scenario = harness::scenario().unwrap_or_default();
    // Only hosts have it; the app does not.
    if scenario == "setup_fails_in_the_host" && std::env::var_os("BGTASK_HOST").is_some() {
        return Err("no database here".to_owned());
    }
    let in_host = std::env::var_os("BGTASK_HOST").is_some();
    assert!(
        !(scenario == "setup_panics_in_the_host" && in_host),
        "no database here"
    );
    let app = app.id(harness::APP).state(Origin(std::process::id()));
    let app = app.profile(windows::profile(&scenario));
    let app = outbox::setup(app, &scenario);
    let app = push::setup(app, &scenario);
    Ok(match scenario.as_str() {
        "an_idle_host_ends" => app.host_idle(std::time::Duration::from_millis(50)),
        "a_host_sees_what_the_app_adds_to_its_environment" => app.host_env(["TEST_ADD*"]),
        "requests_what_the_user_grants" => app.prompter(access::Granting),
        "does_not_linger" => app.linger(false),
        "main_returns_in_memory" => app.in_memory(),
        "collect_without_history" => app.keep_history(std::time::Duration::ZERO),
        "is_held_over_its_budget" | "remembers_what_was_used" => {
            app.energy_budget(std::time::Duration::from_millis(20))
        }
        "an_app_may_allow_less" => app.max_payload(1000),
        "allows_more_than_can_be_handed_over" => app.max_payload((3 << 19) + 1),
        _ => app,
    })
}

/// Plays the scenario; a failed assertion ends the process, whatever still runs in it.
async fn play(app: App) -> ExitCode {
    let name = harness::scenario().unwrap_or_default();
    if name == "main_panics" {
        lifetime::main_panics_with_runs(&app).await;
    }
    let played = tokio::spawn(async move {
        hosted::play(&app, &name).await
            || process::play(&app, &name).await
            || in_process::play(&app, &name).await
            || requests::play(&app, &name).await
            || later::play(&app, &name).await
            || media::play(&app, &name).await
            || devices::play(&app, &name).await
            || push::play(&app, &name).await
            || sockets::play(&app, &name).await
            || outbox::play(&app, &name).await
            || data::play(&app, &name).await
            || lifetime::play(&app, &name).await
            || start::play(&app, &name).await
            || registrations::play(&app, &name).await
            || windows::play(&app, &name).await
            || power::play(&app, &name).await
            || network_requested::play(&app, &name).await
            || extended::play(&app, &name).await
            || toast::play(&app, &name).await
            || service::play(&app, &name).await
            || access::play(&app, &name).await
            || log::play(&app, &name).await
            || volatile::play(&app, &name).await
            || files::play(&app, &name).await
    });
    match played.await {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => std::process::exit(102),
        Err(_) => std::process::exit(101),
    }
}

/// A trial that is a scenario which checks itself.
fn checked(name: &'static str) -> Trial {
    trial(name, move || harness::check(name))
}

fn trial(name: &str, check: impl FnOnce() + Send + 'static) -> Trial {
    Trial::test(name, move || {
        check();
        Ok(())
    })
}

/// Requests a run of one of the tasks of `act`.
async fn start_run(app: &App, task: &str, deed: Deed) -> Run<act> {
    requested(app, task, deed).await
}

/// Requests a run of one of the tasks of `act_plainly`.
async fn start_plain(app: &App, task: &str, deed: Deed) -> Run<act_plainly> {
    requested(app, task, deed).await
}

async fn requested<F: Requestable<Args = Deed>>(app: &App, task: &str, deed: Deed) -> Run<F> {
    let handle = app.task_named::<F>(task).unwrap();
    handle.request(deed).await.unwrap().allowed().unwrap()
}

/// How a run of one of the tasks of `act` ends.
async fn outcome(app: &App, task: &str, deed: Deed) -> Outcome {
    start_run(app, task, deed).await.ended().await.unwrap()
}

/// What a run of one of the tasks of `act` reports.
async fn report(app: &App, task: &str) -> Report {
    start_run(app, task, Deed::Return(7))
        .await
        .completed()
        .await
        .unwrap()
}

/// Waits until an activation of the task is held, and says why it is.
async fn held(events: &mut Events, task: &str) -> String {
    event(events, |event| match &event.kind {
        EventKind::Held { reason, .. } if event.task == task => Some(reason.clone()),
        _ => None,
    })
    .await
}
