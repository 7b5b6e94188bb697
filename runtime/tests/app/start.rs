//! What keeps an app from starting, or from accepting: each says what is wrong, and harms nothing.

use std::{fs, os::unix::fs::PermissionsExt};

use bgtask::{App, Code};
use libtest_mimic::Trial;

use crate::{
    harness::{self, Gate, Home, Process},
    tasks::{Deed, act},
    trial,
};

pub(crate) fn trials() -> Vec<Trial> {
    let mut trials = vec![
        trial("without_a_home_the_app_does_not_start", no_home),
        trial("a_directory_open_to_others_is_refused", open_directory),
        trial("a_damaged_store_is_refused_and_left_as_it_is", damaged),
        trial(
            "an_app_that_allows_more_than_can_be_handed_over_does_not_start",
            allows_more,
        ),
        trial("a_store_of_a_newer_version_is_refused", newer),
    ];
    // Mounting takes rights that not every user has.
    let may_mount = std::process::Command::new("unshare")
        .args(["--mount", "true"])
        .status()
        .is_ok_and(|status| status.success());
    if may_mount {
        trials.push(trial("on_a_full_disk_nothing_accepted_is_lost", full_disk));
        trials.push(trial(
            "on_a_full_disk_the_app_still_ends",
            ends_on_a_full_disk,
        ));
    }
    trials
}

fn allows_more() {
    let app = Home::new().start("allows_more_than_can_be_handed_over");
    let (code, errors) = app.fails();
    assert_eq!(code, 1, "{errors}");
    assert!(errors.contains("[too-large]"), "{errors}");
    assert!(
        errors.contains("`max_payload` is 1572865 bytes"),
        "{errors}"
    );
}

fn no_home() {
    let mut command = Home::new().command("nothing");
    for name in ["HOME", "XDG_STATE_HOME", "BGTASK_STATE_DIR"] {
        command.env_remove(name);
    }
    refused(command, "[no-state-directory]");
}

fn open_directory() {
    let home = Home::new();
    home.start("nothing").succeeds();
    fs::set_permissions(home.store(), fs::Permissions::from_mode(0o770)).unwrap();
    refused(home.command("nothing"), "[directory]");
}

fn damaged() {
    let home = Home::new();
    home.start("nothing").succeeds();
    let store = home.store().join("store.db");
    let garbage = vec![0x5a_u8; 8192];
    for log in ["store.db-wal", "store.db-shm"] {
        let _ = fs::remove_file(home.store().join(log));
    }
    fs::write(&store, &garbage).unwrap();
    refused(home.command("nothing"), "[store-corrupt]");
    assert!(fs::read(&store).unwrap() == garbage, "the file was changed");
}

fn newer() {
    let home = Home::new();
    home.start("nothing").succeeds();
    let store = rusqlite::Connection::open(home.store().join("store.db")).unwrap();
    store.pragma_update(None, "user_version", 999).unwrap();
    drop(store);
    refused(home.command("nothing"), "[store-newer]");
}

#[track_caller]
fn refused(command: std::process::Command, code: &str) {
    let (exit, errors) = Process::start(command).fails();
    assert_eq!(exit, 1, "{errors}");
    assert!(
        errors.contains(code) && errors.contains("help:"),
        "{errors}"
    );
}

/// The store's directory is a small file system that only the program sees.
fn full_disk() {
    on_a_small_disk("full_disk");
}

/// Main returns while a run's end cannot be written, and the process ends all the same.
fn ends_on_a_full_disk() {
    on_a_small_disk("ends_on_a_full_disk");
}

fn on_a_small_disk(scenario: &str) {
    let home = Home::new();
    let mut command = std::process::Command::new("unshare");
    command
        .args(["--mount", "--propagation", "private", "sh", "-c"])
        .arg("mount -t tmpfs -o size=2m,mode=700 none \"$XDG_STATE_HOME\" && exec \"$PROGRAM\"")
        .env("PROGRAM", std::env::current_exe().unwrap());
    home.surround(&mut command, scenario);
    Process::start(command).succeeds();
}

pub(crate) async fn play(app: &App, name: &str) -> bool {
    match name {
        "nothing" => {}
        "full_disk" => fill_the_disk(app).await,
        "ends_on_a_full_disk" => end_on_a_full_disk(app).await,
        _ => return false,
    }
    true
}

async fn end_on_a_full_disk(app: &App) {
    let gate = Gate::new(harness::home().join("gate"));
    let run = app.task_named::<act>("here").unwrap();
    let run = run.request(Deed::Visit(gate.path().into())).await.unwrap();
    let visitor = gate.visitor();
    let filler = harness::home().join("state").join("filler");
    fs::write(&filler, vec![0_u8; 4 << 20]).unwrap_err();
    // Fills what is left, so that not even an end has room.
    while app
        .fire("here", Some(serde_json::json!({"Return": 1})))
        .await
        .is_ok()
    {}
    drop(run);
    visitor.pass();
}

async fn fill_the_disk(app: &App) {
    let filler = harness::home().join("state").join("filler");
    let task = app.task_named::<act>("here").unwrap();
    let gate = Gate::new(harness::home().join("gate"));
    let mut accepted = Vec::new();
    for _ in 0..2 {
        let waits = task.request(Deed::Visit(gate.path().into())).await;
        accepted.push(waits.unwrap().allowed().unwrap());
        let visitor = gate.visitor();
        let full = fs::write(&filler, vec![0_u8; 4 << 20]).unwrap_err();
        assert_eq!(full.kind(), std::io::ErrorKind::StorageFull);
        // What the store has room for it still takes.
        let error = loop {
            match task.request(Deed::Return(1)).await {
                Ok(answer) => accepted.push(answer.allowed().unwrap()),
                Err(error) => break error,
            }
        };
        assert_eq!(error.code(), Code::StoreFull, "{error}");
        // Also while a run's end waits to be written.
        visitor.pass();
        for _ in 0..200 {
            let error = task.request(Deed::Return(3)).await.unwrap_err();
            assert_eq!(error.code(), Code::StoreFull, "{error}");
        }
        fs::remove_file(&filler).unwrap();
        let works = task.request(Deed::Return(2)).await.unwrap();
        accepted.push(works.allowed().unwrap());
    }
    let count = accepted.len();
    for run in accepted {
        run.completed().await.unwrap();
    }
    let history = app.history(Some("here"), 1000).await.unwrap();
    assert_eq!(history.len(), count);
}
