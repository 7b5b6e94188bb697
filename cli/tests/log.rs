//! What happened, as the command tells it of a real app, while it runs and afterwards.

use std::{os::unix::fs::DirBuilderExt, path::Path, process::Command};

use bgtask::{AppBuilder, EventKind, prelude::*};
use serde_json::Value;

#[background_task(name = "greet", trigger = custom("visitor"))]
async fn greet() {}

#[background_task(name = "never", trigger = custom("nobody"))]
async fn never() {}

fn told(home: &Path, arguments: &[&str]) -> (String, String) {
    let output = Command::new(env!("CARGO_BIN_EXE_bgtask"))
        .args(arguments)
        .env_remove("BGTASK_STATE_DIR")
        .env("XDG_STATE_HOME", home.join("state"))
        .env("XDG_RUNTIME_DIR", home.join("run"))
        .env("HOME", home)
        .output()
        .unwrap();
    assert!(output.status.success(), "{output:?}");
    let text = |bytes| String::from_utf8(bytes).unwrap();
    (text(output.stdout), text(output.stderr))
}

/// The names and what happened, line by line.
fn lines(shown: &str) -> Vec<String> {
    let without_time = |line: &str| {
        let words: Vec<&str> = line.split_whitespace().skip(1).collect();
        words.join(" ")
    };
    shown.lines().map(without_time).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_log_is_told_of_a_running_app_and_of_a_closed_one() {
    let home = tempfile::tempdir().unwrap();
    for name in ["state", "run"] {
        let dir = home.path().join(name).join("bgtask/mail");
        let mut private = std::fs::DirBuilder::new();
        private.mode(0o700).recursive(true).create(dir).unwrap();
    }
    let app = AppBuilder::new("mail")
        .state_dir(home.path().join("state/bgtask/mail"))
        .runtime_dir(home.path().join("run/bgtask/mail"));
    let app = app.start().await.unwrap();
    let mut events = app.events();
    app.registered("greet")
        .await
        .unwrap()
        .pause()
        .await
        .unwrap();
    app.raise("visitor", ()).await.unwrap();
    told(home.path(), &["resume", "greet"]);
    loop {
        let event = events.next().await.expect("it ends");
        if matches!(event.kind, EventKind::Ended { .. }) {
            break;
        }
    }

    let greeted = [
        "NAME WHAT",
        "greet registered",
        "greet paused",
        "greet fired",
        "greet held: waits, because",
        "greet enabled",
        "greet released",
        "greet started",
        "greet ended: completed",
    ];
    let (live, note) = told(home.path(), &["log", "greet"]);
    let mut shown = lines(&live);
    // The rest says since when, and what to do.
    shown[4].truncate(greeted[4].len());
    assert_eq!(shown, greeted, "{live}");
    assert_eq!(note, "");
    // From the second that is shown of the last event.
    let last = live.lines().last().unwrap().split(' ').next().unwrap();
    let (recent, _) = told(home.path(), &["log", "greet", "--since", last]);
    assert!(recent.ends_with("ended: completed\n"), "{recent}");
    let (none, _) = told(
        home.path(),
        &["log", "--since", "2999-01-01T00:00Z", "--json"],
    );
    let none: Value = serde_json::from_str(&none).unwrap();
    assert_eq!(none["events"], serde_json::json!([]));
    let (all, _) = told(home.path(), &["log"]);
    assert!(all.contains("  never  registered\n"), "{all}");

    app.shutdown().await;
    let (offline, note) = told(home.path(), &["log", "greet"]);
    assert_eq!(offline, live);
    assert!(note.contains("no broker of `mail` runs"), "{note}");
    let (json, _) = told(home.path(), &["log", "greet", "--limit", "2", "--json"]);
    let json: Value = serde_json::from_str(&json).unwrap();
    assert_eq!(json["broker"], Value::Null);
    let kinds = [&json["events"][0]["event"], &json["events"][1]["event"]];
    assert_eq!(kinds, ["started", "ended"]);
    assert_eq!(json["events"].as_array().unwrap().len(), 2);
    let (none, _) = told(home.path(), &["log", "nobody"]);
    assert_eq!(none, "mail: nothing is known to have happened\n");
    let later = ["log", "greet", "--since", "2999-01-01T00:00:00Z"];
    let (none, _) = told(home.path(), &later);
    let since = "mail: nothing is known to have happened since 2999-01-01T00:00:00Z\n";
    assert_eq!(none, since);
    let (recent, _) = told(home.path(), &["log", "greet", "--since", "1h ago"]);
    assert_eq!(recent, live);
}
