//! What the log tells, also after a restart.

use bgtask::{
    AccessKind, App, Event, EventKind, LogQuery, Suppression,
    inspect::{self, Request, Response},
    prelude::*,
};
use libtest_mimic::Trial;
use serde_json::json;

use crate::{
    access::say,
    event,
    harness::{self, Home},
    held, trial,
};

#[background_task(name = "is logged", trigger = custom("logged"))]
async fn is_logged(task: TaskContext, Args(waits): Args<bool>) -> Result<(), Cancelled> {
    if waits {
        task.cancelled().await;
    }
    task.checkpoint()
}

pub(crate) fn trials() -> Vec<Trial> {
    vec![trial(
        "the_log_tells_all_in_order_and_nothing_twice",
        || {
            let home = Home::new();
            home.start("does_what_is_logged").succeeds();
            for _ in 0..2 {
                home.start("finds_the_same_log").succeeds();
            }
            say(&home.path(""), "allow");
            home.start("finds_that_access_changed").succeeds();
        },
    )]
}

/// What is known of the task, and of the app itself.
async fn log(app: &App) -> Vec<Event> {
    let mut all = app.log(LogQuery::default()).await.unwrap();
    all.retain(|event| event.task == "is logged" || event.task.is_empty());
    all
}

fn words(events: &[Event]) -> Vec<String> {
    let word = |event: &Event| json!(event.kind)["event"].as_str().unwrap().to_owned();
    events.iter().map(word).collect()
}

async fn does_what_is_logged(app: &App) {
    let mut events = app.events();
    let ended = |event: &Event| matches!(event.kind, EventKind::Ended { .. }).then_some(());
    let mut registration = app.registered("is logged").await.unwrap();
    registration.pause().await.unwrap();
    app.raise("logged", false).await.unwrap();
    held(&mut events, "is logged").await;
    registration.resume().await.unwrap();
    event(&mut events, ended).await;

    let [activation] = app.raise("logged", true).await.unwrap()[..] else {
        panic!("one listens");
    };
    event(&mut events, |event| {
        matches!(event.kind, EventKind::Started { .. }).then_some(())
    })
    .await;
    let mut live = inspect::connect(harness::APP).await.unwrap().unwrap();
    let cancel = Request::Cancel {
        id: activation.to_string(),
        reason: CancelReason::Abort,
    };
    live.ask(&cancel).await.unwrap();
    event(&mut events, ended).await;

    say(&harness::home(), "deny");
    let kind = AccessKind::AllowedSubjectToSystemPolicy;
    app.request_access(kind, "please").await.unwrap();
    app.raise("logged", false).await.unwrap();
    // What is fired by hand is kept, and held until the next launches.
    app.fire("is logged", Some(json!(false))).await.unwrap();
    held(&mut events, "is logged").await;

    let log = log(app).await;
    let expected = [
        "registered",
        "stands",
        "fired",
        "held",
        "stands",
        "released",
        "started",
        "ended",
        "fired",
        "started",
        "cancel_requested",
        "ended",
        "access_changed",
        "suppressed",
        "fired",
        "held",
    ];
    assert_eq!(words(&log), expected);
    let EventKind::Suppressed { activation, why } = &log[13].kind else {
        panic!("{log:?}");
    };
    assert_eq!((activation, why), (&None, &Suppression::Denied));
    std::fs::write(harness::home().join("log"), json!(log).to_string()).unwrap();

    // The command's way to it, and a part of it.
    let part = Request::Log {
        task: Some("is logged".to_owned()),
        since: None,
        limit: 2,
    };
    let Response::Log { events } = live.ask(&part).await.unwrap() else {
        panic!("another answer");
    };
    assert_eq!(events, log[14..]);
    let since = LogQuery {
        since: Some(log[15].at),
        ..LogQuery::default()
    };
    assert_eq!(app.log(since).await.unwrap(), log[15..]);
}

pub(crate) async fn play(app: &App, name: &str) -> bool {
    let before = || std::fs::read_to_string(harness::home().join("log")).unwrap();
    match name {
        "does_what_is_logged" => does_what_is_logged(app).await,
        "finds_the_same_log" => assert_eq!(json!(log(app).await).to_string(), before()),
        "finds_that_access_changed" => {
            let before: Vec<Event> = serde_json::from_str(&before()).unwrap();
            // What was held runs now, too.
            let changed = log(app).await.split_off(before.len());
            assert_eq!(words(&changed)[0], "access_changed");
        }
        _ => return false,
    }
    true
}
