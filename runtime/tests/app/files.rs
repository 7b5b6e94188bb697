//! What changes in folders reaches the tasks that wait for it.

use std::fs;

use bgtask::{
    App, Code, EventKind, Events, FileChange, FileChangeKind, FileChanges, Outcome, Registration,
    prelude::*,
};
use libtest_mimic::Trial;
use serde_json::json;

use crate::{
    checked, event,
    harness::{Home, home},
    held, trial,
};

/// Says what it was told.
#[background_task(name = "sees", trigger = files("~/seen", recursive), register = false)]
async fn sees(seen: FileChanges) -> FileChanges {
    seen
}

#[background_task(name = "apart", trigger = files("~/seen"), host = process, register = false)]
fn sees_apart(seen: FileChanges) -> FileChanges {
    seen
}

pub(crate) fn trials() -> Vec<Trial> {
    let trials = [
        "files_that_change_reach_their_tasks",
        "changes_that_wait_are_told_together",
        "files_are_watched_while_somebody_waits_for_them",
        "changes_of_files_may_be_written_by_hand",
        "a_task_that_takes_other_details_is_not_registered_for_files",
    ];
    let mut trials: Vec<Trial> = trials.map(checked).into();
    trials.push(trial(
        "what_changed_while_the_app_did_not_run_is_told_at_its_start",
        || {
            let home = Home::new();
            let ends = |scenario: &str, then: &str| {
                home.start(scenario).succeeds();
                fs::write(home.path(then), then).unwrap();
            };
            ends("is_told_of_files", "seen/b");
            ends("is_told_that_something_changed", "beside");
            ends("is_told_of_what_changes_now", "beside");
            ends("is_no_longer_told", "seen/c");
            ends("is_told_of_what_changes_now", "beside");
        },
    ));
    trials
}

/// In another life of the app than the one that registered it.
async fn again(app: &App, name: &str) {
    let mut events = app.events();
    let one = app.registered("one").await;
    match name {
        "is_told_that_something_changed" => {
            let run = loop {
                // It may have ended before anybody listened.
                if let Some(run) = app.history(Some("one"), 1).await.unwrap().pop() {
                    break run;
                }
                event(&mut events, |event| (event.task == "one").then_some(())).await;
            };
            let Outcome::Completed { value } = run.outcome else {
                panic!("{run:?}");
            };
            let told: FileChanges = serde_json::from_value(value).unwrap();
            assert!(told.overflow && told.changes.is_empty(), "{told:?}");
        }
        "is_no_longer_told" => one.unwrap().disable().await.unwrap(),
        _ => {
            one.unwrap().enable().await.unwrap();
            let path = format!("seen/{}", jiff::Timestamp::now().as_nanosecond());
            write(&path);
            told_until(&mut events, "one", &created(&path)).await;
        }
    }
}

async fn registered(app: &App, name: &str) -> Registration {
    let draft = app.registration(name).entry::<sees>();
    let draft = draft.trigger("files(\"~/seen\", recursive)");
    draft.register().await.unwrap()
}

fn write(path: &str) {
    fs::write(home().join(path), path).unwrap();
}

/// The next run's changes, their paths within the home.
async fn told(events: &mut Events, task: &str) -> FileChanges {
    let value = event(events, |event| match &event.kind {
        EventKind::Ended { outcome, .. } if event.task == task => match outcome {
            Outcome::Completed { value } => Some(value.clone()),
            other => panic!("{other:?}"),
        },
        _ => None,
    });
    serde_json::from_value(value.await).unwrap()
}

/// All that is told until this is.
async fn told_until(events: &mut Events, task: &str, last: &FileChange) -> Vec<FileChange> {
    let mut all = Vec::new();
    while !all.contains(last) {
        let told = told(events, task).await;
        assert!(!told.overflow, "{told:?}");
        all.extend(told.changes);
    }
    all
}

fn created(path: &str) -> FileChange {
    let path = home().join(path);
    let kind = FileChangeKind::Created;
    FileChange { path, kind }
}

async fn activation(events: &mut Events, task: &str) {
    event(events, |event| {
        let fired = matches!(event.kind, EventKind::Fired { .. });
        (fired && event.task == task).then_some(())
    })
    .await;
}

async fn reach(app: &App) {
    let mut events = app.events();
    fs::create_dir(home().join("seen")).unwrap();
    write("seen/before");
    registered(app, "one").await;
    let apart = app.registration("beside").entry::<sees_apart>();
    let apart = apart.trigger("files(\"~/seen\")");
    apart.register().await.unwrap();
    // Who was told that it is registered can rely on it.
    write("seen/a");
    let mut others = app.events();
    let all = told_until(&mut events, "one", &created("seen/a")).await;
    assert!(!all.contains(&created("seen/before")), "{all:?}");
    told_until(&mut others, "beside", &created("seen/a")).await;
    // Only the recursive one.
    fs::create_dir(home().join("seen/sub")).unwrap();
    write("seen/sub/b");
    told_until(&mut events, "one", &created("seen/sub/b")).await;
    fs::rename(home().join("seen/sub"), home().join("seen/moved")).unwrap();
    let renamed = FileChange {
        path: home().join("seen/moved"),
        kind: FileChangeKind::Renamed {
            from: home().join("seen/sub"),
        },
    };
    told_until(&mut events, "one", &renamed).await;
    let all = told_until(&mut others, "beside", &renamed).await;
    assert!(!all.contains(&created("seen/sub/b")), "{all:?}");
}

async fn wait_together(app: &App) {
    let mut events = app.events();
    let mut one = registered(app, "one").await;
    one.pause().await.unwrap();
    fs::create_dir(home().join("seen")).unwrap();
    held(&mut events, "one").await;
    for path in ["seen/a", "seen/b"] {
        write(path);
        activation(&mut events, "one").await;
    }
    // A burst may be told as two; each has its activation before this is answered.
    app.why("one").await.unwrap();
    one.resume().await.unwrap();
    let told = told(&mut events, "one").await;
    let expected = ["seen", "seen/a", "seen/b"].map(created);
    let listed = expected.iter().all(|change| told.changes.contains(change));
    assert!(listed, "{told:?}");
    assert!(!told.overflow);
    let history = app.history(Some("one"), 10).await.unwrap();
    let ran = history.iter().filter(|run| run.outcome.is_completed());
    assert_eq!(ran.count(), 1);
}

async fn somebody_waits(app: &App) {
    let mut events = app.events();
    fs::create_dir(home().join("seen")).unwrap();
    let mut one = registered(app, "one").await;
    one.disable().await.unwrap();
    write("seen/a");
    one.enable().await.unwrap();
    write("seen/b");
    let all = told_until(&mut events, "one", &created("seen/b")).await;
    assert!(!all.contains(&created("seen/a")), "{all:?}");
    let elsewhere = app.registration("one").entry::<sees>();
    let elsewhere = elsewhere.trigger("files(\"~/elsewhere\")");
    elsewhere.register().await.unwrap();
    write("seen/c");
    write("elsewhere");
    let all = told_until(&mut events, "one", &created("elsewhere")).await;
    assert_eq!(all, [created("elsewhere")]);
}

async fn by_hand(app: &App) {
    let mut events = app.events();
    registered(app, "one").await;
    app.fire("one", None).await.unwrap();
    assert!(told(&mut events, "one").await.overflow, "nobody knows");
    let path = home().join("a");
    let written = json!({ "changes": [{ "path": path, "kind": "created" }] });
    app.fire("one", Some(written)).await.unwrap();
    let told = told(&mut events, "one").await;
    assert_eq!(told.changes, [created("a")]);
    assert!(!told.overflow);
    let wrong = json!({ "changes": "all" });
    let error = app.fire("one", Some(wrong)).await.unwrap_err();
    assert_eq!(error.code(), Code::BadArguments);
}

async fn other_details(app: &App) {
    let draft = app.registration("one").entry::<sees>();
    let errors = draft.trigger("device(add)").validate().await.unwrap_err();
    assert!(
        errors[0].to_string().contains("FileChanges"),
        "{}",
        errors[0]
    );
    let draft = app.registration("one").entry::<sees>();
    let errors = draft.trigger("files(\"seen\")").validate().await;
    let errors = errors.unwrap_err();
    assert!(
        errors[0].to_string().contains("no absolute path"),
        "{}",
        errors[0]
    );
}

pub(crate) async fn play(app: &App, name: &str) -> bool {
    match name {
        "files_that_change_reach_their_tasks" => reach(app).await,
        "changes_that_wait_are_told_together" => wait_together(app).await,
        "files_are_watched_while_somebody_waits_for_them" => somebody_waits(app).await,
        "changes_of_files_may_be_written_by_hand" => by_hand(app).await,
        "a_task_that_takes_other_details_is_not_registered_for_files" => other_details(app).await,
        "is_told_of_files" => {
            fs::create_dir(home().join("seen")).unwrap();
            registered(app, "one").await;
        }
        "is_told_that_something_changed" | "is_no_longer_told" | "is_told_of_what_changes_now" => {
            again(app, name).await;
        }
        _ => return false,
    }
    true
}
