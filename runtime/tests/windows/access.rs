//! What the user allows the app.

use std::{
    fs,
    path::Path,
    sync::atomic::{AtomicU32, Ordering},
};

use bgtask::{
    AccessKind, AccessStatus, App, Code, EventKind, Suppression,
    access::{Consent, Prompt, PromptFuture, Prompter},
    prelude::*,
};

use crate::{Family, ended, event, harness::Home, request_access, scenarios, trials};

pub(crate) const FAMILY: Family = Family {
    rules: scenarios![removed_access_keeps_registrations_and_starts_nothing],
    parts: scenarios![asks_once, is_installed, is_updated, is_denied],
    launches: trials![
        the_access_status_is_read_without_asking,
        access_is_requested_again_after_an_update,
        what_the_user_denied_is_registered_and_does_not_run,
    ],
};

#[background_task(name = "post", trigger = custom("post"), register = false)]
async fn post() {}

/// How often the user was asked.
static ASKED: AtomicU32 = AtomicU32::new(0);

/// A user who grants everything, and counts.
pub(crate) struct Counting;

impl Prompter for Counting {
    fn prompt(&self, _: Prompt) -> PromptFuture<'_> {
        ASKED.fetch_add(1, Ordering::Relaxed);
        Box::pin(std::future::ready(Consent::Granted))
    }
}

/// The user's answer to all apps.
fn say(home: &Path, answer: &str) {
    say_of("access", home, answer);
}

pub(crate) fn say_of(what: &str, home: &Path, answer: &str) {
    let dir = home.join("config/bgtask");
    fs::create_dir_all(&dir).unwrap();
    let text = format!("[default]\n{what} = \"{answer}\"\n");
    fs::write(dir.join("access.toml"), text).unwrap();
}

async fn register(app: &App) -> bgtask::Result<bgtask::Registration> {
    let post = app.registration("posts").entry::<post>();
    post.trigger("custom(\"post\")").register().await
}

/// Raises the event, and expects that it does not count.
async fn is_suppressed(app: &App) {
    let mut events = app.events();
    app.raise("post", ()).await.unwrap();
    let why = event(&mut events, |event| match &event.kind {
        EventKind::Suppressed { why, .. } => Some(why.clone()),
        EventKind::Ended { .. } => panic!("it ran"),
        _ => None,
    })
    .await;
    assert_eq!(why, Suppression::Denied);
}

async fn runs(app: &App) {
    let mut events = app.events();
    app.raise("post", ()).await.unwrap();
    assert!(ended(&mut events, "posts").await.is_completed());
}

// https://learn.microsoft.com/uwp/api/windows.applicationmodel.background.backgroundexecutionmanager.removeaccess
async fn removed_access_keeps_registrations_and_starts_nothing(app: App) {
    request_access(&app).await;
    let posts = register(&app).await.unwrap();
    runs(&app).await;
    app.remove_access().await.unwrap();
    assert_eq!(app.access_status(), AccessStatus::Unspecified);
    is_suppressed(&app).await;
    assert_eq!(app.all_tasks().await.unwrap()[0].id(), posts.id());
    let error = register(&app).await.unwrap_err();
    assert_eq!(error.code(), Code::AccessNotRequested);
    request_access(&app).await;
    runs(&app).await;
}

// https://learn.microsoft.com/uwp/api/windows.applicationmodel.background.backgroundexecutionmanager.getaccessstatus
fn the_access_status_is_read_without_asking() {
    let home = Home::new();
    say(&home.path(""), "ask");
    home.start("asks_once").succeeds();
}

async fn asks_once(app: App) {
    assert_eq!(app.access_status(), AccessStatus::Unspecified);
    assert_eq!(ASKED.load(Ordering::Relaxed), 0);
    let kind = AccessKind::AlwaysAllowed;
    assert!(app.request_access_kind(kind, "to post").await.unwrap());
    for _ in 0..3 {
        assert_eq!(app.access_status(), AccessStatus::AlwaysAllowed);
        assert!(app.request_access_kind(kind, "to post").await.unwrap());
    }
    assert_eq!(ASKED.load(Ordering::Relaxed), 1);
}

// https://learn.microsoft.com/uwp/api/windows.applicationmodel.background.backgroundexecutionmanager.removeaccess
fn access_is_requested_again_after_an_update() {
    let home = Home::new();
    home.start("is_installed").succeeds();
    home.start("is_updated").succeeds();
}

async fn is_installed(app: App) {
    request_access(&app).await;
    register(&app).await.unwrap();
    runs(&app).await;
}

async fn is_updated(app: App) {
    assert_eq!(app.access_status(), AccessStatus::Unspecified);
    assert_eq!(app.all_tasks().await.unwrap().len(), 1);
    is_suppressed(&app).await;
    request_access(&app).await;
    runs(&app).await;
}

// https://learn.microsoft.com/uwp/api/windows.applicationmodel.background.backgroundaccessstatus
fn what_the_user_denied_is_registered_and_does_not_run() {
    let home = Home::new();
    say(&home.path(""), "deny");
    home.start("is_denied").succeeds();
}

async fn is_denied(app: App) {
    let kind = AccessKind::AllowedSubjectToSystemPolicy;
    let status = app.request_access(kind, "to post").await.unwrap();
    assert_eq!(status, AccessStatus::DeniedByUser);
    register(&app).await.unwrap();
    is_suppressed(&app).await;
    assert_eq!(
        ASKED.load(Ordering::Relaxed),
        0,
        "who answered is not asked"
    );
}
