//! What the user allows the app, in the policy file and when they are asked.

use std::{fs, path::Path};

use bgtask::{
    AccessKind, AccessStatus, App, EventKind, RequestOutcome, Suppression,
    access::{Consent, Prompt, PromptFuture, Prompter},
    prelude::*,
};
use libtest_mimic::Trial;

use crate::{
    event,
    harness::{self, Home},
    trial,
};

#[background_task(name = "sort the post", trigger = custom("post"))]
async fn sort_the_post() {}

#[background_task(name = "fetch the post", trigger = application)]
async fn fetch_the_post() {}

/// A user who grants everything.
pub(crate) struct Granting;

impl Prompter for Granting {
    fn prompt(&self, prompt: Prompt) -> PromptFuture<'_> {
        assert_eq!(prompt.app, harness::APP);
        assert_eq!(prompt.reason, "the post comes at night");
        Box::pin(std::future::ready(Consent::Granted))
    }
}

/// The user's answer to all apps.
pub(crate) fn say(home: &Path, answer: &str) {
    let dir = home.join("config/bgtask");
    fs::create_dir_all(&dir).unwrap();
    let text = format!("[default]\naccess = \"{answer}\"\n");
    fs::write(dir.join("access.toml"), text).unwrap();
}

pub(crate) fn trials() -> Vec<Trial> {
    vec![
        trial("what_the_user_grants_runs_until_it_is_given_back", || {
            let home = Home::new();
            say(&home.path(""), "ask");
            home.start("requests_what_the_user_grants").succeeds();
            home.start("has_given_access_back").succeeds();
        }),
        trial("what_the_user_denies_does_not_run", || {
            let home = Home::new();
            say(&home.path(""), "deny");
            home.start("is_denied").succeeds();
        }),
        trial("a_running_app_hears_of_the_users_answer", || {
            let home = Home::new();
            let mut app = home.start("is_denied_while_it_runs");
            app.line("held");
            say(&home.path(""), "allow");
            app.succeeds();
        }),
    ]
}

/// Raises the event, and says why it made nothing run; `None`: it did.
async fn raised(app: &App) -> Option<Suppression> {
    let mut events = app.events();
    app.raise("post", ()).await.unwrap();
    event(&mut events, |event| match &event.kind {
        _ if event.task != "sort the post" => None,
        EventKind::Ended { .. } => Some(None),
        EventKind::Suppressed { why, .. } => Some(Some(why.clone())),
        _ => None,
    })
    .await
}

async fn is_denied(app: &App) {
    assert_eq!(raised(app).await, Some(Suppression::Denied));
    let requested = app.task::<fetch_the_post>().request(()).await.unwrap();
    assert!(matches!(requested, RequestOutcome::DisabledByPolicy));
    let why = app.why("sort the post").await.unwrap().to_string();
    assert!(why.contains("access was denied"), "{why}");
}

pub(crate) async fn play(app: &App, name: &str) -> bool {
    match name {
        "requests_what_the_user_grants" => {
            assert_eq!(app.access_status(), AccessStatus::Unspecified);
            is_denied(app).await;
            let kind = AccessKind::AlwaysAllowed;
            let reason = "the post comes at night";
            assert!(app.request_access_kind(kind, reason).await.unwrap());
            // At once, without waiting until the broker has heard of it.
            assert_eq!(raised(app).await, None);
            app.remove_access().await.unwrap();
            is_denied(app).await;
        }
        "has_given_access_back" => {
            assert_eq!(app.access_status(), AccessStatus::Unspecified);
            is_denied(app).await;
        }
        "is_denied" => {
            assert_eq!(app.access_status(), AccessStatus::DeniedByUser);
            let kind = AccessKind::AllowedSubjectToSystemPolicy;
            let status = app.request_access(kind, "please").await.unwrap();
            assert_eq!(status, AccessStatus::DeniedByUser);
            is_denied(app).await;
        }
        "is_denied_while_it_runs" => {
            let mut events = app.events();
            say(&harness::home(), "deny");
            let kind = AccessKind::AllowedSubjectToSystemPolicy;
            let status = app.request_access(kind, "please").await.unwrap();
            assert_eq!(status, AccessStatus::DeniedByUser);
            // What is fired by hand is kept, and held.
            app.fire("sort the post", None).await.unwrap();
            let why = crate::held(&mut events, "sort the post").await;
            assert!(why.contains("denied by the user"), "{why}");
            assert!(why.contains("access.toml:2"), "{why}");
            println!("held");
            let ended =
                |event: &bgtask::Event| matches!(event.kind, EventKind::Ended { .. }).then_some(());
            event(&mut events, ended).await;
            assert!(app.access_status().is_allowed());
        }
        _ => return false,
    }
    true
}
