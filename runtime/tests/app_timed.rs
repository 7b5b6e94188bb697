//! An app whose tasks start by themselves: due times, missed ones, registrations over restarts,
//! declarations that cannot be honoured. Each trial starts this executable again as the program.

#![cfg(target_os = "linux")]
#![allow(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "programs under test speak to their trial in lines"
)]

#[allow(dead_code, reason = "shared by several programs under test")]
#[path = "app/harness.rs"]
mod harness;

use std::{collections::BTreeMap, process::ExitCode};

use bgtask::{EventKind, Outcome, RunRecord, prelude::*};
use jiff::{SignedDuration, Timestamp};
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

#[background_task(name = "tick", trigger = every("50ms"))]
async fn tick(ScheduledTime(scheduled): ScheduledTime) -> Timestamp {
    scheduled
}

#[background_task(name = "slow_tick", trigger = every("2s"))]
async fn slow_tick(ScheduledTime(scheduled): ScheduledTime) -> Timestamp {
    scheduled
}

#[background_task(name = "hourly", trigger = every("1h"))]
async fn hourly(ScheduledTime(scheduled): ScheduledTime) -> Timestamp {
    scheduled
}

#[background_task(name = "hourly_skips", trigger = every("1h"), missed = skip)]
async fn hourly_skips(ScheduledTime(scheduled): ScheduledTime) -> Timestamp {
    scheduled
}

#[background_task(name = "at_start", trigger = startup)]
async fn at_start() {}

#[background_task(name = "at_start_hosted", trigger = startup, host = process)]
async fn at_start_hosted() {}

#[background_task(name = "asked", trigger = application)]
async fn asked() {}

#[background_task(name = "answered", trigger = system(sms_received))]
async fn answered() {}

fn main() -> ExitCode {
    if harness::scenario().is_some() {
        return program::main();
    }
    let trials = vec![
        trial("a_task_runs_every_period", || harness::check("ticks")),
        trial(
            "a_store_that_refused_a_request_keeps_no_due_time_from_firing",
            || {
                harness::check("refused_by_the_store");
            },
        ),
        trial("startup_fires_once_at_each_start", startup),
        trial("a_registration_keeps_its_identity_and_due_time", kept),
        trial("missed_times_are_caught_up_with_once", missed),
        trial("what_is_not_supported_is_refused_and_others_run", || {
            harness::check("refused");
        }),
        trial("a_strict_app_does_not_start_with_what_is_refused", strict),
    ];
    libtest_mimic::run(&Arguments::from_args(), trials).exit_code()
}

fn trial(name: &str, check: impl FnOnce() + Send + 'static) -> Trial {
    Trial::test(name, move || {
        check();
        Ok(())
    })
}

fn setup(app: AppBuilder) -> std::io::Result<AppBuilder> {
    let app = app.id(harness::APP);
    let strict = harness::scenario().as_deref() == Some("strict");
    Ok(if strict { app.strict() } else { app })
}

fn startup() {
    let home = Home::new();
    for start in 1..=3 {
        let mut app = home.start("started");
        for task in ["at_start", "at_start_hosted"] {
            assert_eq!(app.line(task), start.to_string());
        }
        app.succeeds();
    }
}

fn kept() {
    let home = Home::new();
    let mut first = home.start("registrations");
    let registered = (first.line("hourly"), first.line("hourly_skips"));
    assert!(!registered.0.contains("None"), "{registered:?}");
    first.succeeds();
    let mut second = home.start("registrations");
    assert_eq!(
        (second.line("hourly"), second.line("hourly_skips")),
        registered
    );
    second.succeeds();
}

/// The app was closed for several hours: their due times are moved into the past.
fn missed() {
    let home = Home::new();
    home.start("registrations").succeeds();
    let back = SignedDuration::from_mins(3 * 60 + 90);
    let store = rusqlite::Connection::open(home.store().join("store.db")).unwrap();
    let moved = store
        .execute(
            "UPDATE registration SET due = due - ?1 WHERE name LIKE 'hourly%'",
            [i64::try_from(back.as_micros()).unwrap()],
        )
        .unwrap();
    assert_eq!(moved, 2);
    drop(store);
    home.start("caught_up").succeeds();
    home.start("caught_up").succeeds();
}

fn strict() {
    let (code, errors) = Home::new().start("strict").fails();
    assert_eq!(code, 1, "{errors}");
    assert!(errors.contains("`answered`"), "{errors}");
    assert!(errors.contains("[unsupported]"), "{errors}");
    // Without it the same app starts.
    Process::start(Home::new().command("registrations")).succeeds();
}

async fn play(app: App) -> ExitCode {
    let name = harness::scenario().unwrap_or_default();
    let played = tokio::spawn(async move {
        match name.as_str() {
            "ticks" => ticks(&app).await,
            "refused_by_the_store" => refused_by_the_store(&app).await,
            "started" => {
                // Each start leaves one more.
                let mut events = app.events();
                for task in ["at_start", "at_start_hosted"] {
                    let waits = || async { app.why(task).await.unwrap() };
                    while let why = waits().await
                        && why.waiting + why.running.len() > 0
                    {
                        events.next().await.unwrap();
                    }
                    println!("{task} {}", ended(&app, task).await.len());
                }
            }
            "registrations" => {
                for one in app.registrations().await.unwrap() {
                    println!("{} {} {:?}", one.name, one.id, one.due);
                }
            }
            "caught_up" => caught_up(&app).await,
            "refused" => refused(&app).await,
            _ => std::process::exit(102),
        }
        app.shutdown().await;
    });
    match played.await {
        Ok(()) => ExitCode::SUCCESS,
        Err(_) => std::process::exit(101),
    }
}

async fn ended(app: &App, task: &str) -> Vec<RunRecord> {
    app.history(Some(task), 1000).await.unwrap()
}

/// The value of the next completed run of a task.
async fn completed(events: &mut bgtask::Events, task: &str) -> Timestamp {
    loop {
        let event = events.next().await.unwrap();
        if let EventKind::Ended { outcome, .. } = event.kind
            && event.task == task
        {
            return scheduled(&outcome);
        }
    }
}

fn scheduled(outcome: &Outcome) -> Timestamp {
    match outcome {
        Outcome::Completed { value } => value.as_str().unwrap().parse().unwrap(),
        other => panic!("{other:?}"),
    }
}

async fn ticks(app: &App) {
    let mut events = app.events();
    let mut last = completed(&mut events, "tick").await;
    let period = SignedDuration::from_millis(50);
    for _ in 0..5 {
        let next = completed(&mut events, "tick").await;
        let apart = next.duration_since(last);
        // A machine under load may skip some; it never moves one.
        assert!(apart >= period, "{last} {next}");
        assert_eq!(apart.as_nanos() % period.as_nanos(), 0, "{last} {next}");
        assert!(next <= Timestamp::now());
        last = next;
    }
}

/// The store's table is away while one request comes; nothing else happens then.
async fn refused_by_the_store(app: &App) {
    let tick = app.registered("tick").await.unwrap();
    tick.unregister(true).await.unwrap();
    let state = std::env::var_os("XDG_STATE_HOME").expect("where the store is");
    let dir = std::path::Path::new(&state)
        .join("bgtask")
        .join(harness::APP);
    let rename = |from, to| {
        let store = rusqlite::Connection::open(dir.join("store.db")).unwrap();
        let wait = std::time::Duration::from_secs(20);
        store.busy_timeout(wait).unwrap();
        let statement = format!("ALTER TABLE {from} RENAME TO {to}");
        store.execute_batch(&statement).unwrap();
    };
    let mut events = app.events();
    completed(&mut events, "slow_tick").await;
    rename("activation", "away");
    let error = app.task::<asked>().request(()).await.unwrap_err();
    assert_eq!(error.code(), bgtask::Code::Store, "{error}");
    rename("away", "activation");
    // The next due time fires, and the next request is accepted.
    completed(&mut events, "slow_tick").await;
    let run = app.task::<asked>().request(()).await.unwrap();
    run.allowed().unwrap().completed().await.unwrap();
}

async fn caught_up(app: &App) {
    let mut events = app.events();
    while ended(app, "hourly").await.is_empty() {
        events.next().await.unwrap();
    }
    let why = app.why("hourly").await.unwrap();
    assert_eq!((why.waiting, why.running.len()), (0, 0), "{why}");
    let runs = ended(app, "hourly").await;
    assert_eq!(runs.len(), 1);
    let now = Timestamp::now();
    assert!(scheduled(&runs[0].outcome) < now - SignedDuration::from_mins(20));
    assert!(ended(app, "hourly_skips").await.is_empty());
    let due: BTreeMap<_, _> = app
        .registrations()
        .await
        .unwrap()
        .into_iter()
        .map(|one| (one.name, one.due))
        .collect();
    for task in ["hourly", "hourly_skips"] {
        let due = due[task].unwrap();
        assert!(
            due > now && due <= now + SignedDuration::from_hours(1),
            "{due}"
        );
    }
}

async fn refused(app: &App) {
    let why = app.why("answered").await.unwrap();
    let refused = why.refused.clone().unwrap();
    assert!(
        refused.contains("no source for the trigger `system(sms_received)`"),
        "{refused}"
    );
    assert!(!why.enabled);
    assert!(why.answer.starts_with("It does not run"), "{}", why.answer);
    let error = app.fire("answered", None).await.unwrap_err();
    assert_eq!(error.code(), bgtask::Code::Unsupported);
    completed(&mut app.events(), "tick").await;
}
