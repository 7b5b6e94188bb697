//! The app's end and its next start: lingering, crashes, signals, a second process.

use std::process::Command;

use bgtask::{
    App, AppState, Code, EventKind, Outcome,
    inspect::{self, Request, Response},
};
use libtest_mimic::Trial;
use rustix::process::Signal;

use crate::{
    event,
    harness::{self, Home, Process},
    registrations, report, start_plain, start_run,
    tasks::Deed,
    trial,
};

pub(crate) fn trials() -> Vec<Trial> {
    vec![
        trial(
            "a_requested_run_outlives_main_and_is_delivered_once",
            outlives_main,
        ),
        trial("an_app_without_main_is_in_the_background", background),
        trial(
            "one_new_launch_attaches_to_the_process_that_stays",
            attaches,
        ),
        trial(
            "an_app_that_waits_for_another_to_end_ends_at_once",
            leaves_while_waiting,
        ),
        trial("without_lingering_the_run_is_asked_to_end", no_linger),
        trial(
            "runs_of_an_old_build_are_asked_to_stop_for_the_new_one",
            serviced,
        ),
        trial("a_second_app_is_refused_and_the_first_goes_on", second_app),
        trial("of_apps_started_together_one_runs", started_together),
        trial(
            "no_store_is_made_while_another_process_is_the_broker",
            waits_with_its_store,
        ),
        trial(
            "a_completion_of_any_age_is_told_to_one_launch",
            told_however_old,
        ),
        trial("a_signal_ends_the_process_that_stays", ends_lingering),
        trial("a_panic_of_main_ends_the_app_and_its_hosts", main_panics),
        trial("the_run_of_a_killed_app_runs_again", killed_app),
        trial(
            "what_takes_the_app_down_at_each_start_is_given_up",
            given_up,
        ),
        trial("an_interrupt_gives_a_run_here_its_grace", || {
            graceful("say_goodbye_here", Signal::INT, "Terminating")
        }),
        trial("an_interrupt_gives_a_hosted_run_its_grace", || {
            graceful("say_goodbye_hosted", Signal::INT, "Terminating")
        }),
        trial("a_termination_gives_a_run_here_its_grace", || {
            graceful("say_goodbye_here", Signal::TERM, "Terminating")
        }),
        trial("a_termination_gives_a_hosted_run_its_grace", || {
            graceful("say_goodbye_hosted", Signal::TERM, "Terminating")
        }),
        trial("the_end_of_a_session_gives_a_run_here_its_grace", || {
            graceful("say_goodbye_here", Signal::HUP, "LoggingOff")
        }),
        trial("the_end_of_a_session_gives_a_hosted_run_its_grace", || {
            graceful("say_goodbye_hosted", Signal::HUP, "LoggingOff")
        }),
        trial("an_app_that_is_to_survive_its_session_does", nohup),
        trial("a_second_interrupt_ends_at_once", || {
            at_once(Signal::INT, 130)
        }),
        trial("a_second_termination_ends_at_once", || {
            at_once(Signal::TERM, 143)
        }),
    ]
}

fn outlives_main() {
    let home = Home::new();
    let gate = home.gate();
    let mut app = home.start("main_returns");
    let visitor = gate.visitor();
    app.line("main has returned");
    visitor.pass();
    app.succeeds();
    let mut next = home.start("collect");
    assert!(next.line("completion").starts_with("leaves completed"));
    assert_eq!(next.line("completions"), "1");
    next.succeeds();
    let mut third = home.start("collect");
    assert_eq!(third.line("completions"), "0");
    third.succeeds();
}

fn background() {
    let home = Home::new();
    let gate = home.gate();
    let mut app = home.start("main_returns_and_listens");
    let visitor = gate.visitor();
    assert_eq!(app.line("entered"), "Background from Foreground");
    assert_eq!(app.line("shown as"), "Background");
    visitor.pass();
    app.succeeds();
}

fn attaches() {
    let home = Home::new();
    let gate = home.gate();
    let mut first = home.start("main_returns");
    let visitor = gate.visitor();
    first.line("main has returned");
    let mut second = home.start("ask");
    second.line("asking");
    let (code, errors) = home.start("ask").fails();
    assert_eq!(code, 1, "{errors}");
    assert!(errors.contains("[second-broker]"), "{errors}");
    visitor.pass();
    first.succeeds();
    assert_eq!(second.line("served"), "7");
    second.succeeds();
}

/// The old build stays for a run; the new one asks it to stop.
fn serviced() {
    let home = Home::new();
    let gate = home.gate();
    let mut old = home.start("main_returns_politely");
    gate.visitor().pass();
    old.line("main has returned");
    let mut new = Command::new(registrations::another_build(&home));
    home.surround(&mut new, "nothing");
    let new = Process::start(new);
    let goodbye = gate.visitor();
    assert_eq!(goodbye.said, "ServicingUpdate");
    goodbye.pass();
    old.succeeds();
    new.succeeds();
}

fn waits_with_its_store() {
    let home = Home::new();
    let gate = home.gate();
    let mut first = home.start("main_returns_in_memory");
    let visitor = gate.visitor();
    first.line("main has returned");
    let store = home.store();
    let mut second = home.start("ask");
    blocked_on(&store.join("instance.lock"));
    let database = store.join("store.db");
    assert!(!database.exists());
    visitor.pass();
    first.succeeds();
    assert_eq!(second.line("served"), "7");
    assert!(database.exists());
    second.succeeds();
}

/// Waits until a process waits for the lock of this file.
fn blocked_on(file: &std::path::Path) {
    use std::os::unix::fs::MetadataExt;
    let inode = format!(":{}", file.metadata().unwrap().ino());
    let waits = |line: &str| {
        let mut words = line.split_whitespace();
        line.contains("-> FLOCK") && words.any(|word| word.ends_with(&inode))
    };
    let locks = || std::fs::read_to_string("/proc/locks").unwrap();
    while !locks().lines().any(waits) {
        std::thread::yield_now();
    }
}

fn told_however_old() {
    let home = Home::new();
    let gate = home.gate();
    let mut app = home.start("main_returns");
    let visitor = gate.visitor();
    app.line("main has returned");
    visitor.pass();
    app.succeeds();
    let mut next = home.start("collect_without_history");
    assert!(next.line("completion").starts_with("leaves completed"));
    assert_eq!(next.line("completions"), "1");
    assert_eq!(next.line("completed"), "0");
    next.succeeds();
}

fn leaves_while_waiting() {
    let home = Home::new();
    let gate = home.gate();
    let mut first = home.start("main_returns");
    let visitor = gate.visitor();
    first.line("main has returned");
    home.start("nothing").succeeds();
    let mut second = home.start("serve");
    second.line("open");
    second.signal(Signal::TERM);
    second.succeeds();
    visitor.pass();
    first.succeeds();
}

fn no_linger() {
    let home = Home::new();
    let gate = home.gate();
    let app = home.start("does_not_linger");
    gate.visitor().pass();
    let goodbye = gate.visitor();
    assert_eq!(goodbye.said, "Terminating");
    goodbye.pass();
    app.succeeds();
}

fn second_app() {
    let home = Home::new();
    let mut first = home.start("serve");
    first.line("open");
    let (code, errors) = home.start("serve").fails();
    assert_eq!(code, 1, "{errors}");
    assert!(
        errors.contains(&format!("process {}", first.pid())),
        "{errors}"
    );
    assert!(errors.contains("[second-broker]"), "{errors}");
    assert!(errors.contains("help: close it first"), "{errors}");
    first.signal(Signal::USR1);
    assert_eq!(first.line("worked"), "7");
    first.signal(Signal::TERM);
    first.succeeds();
}

fn started_together() {
    let home = Home::new();
    let mut apps: Vec<_> = (0..6).map(|_| home.start("serve")).collect();
    let mut open = Vec::new();
    for mut app in apps.drain(..) {
        if app.speaks() {
            open.push(app);
        } else {
            let (code, errors) = app.fails();
            assert_eq!(code, 1, "{errors}");
            assert!(errors.contains("[second-broker]"), "{errors}");
        }
    }
    assert_eq!(open.len(), 1);
}

fn ends_lingering() {
    let home = Home::new();
    let gate = home.gate();
    let mut app = home.start("main_returns_politely");
    gate.visitor().pass();
    app.line("main has returned");
    app.signal(Signal::TERM);
    let goodbye = gate.visitor();
    assert_eq!(goodbye.said, "Terminating");
    goodbye.pass();
    app.succeeds();
}

fn main_panics() {
    let home = Home::new();
    let gate = home.gate();
    let app = home.start("main_panics");
    let visitors = [gate.visitor(), gate.visitor()];
    for visitor in &visitors {
        let pid: u32 = visitor.said.split_once(' ').unwrap().0.parse().unwrap();
        if pid != app.pid() {
            app.signal(Signal::USR1);
            harness::gone(pid);
        }
    }
    let (code, errors) = app.fails();
    assert_eq!(code, 101, "{errors}");
    assert!(errors.contains("main gives up"), "{errors}");
}

fn killed_app() {
    let home = Home::new();
    let gate = home.gate();
    let app = home.start("request_and_stay");
    let said = gate.visitor();
    let (host, attempt) = said.said.split_once(' ').unwrap();
    assert_eq!(attempt, "1");
    app.signal(Signal::KILL);
    assert_eq!(app.ends_by_signal(), 9);
    harness::gone(host.parse().unwrap());

    let mut next = home.start("serve");
    let again = gate.visitor();
    assert!(again.said.ends_with(" 2"), "{}", again.said);
    again.pass();
    assert!(next.line("completion").starts_with("leaves completed"));
    next.signal(Signal::TERM);
    next.succeeds();
    let mut third = home.start("collect");
    assert_eq!(third.line("completions"), "0");
    assert_eq!(third.line("completed"), "1");
    third.succeeds();
}

fn given_up() {
    let home = Home::new();
    assert_eq!(home.start("request_an_abort").ends_by_signal(), 6);
    for _ in 1..5 {
        assert_eq!(home.start("stay").ends_by_signal(), 6);
    }
    let mut next = home.start("collect");
    let completion = next.line("completion");
    assert!(
        completion.starts_with("here killed: its process was lost: the app's process ended"),
        "{completion}"
    );
    next.succeeds();
}

fn graceful(scenario: &str, signal: Signal, reason: &str) {
    let home = Home::new();
    let gate = home.gate();
    let mut app = home.start(scenario);
    gate.visitor().pass();
    app.line("waiting");
    app.signal(signal);
    let goodbye = gate.visitor();
    assert_eq!(goodbye.said, reason);
    goodbye.pass();
    app.succeeds();
    let mut next = home.start("collect");
    assert_eq!(next.line("completed"), "1");
    next.succeeds();
}

/// As `nohup` starts a program.
fn nohup() {
    let home = Home::new();
    let gate = home.gate();
    let mut command = Command::new("sh");
    home.surround(&mut command, "say_goodbye_here");
    command
        .args(["-c", "trap '' HUP; exec \"$0\""])
        .arg(std::env::current_exe().unwrap());
    let mut app = Process::start(command);
    gate.visitor().pass();
    app.line("waiting");
    app.signal(Signal::HUP);
    app.signal(Signal::TERM);
    let goodbye = gate.visitor();
    assert_eq!(goodbye.said, "Terminating");
    goodbye.pass();
    app.succeeds();
}

fn at_once(signal: Signal, code: i32) {
    let home = Home::new();
    let gate = home.gate();
    let mut app = home.start("ignore_everything");
    let _here = gate.visitor();
    app.line("waiting");
    app.signal(signal);
    app.line("asked to stop");
    app.signal(signal);
    let (ended, errors) = app.fails();
    assert_eq!(ended, code, "{errors}");
}

pub(crate) async fn play(app: &App, name: &str) -> bool {
    let gate = harness::home().join("gate");
    match name {
        "main_returns"
        | "main_returns_in_memory"
        | "main_returns_politely"
        | "main_returns_from_media" => {
            let (task, deed) = match name {
                "main_returns_politely" => ("leaves", Deed::SayGoodbye(gate)),
                "main_returns_from_media" => ("media", Deed::Visit(gate)),
                _ => ("leaves", Deed::Visit(gate)),
            };
            drop(start_run(app, task, deed).await);
            let app = app.clone();
            tokio::spawn(async move {
                // Refused for its arguments, until it is refused because the app is closing.
                while app
                    .fire("takes_nothing", Some(1.into()))
                    .await
                    .is_err_and(|error| error.code() == Code::BadArguments)
                {}
                println!("main has returned");
            });
        }
        "main_returns_and_listens" => {
            drop(start_run(app, "leaves", Deed::Visit(gate)).await);
            let (app, mut changes) = (app.clone(), app.lifecycle());
            tokio::spawn(async move {
                let change = changes.next().await.unwrap();
                println!("entered {:?} from {:?}", change.state, app.state());
                drop(change.deferral);
                let mut live = inspect::connect(harness::APP).await.unwrap().unwrap();
                while let Response::Status { hello, .. } = live.ask(&Request::Status).await.unwrap()
                {
                    if hello.state == AppState::Background {
                        println!("shown as {:?}", hello.state);
                        return;
                    }
                }
            });
        }
        "collect" | "collect_without_history" => {
            let mut completions = app.completions();
            let mut count = 0;
            while let Some(run) = completions.ready().await {
                println!("completion {} {}", run.task, run.outcome);
                count += 1;
            }
            println!("completions {count}");
            let history = app.history(None, 100).await.unwrap();
            let completed = history.iter().filter(|run| run.outcome.is_completed());
            println!("completed {}", completed.count());
        }
        "ask" => {
            println!("asking");
            println!("served {}", report(app, "other").await.value);
        }
        "does_not_linger" => {
            let mut events = app.events();
            drop(start_run(app, "leaves", Deed::SayGoodbye(gate)).await);
            event(&mut events, |event| {
                matches!(event.kind, EventKind::Started { .. }).then_some(())
            })
            .await;
        }
        "serve" => serve(app).await,
        "takes_no_completion" => {
            println!("open");
            app.run_until_shutdown().await.unwrap();
        }
        "requests_and_serves" => {
            let run = start_run(app, "hosted", Deed::Visit(gate)).await;
            println!("accepted {}", run.activation());
            drop(run);
            serve(app).await;
        }
        "request_and_stay" => {
            let run = start_run(app, "leaves", Deed::Visit(gate)).await;
            run.completed().await.unwrap();
        }
        "request_an_abort" => {
            drop(start_run(app, "here", Deed::Abort).await);
            app.run_until_shutdown().await.unwrap();
        }
        "stay" => app.run_until_shutdown().await.unwrap(),
        "say_goodbye_here" => say_goodbye(app, "here", gate).await,
        "say_goodbye_hosted" => say_goodbye(app, "hosted", gate).await,
        "ignore_everything" => {
            let mut events = app.events();
            let _run = start_plain(app, "here_plain_patient", Deed::Visit(gate)).await;
            println!("waiting");
            event(&mut events, |event| {
                matches!(event.kind, EventKind::CancelRequested { .. }).then_some(())
            })
            .await;
            println!("asked to stop");
            std::future::pending::<()>().await;
        }
        _ => return false,
    }
    true
}

async fn serve(app: &App) {
    let kind = tokio::signal::unix::SignalKind::user_defined1();
    let mut asked = tokio::signal::unix::signal(kind).unwrap();
    println!("open");
    let mut completions = app.completions();
    loop {
        tokio::select! {
            _ = asked.recv() => println!("worked {}", report(app, "here").await.value),
            Some(run) = completions.next() => println!("completion {} {}", run.task, run.outcome),
            _ = app.run_until_shutdown() => return,
        }
    }
}

async fn say_goodbye(app: &App, task: &str, gate: std::path::PathBuf) {
    let mut run = start_run(app, task, Deed::SayGoodbye(gate)).await;
    println!("waiting");
    let outcome = run.ended().await.unwrap();
    assert!(matches!(outcome, Outcome::Completed { .. }), "{outcome:?}");
    app.run_until_shutdown().await.unwrap();
}

/// Not on a task of its own: it is `main` that panics.
pub(crate) async fn main_panics_with_runs(app: &App) {
    let kind = tokio::signal::unix::SignalKind::user_defined1();
    let mut asked = tokio::signal::unix::signal(kind).unwrap();
    let gate = harness::home().join("gate");
    let _runs = [
        start_run(app, "leaves", Deed::Visit(gate.clone())).await,
        start_run(app, "here", Deed::Visit(gate)).await,
    ];
    asked.recv().await;
    panic!("main gives up");
}
