//! Requests and results from another process than the app's.

use std::process::ExitCode;

use bgtask::{
    ActivationId, AnyTask, CancelReason, Client, Code, Outcome, RequestOutcome, Run, RunError,
    inspect::{Order, Request, Response, connect},
};
use libtest_mimic::Trial;
use rustix::process::Signal;

use crate::{
    harness::{self, APP, Home, Process},
    tasks::{Deed, Report, act},
    trial,
};

/// A process that is no app.
pub(crate) const SCENARIO: &str = "client";

/// What the client is to do.
const DEED: &str = "TEST_CLIENT";

pub(crate) fn trials() -> Vec<Trial> {
    vec![
        trial(
            "a_client_has_the_result_though_the_app_is_killed_and_started_again",
            restarted,
        ),
        trial("what_a_client_requests_is_for_nobody_else", for_nobody_else),
        trial(
            "a_client_stops_a_run_and_is_told_why_one_is_refused",
            answers,
        ),
        trial("a_client_sees_progress", progress),
        trial("a_client_takes_no_completion_from_the_app", takes_nothing),
        trial("without_a_broker_nothing_is_requested", closed),
    ]
}

/// A client as a process of its own, and an activation it is to know.
fn client(home: &Home, deed: &str, activation: Option<&str>) -> Process {
    let mut command = home.command(SCENARIO);
    command.env(DEED, format!("{deed} {}", activation.unwrap_or_default()));
    Process::start(command)
}

fn restarted() {
    let home = Home::new();
    let gate = home.gate();
    let mut app = home.start("serve");
    app.line("open");
    let mut requests = client(&home, "request", None);
    let id = requests.line("accepted");
    let visitor = gate.visitor();
    assert!(visitor.said.ends_with(" 1"), "{}", visitor.said);
    app.signal(Signal::KILL);
    app.ends_by_signal();
    visitor.leaves();
    // Of what a store holds that nobody serves.
    let mut joins = client(&home, "join", Some(&id));
    joins.line("joined");
    let mut app = home.start("serve");
    app.line("open");
    let visitor = gate.visitor();
    assert!(visitor.said.ends_with(" 2"), "{}", visitor.said);
    visitor.pass();
    for mut client in [requests, joins] {
        assert_eq!(client.line("value"), "0");
        client.succeeds();
    }
    // It has ended, told by the broker and by its store.
    let mut later = client(&home, "join", Some(&id));
    assert_eq!(later.line("value"), "0");
    app.signal(Signal::TERM);
    app.succeeds();
    let mut later = client(&home, "join", Some(&id));
    assert_eq!(later.line("value"), "0");
    later.succeeds();
}

fn for_nobody_else() {
    let home = Home::new();
    let mut app = home.start("takes_no_completion");
    app.line("open");
    client(&home, "request_and_leave", None).succeeds();
    app.signal(Signal::TERM);
    app.succeeds();
    let mut app = home.start("collect");
    assert_eq!(app.line("completions"), "0");
    assert_eq!(app.line("completed"), "1");
    app.succeeds();
}

fn answers() {
    let home = Home::new();
    let mut app = home.start("serve");
    app.line("open");
    client(&home, "answers", None).succeeds();
}

fn progress() {
    let home = Home::new();
    let mut app = home.start("serve");
    app.line("open");
    client(&home, "progress", None).succeeds();
}

/// The app dropped its run, and a client watches it.
fn takes_nothing() {
    let home = Home::new();
    let gate = home.gate();
    let mut app = home.start("requests_and_serves");
    let id = app.line("accepted");
    app.line("open");
    let visitor = gate.visitor();
    let mut joins = client(&home, "join", Some(&id));
    joins.line("joined");
    visitor.pass();
    assert_eq!(joins.line("value"), "0");
    assert!(app.line("completion").starts_with("hosted completed"));
}

fn closed() {
    let home = Home::new();
    let mut app = home.start("serve");
    app.line("open");
    app.signal(Signal::TERM);
    app.succeeds();
    client(&home, "closed", None).succeeds();
}

/// The client under test.
#[tokio::main(flavor = "current_thread")]
pub(crate) async fn main() -> ExitCode {
    let told = std::env::var(DEED).unwrap();
    let (deed, id) = told.split_once(' ').unwrap();
    let client = Client::new(APP);
    match deed {
        "request" => {
            let run = accepted(&client, "hosted", visit()).await;
            println!("accepted {}", run.activation());
            println!("value {}", run.completed().await.unwrap().value);
        }
        "request_and_leave" => {
            let run = accepted(&client, "here", Deed::Return(1)).await;
            let id = run.activation();
            drop(run);
            let again = client.run_named::<act>("here", id).await.unwrap();
            assert_eq!(again.completed().await.unwrap().value, 1);
        }
        "join" => {
            let id = id.parse().unwrap();
            let run = client.run_named::<AnyTask>("hosted", id).await.unwrap();
            println!("joined");
            let value = run.completed().await.unwrap();
            println!("value {}", value["value"]);
            let report: Report = serde_json::from_value(value).unwrap();
            assert_ne!(report.pid, std::process::id());
        }
        "answers" => told_why(&client).await,
        "progress" => {
            let run = accepted(&client, "hosted", Deed::Steps(5)).await;
            let mut progress = run.progress();
            let mut last = None;
            while let Some(now) = progress.next().await {
                last = Some(now.done);
            }
            assert_eq!(last, Some(5));
            run.completed().await.unwrap();
        }
        "closed" => {
            let request = client.request_named::<act>("here", Deed::Return(1)).await;
            let error = request.unwrap_err();
            assert_eq!(error.code(), Code::Control);
            assert_eq!(error.task_name(), Some("here"));
            assert_eq!(error.help(), Some("start the app"));
            let error = client.run_named::<act>("here", ActivationId::now()).await;
            assert_eq!(error.unwrap_err().code(), Code::UnknownRun);
            let other = Client::new("never-started");
            let error = other.run_named::<act>("here", ActivationId::now()).await;
            assert_eq!(error.unwrap_err().code(), Code::UnknownRun);
        }
        other => panic!("what is {other}?"),
    }
    ExitCode::SUCCESS
}

fn visit() -> Deed {
    Deed::Visit(harness::home().join("gate"))
}

async fn accepted(client: &Client, task: &str, deed: Deed) -> Run<act> {
    let request = client.request_named::<act>(task, deed).await;
    request.unwrap().allowed().unwrap()
}

async fn told_why(client: &Client) {
    let mut run = accepted(client, "one_at_a_time", Deed::Outlast(3)).await;
    let again = client.request_named::<act>("one_at_a_time", Deed::Return(1));
    let again = again.await.unwrap();
    assert!(matches!(again, RequestOutcome::CurrentlyRunning));
    let wrong = client.run_named::<act>("here", run.activation()).await;
    assert_eq!(wrong.unwrap_err().code(), Code::UnknownRun);

    // It ends when it is told to.
    run.cancel(CancelReason::Abort).await.unwrap();
    let outcome = run.ended().await.unwrap();
    assert!(matches!(outcome, Outcome::Completed { .. }), "{outcome:?}");
    // There is nothing to stop any more.
    run.cancel(CancelReason::Abort).await.unwrap();
    assert_eq!(run.completed().await.unwrap().value, 3);
    let waits = accepted(client, "guarded", Deed::Return(1)).await;
    waits.cancel(CancelReason::Abort).await.unwrap();
    let error = waits.completed().await.unwrap_err();
    assert!(matches!(error, RunError::Ended(_)), "{error}");

    let unknown = client.run_named::<act>("here", ActivationId::now()).await;
    assert_eq!(unknown.unwrap_err().code(), Code::UnknownRun);
    let bad = serde_json::json!({ "Dance": 1 });
    let bad = client.request_named::<AnyTask>("here", bad).await;
    assert_eq!(bad.unwrap_err().code(), Code::BadArguments);
    let missing = client.request_named::<AnyTask>("hear", ().into()).await;
    assert_eq!(missing.unwrap_err().code(), Code::UnknownTask);
    // Its result would be there for a moment only, and this process may come too late.
    let volatile = client.request_named::<AnyTask>("volatile", 1.into()).await;
    assert_eq!(volatile.unwrap_err().code(), Code::Unsupported);
    let long = "x".repeat(2 << 20).into();
    let long = client.request_named::<AnyTask>("here", long).await;
    assert_eq!(long.unwrap_err().code(), Code::TooLarge);

    let mut live = connect(APP).await.unwrap().unwrap();
    let disable = Request::Stand {
        task: "here".to_owned(),
        order: Order::Disable,
    };
    let stands = live.ask(&disable).await.unwrap();
    assert!(matches!(stands, Response::Stands { .. }), "{stands:?}");
    let disabled = client.request_named::<act>("here", Deed::Return(1)).await;
    assert!(matches!(
        disabled.unwrap(),
        RequestOutcome::DisabledByPolicy
    ));
}
