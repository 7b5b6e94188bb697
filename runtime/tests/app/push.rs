//! Raw notifications: from the app, from another process, from a source of the app's own; and events
//! of both.

use std::{
    io::Write,
    path::Path,
    process::ExitCode,
    sync::atomic::{AtomicU32, Ordering},
};

use bgtask::{
    App, AppBuilder, Code, EventSink, Events, PushSink, RawNotification, RawSource, SourceError,
    inspect::{self, Request, Response},
    prelude::*,
};
use futures_util::future::join_all;
use libtest_mimic::Trial;
use rustix::process::Signal;
use serde_json::json;

use crate::{
    checked, event,
    harness::{self, Gate, Home, Process, visit_async},
    held,
    tasks::GATE,
    trial,
};

/// What a process outside of the app asks it, as JSON.
const REQUEST: &str = "TEST_REQUEST";

#[background_task(name = "default channel", trigger = push)]
#[background_task(name = "news", trigger = push("news"))]
#[background_task(name = "news abroad", trigger = push("news"), host = process("one"))]
#[background_task(name = "held news", trigger = push("held"), condition = crate::tasks::gate_open)]
#[background_task(name = "pair of one", trigger = push("pair"), condition = crate::tasks::gate_open, pending = queue(1))]
#[background_task(name = "pair of two", trigger = push("pair"), condition = crate::tasks::gate_open, pending = queue(2))]
#[background_task(name = "pair of first", trigger = push("pair"), condition = crate::tasks::gate_open, pending = first)]
#[background_task(name = "few", trigger = push("few"), condition = crate::tasks::gate_open, pending = queue(2))]
async fn tell(task: TaskContext, news: RawNotification) {
    let channel = news.channel.as_deref().unwrap_or("-");
    let kind = news.headers.get("kind").map_or("-", String::as_str);
    assert_ne!(news.received, jiff::Timestamp::default());
    write(&format!(
        "{} {channel} {kind} {:?}",
        task.task(),
        news.bytes
    ));
}

#[background_task(name = "slow news", trigger = push("slow"))]
async fn comes_to_the_gate(news: RawNotification) {
    let gate = harness::home().join("gate");
    visit_async(&gate, news.content().unwrap()).await;
}

#[background_task(name = "door", trigger = custom("door"), overlap = queue(8))]
async fn opens(Args(number): Args<u32>) {
    write(&format!("door {number}"));
}

fn write(line: &str) {
    let path = harness::home().join("told");
    let mut told = std::fs::File::options();
    let mut told = told.append(true).create(true).open(path).unwrap();
    // At once: other processes write too.
    told.write_all(format!("{line}\n").as_bytes()).unwrap();
}

fn told(home: &Path) -> Vec<String> {
    let told = std::fs::read_to_string(home.join("told")).unwrap();
    told.lines().map(str::to_owned).collect()
}

pub(crate) fn trials() -> Vec<Trial> {
    let mut trials: Vec<Trial> = [
        "a_notification_is_what_its_tasks_are_given",
        "each_notification_counts_while_a_run_is_active",
        "a_flood_is_answered_and_bounded",
        "a_notification_is_for_all_its_tasks_or_for_none",
        "notifications_that_wait_are_bounded_in_bytes",
        "a_long_notification_is_refused",
        "an_app_says_how_long_notifications_are",
        "what_nobody_takes_is_refused",
        "a_source_of_the_app_pushes_and_is_started_again",
        "a_source_of_the_app_raises_events",
    ]
    .map(checked)
    .into();
    trials.push(trial("what_another_process_pushed_survives_a_kill", || {
        let home = Home::new();
        let mut app = home.start("holds_news");
        app.line("open");
        let notification = RawNotification::new([0xff, 0]).on("held");
        let notification = notification.with_header("kind", "bytes");
        let push = Request::Push { notification };
        assert!(outside(&home, &push).starts_with("kept 1"));
        app.signal(Signal::KILL);
        assert_eq!(app.ends_by_signal(), Signal::KILL.as_raw());
        let mut next = home.command("tells_what_was_held");
        next.env("GATE_OPEN", "1");
        Process::start(next).succeeds();
        assert_eq!(home.told(), ["held news held bytes [255, 0]"]);
    }));
    trials.push(trial("another_process_is_told_what_became_of_it", || {
        let home = Home::new();
        let mut app = home.start("holds_news");
        app.line("open");
        let push = |content: &str, channel: &str| Request::Push {
            notification: RawNotification::new(content).on(channel),
        };
        for answer in ["kept 1", "kept 1", "queue-full", "queue-full"] {
            let told = outside(&home, &push("news", "few"));
            assert!(told.starts_with(answer), "{told}");
        }
        assert_eq!(outside(&home, &push("news", "other")), "not-accepted");
        let long = "x".repeat(5 * 1024 + 1);
        assert_eq!(outside(&home, &push(&long, "few")), "too-large");
        let raise = |event: &str, arguments| Request::Raise {
            event: event.to_owned(),
            arguments,
        };
        assert!(outside(&home, &raise("door", Some(json!(7)))).starts_with("kept 1"));
        assert_eq!(outside(&home, &raise("nobody listens", None)), "kept 0");
        assert_eq!(
            outside(&home, &raise("door", Some(json!("x")))),
            "bad-arguments"
        );
        app.line("door 7");
        app.signal(Signal::TERM);
        app.succeeds();
    }));
    trials.push(trial(
        "longer_notifications_than_can_be_kept_are_refused",
        || {
            let home = Home::new();
            let (code, errors) = home.start("allows_longer_than_can_be_kept").fails();
            assert_eq!(code, 1, "{errors}");
            assert!(errors.contains("[too-large]"), "{errors}");
            assert!(errors.contains("max_push"), "{errors}");
        },
    ));
    trials
}

/// Asks the app in another process; what that was told.
fn outside(home: &Home, request: &Request) -> String {
    let mut command = home.command("is_outside");
    command.env(REQUEST, serde_json::to_string(request).unwrap());
    let mut process = Process::start(command);
    let told = process.line("told");
    process.succeeds();
    told
}

/// A process that is not the app.
pub(crate) fn ask_from_outside() -> ExitCode {
    let request = std::env::var(REQUEST).unwrap();
    let request: Request = serde_json::from_str(&request).unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    runtime.block_on(async {
        let mut live = inspect::connect(harness::APP).await.unwrap().unwrap();
        match live.ask(&request).await {
            Ok(Response::Raised { activations }) => println!("told kept {}", activations.len()),
            Ok(other) => panic!("{other:?}"),
            Err(error) => println!("told {}", error.code().as_str()),
        }
    });
    ExitCode::SUCCESS
}

pub(crate) fn setup(app: AppBuilder, scenario: &str) -> AppBuilder {
    match scenario {
        "an_app_says_how_long_notifications_are" => app.max_push(10),
        "notifications_that_wait_are_bounded_in_bytes" => app.max_push(256 * 1024),
        "allows_longer_than_can_be_kept" => app.max_push(256 * 1024 + 1),
        "a_source_of_the_app_pushes_and_is_started_again" => app
            .push_source("wire", Wire(AtomicU32::new(0)))
            .push_source("once", async |sink: PushSink| -> bgtask::Result<()> {
                sink.push(RawNotification::new("by a function")).await?;
                Ok(())
            }),
        "a_source_of_the_app_raises_events" => {
            app.event_source("door", async |sink: EventSink| -> bgtask::Result<()> {
                for number in 1..=3_u32 {
                    assert_eq!(sink.raise(number).await?.len(), 1);
                }
                Ok(())
            })
        }
        _ => app,
    }
}

/// Cannot be reached at first.
struct Wire(AtomicU32);

impl RawSource for Wire {
    async fn receive(&self, sink: PushSink) -> Result<(), SourceError> {
        match self.0.fetch_add(1, Ordering::SeqCst) {
            0 => Err("the server is not there".into()),
            1 => panic!("expected by this trial"),
            _ => {
                sink.push(RawNotification::new("at last").on("news"))
                    .await?;
                Ok(())
            }
        }
    }
}

pub(crate) async fn play(app: &App, name: &str) -> bool {
    let mut events = app.events();
    match name {
        "a_notification_is_what_its_tasks_are_given" => given(app).await,
        "each_notification_counts_while_a_run_is_active" => each_counts(app).await,
        "a_flood_is_answered_and_bounded" => flood(app).await,
        "a_notification_is_for_all_its_tasks_or_for_none" => all_or_none(app).await,
        "notifications_that_wait_are_bounded_in_bytes" => bounded_in_bytes(app).await,
        "a_long_notification_is_refused" => {
            for (notification, accepted) in [
                (RawNotification::new(vec![b'x'; 5 * 1024]), true),
                (RawNotification::new(vec![b'x'; 5 * 1024 + 1]), false),
                (header_of(4 * 1024), true),
                (header_of(4 * 1024 + 1), false),
            ] {
                match app.push(notification).await {
                    Ok(activations) => assert!(accepted && activations.len() == 1),
                    Err(error) => assert!(!accepted && error.code() == Code::TooLarge, "{error}"),
                }
            }
        }
        "an_app_says_how_long_notifications_are" => {
            app.push(RawNotification::new("ten bytes!")).await.unwrap();
            let error = app.push(RawNotification::new("eleven byte")).await;
            let error = error.unwrap_err();
            assert_eq!(error.code(), Code::TooLarge, "{error}");
            assert!(error.help().unwrap().contains("max_push"), "{error}");
        }
        "what_nobody_takes_is_refused" => not_taken(app).await,
        "a_source_of_the_app_pushes_and_is_started_again" => {
            let mut tasks = vec!["default channel", "news", "news abroad"];
            while !tasks.is_empty() {
                let ended = ended(&mut events).await;
                tasks.retain(|task| *task != ended);
            }
            let told = told(&harness::home()).join("\n");
            let at_last = format!("news news - {:?}", b"at last");
            assert!(told.contains(&at_last), "{told}");
        }
        "a_source_of_the_app_raises_events" => {
            // It may have raised all of them before anybody listened.
            while app.history(Some("door"), 9).await.unwrap().len() < 3 {
                ended(&mut events).await;
            }
            assert_eq!(told(&harness::home()), ["door 1", "door 2", "door 3"]);
        }
        "holds_news" => {
            println!("open");
            event(&mut events, |event| {
                let ended = matches!(event.kind, bgtask::EventKind::Ended { .. });
                (ended && event.task == "door").then_some(())
            })
            .await;
            println!("{}", told(&harness::home()).join("\n"));
            app.clone().run_until_shutdown().await.unwrap();
        }
        "tells_what_was_held" => {
            while app.history(Some("held news"), 1).await.unwrap().is_empty() {
                ended(&mut events).await;
            }
        }
        _ => return false,
    }
    true
}

fn header_of(length: usize) -> RawNotification {
    RawNotification::new("").with_header("k", "v".repeat(length - 1))
}

/// The task of the next run that ends.
async fn ended(events: &mut Events) -> String {
    event(events, |event| {
        let ended = matches!(event.kind, bgtask::EventKind::Ended { .. });
        ended.then(|| event.task.clone())
    })
    .await
}

async fn given(app: &App) {
    let mut events = app.events();
    let news = RawNotification::new([0x68, 0x69, 0xff]).on("news");
    let kept = app.push(news.with_header("kind", "weather")).await.unwrap();
    assert_eq!(kept.len(), 2, "one for each task");
    for _ in 0..2 {
        ended(&mut events).await;
    }
    app.push(RawNotification::new("x")).await.unwrap();
    assert_eq!(ended(&mut events).await, "default channel");
    // Fired by hand, nothing is in it.
    app.fire("news", None).await.unwrap();
    assert_eq!(ended(&mut events).await, "news");
    let mut told = told(&harness::home());
    told[..2].sort_unstable();
    assert_eq!(
        told,
        [
            "news abroad news weather [104, 105, 255]",
            "news news weather [104, 105, 255]",
            "default channel - - [120]",
            "news - - []",
        ]
    );
}

async fn each_counts(app: &App) {
    let gate = Gate::new(harness::home().join("gate"));
    let push = async |content: &str| {
        let kept = app.push(RawNotification::new(content).on("slow")).await;
        assert_eq!(kept.unwrap().len(), 1);
    };
    push("1").await;
    let first = gate.visitor();
    for content in ["2", "3", "4"] {
        push(content).await;
    }
    let mut said = vec![first.said.clone()];
    first.pass();
    for _ in 0..3 {
        let visitor = gate.visitor();
        said.push(visitor.said.clone());
        visitor.pass();
    }
    assert_eq!(said, ["1", "2", "3", "4"]);
}

async fn flood(app: &App) {
    let mut events = app.events();
    // Together: those that were accepted in the same turn count as well.
    let push = |number: u8| app.push(RawNotification::new([number]).on("few"));
    let answers = join_all((1..=9).map(push)).await;
    let (kept, refused): (Vec<_>, Vec<_>) = answers.into_iter().partition(Result::is_ok);
    assert_eq!((kept.len(), refused.len()), (2, 7));
    for answer in refused {
        let error = answer.unwrap_err();
        assert_eq!(error.code(), Code::QueueFull, "{error}");
    }
    held(&mut events, "few").await;
    let suppressed = app.registered("few").await.unwrap().suppressed();
    assert_eq!(suppressed, 7, "what was refused is noted");
    GATE.send_replace(true);
    for _ in 0..2 {
        assert_eq!(ended(&mut events).await, "few");
    }
    assert_eq!(
        told(&harness::home()),
        ["few few - [1]", "few few - [2]"],
        "what was accepted ran"
    );
    push(10).await.unwrap();
    assert_eq!(ended(&mut events).await, "few");
}

async fn all_or_none(app: &App) {
    let mut events = app.events();
    let push = |number: u8| app.push(RawNotification::new([number]).on("pair"));
    assert_eq!(push(1).await.unwrap().len(), 3);
    // One of them could take it, and one wants only the first in any case.
    let error = push(2).await.unwrap_err();
    assert_eq!(error.code(), Code::QueueFull, "{error}");
    // One that is disabled keeps the others from nothing.
    let mut one = app.registered("pair of one").await.unwrap();
    one.disable().await.unwrap();
    assert_eq!(push(3).await.unwrap().len(), 1);
    assert_eq!(push(4).await.unwrap_err().code(), Code::QueueFull);
    GATE.send_replace(true);
    for _ in 0..3 {
        ended(&mut events).await;
    }
    let mut told = told(&harness::home());
    told.sort();
    let expected = [
        "pair of first pair - [1]",
        "pair of two pair - [1]",
        "pair of two pair - [3]",
    ];
    assert_eq!(told, expected);
}

async fn bounded_in_bytes(app: &App) {
    let large = || RawNotification::new(vec![b'x'; 256 * 1024]).on("held");
    // With the name of its channel, 64 MiB are a little less than 256 of them.
    let answers = join_all((0..256).map(|_| app.push(large()))).await;
    let kept = answers.iter().take_while(|answer| answer.is_ok()).count();
    assert_eq!(kept, 255);
    let error = answers[255].as_ref().unwrap_err();
    assert_eq!(error.code(), Code::QueueFull, "{error}");
    let small = app.push(RawNotification::new("x").on("held")).await;
    assert_eq!(small.unwrap().len(), 1, "there is room for it");
    app.push(large()).await.unwrap_err();
}

async fn not_taken(app: &App) {
    for channel in ["", "New", "news "] {
        let error = app.push(RawNotification::new("x").on(channel)).await;
        let error = error.unwrap_err();
        assert_eq!(error.code(), Code::NotAccepted, "{error}");
        assert!(error.rule().contains("no task"), "{error}");
    }
    let mut few = app.registered("few").await.unwrap();
    few.disable().await.unwrap();
    let error = app.push(RawNotification::new("x").on("few")).await;
    let error = error.unwrap_err();
    assert_eq!(error.code(), Code::NotAccepted, "{error}");
    assert!(error.rule().contains("disabled"), "{error}");
    // Another one may still take what one does not.
    let mut abroad = app.registered("news abroad").await.unwrap();
    abroad.disable().await.unwrap();
    let kept = app.push(RawNotification::new("x").on("news")).await;
    assert_eq!(kept.unwrap().len(), 1);
}
