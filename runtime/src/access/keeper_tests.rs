//! Requests against files on the disk, a user that is asked, and a store that keeps.

use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};

use futures_util::FutureExt;
use jiff::Timestamp;
use tempfile::TempDir;
use tokio::sync::{Notify, oneshot};

use super::*;
use crate::{
    access::{Answer, Consent, PromptFuture},
    clock::ManualClock,
};
use AccessKind::{AllowedSubjectToSystemPolicy as Subject, AlwaysAllowed as Always};
use AccessStatus::{
    AllowedSubjectToSystemPolicy as Allowed, AlwaysAllowed, DeniedByUser, Unspecified,
};

/// A store of one text, which can be full.
#[derive(Debug, Default)]
struct Kept {
    text: Mutex<Option<String>>,
    full: AtomicBool,
}

impl Grants for Kept {
    fn load(&self) -> BoxFuture<'_, Result<Option<String>>> {
        let text = self.text.lock().unwrap().clone();
        std::future::ready(Ok(text)).boxed()
    }

    fn save(&self, grant: String) -> BoxFuture<'_, Result<()>> {
        let result = if self.full.load(Ordering::SeqCst) {
            Err(Error::new(Code::StoreFull, "full"))
        } else {
            *self.text.lock().unwrap() = Some(grant);
            Ok(())
        };
        std::future::ready(result).boxed()
    }
}

/// A user who always says the same, and counts.
struct User {
    says: Consent,
    asked: AtomicU32,
}

impl Prompter for User {
    fn prompt(&self, prompt: Prompt) -> PromptFuture<'_> {
        assert_eq!((&*prompt.app, &*prompt.reason), ("mail", "new mail"));
        self.asked.fetch_add(1, Ordering::SeqCst);
        std::future::ready(self.says).boxed()
    }
}

struct Bench {
    dir: TempDir,
    kept: Arc<Kept>,
    user: Arc<User>,
}

impl Bench {
    fn new(says: Consent) -> Self {
        Self {
            dir: tempfile::tempdir().unwrap(),
            kept: Arc::default(),
            user: Arc::new(User {
                says,
                asked: AtomicU32::new(0),
            }),
        }
    }

    fn write(&self, text: &str) {
        std::fs::write(self.dir.path().join("user.toml"), text).unwrap();
    }

    fn says(&self, answer: Answer) {
        self.write(&format!("[app.mail]\naccess = \"{answer}\"\n"));
    }

    async fn open(&self) -> Access {
        self.open_with(self.user.clone()).await
    }

    async fn open_with(&self, prompter: Arc<dyn Prompter>) -> Access {
        let setup = Setup {
            app: "mail".to_owned(),
            version: "1".to_owned(),
            profile: Profile::default(),
            files: Files {
                system: self.dir.path().join("system.toml"),
                user: Some(self.dir.path().join("user.toml")),
            },
            prompter,
            grants: self.kept.clone(),
            clock: Arc::new(ManualClock::new(Timestamp::UNIX_EPOCH)),
        };
        Access::open(setup).await.unwrap()
    }
}

#[tokio::test]
async fn an_answer_survives_the_process_and_is_told() {
    let bench = Bench::new(Consent::Granted);
    bench.says(Answer::Ask);
    let access = bench.open().await;
    let mut changes = access.changes();
    assert_eq!(access.status(), Unspecified);
    assert_eq!(access.request(Subject, "new mail").await.unwrap(), Allowed);
    assert!(changes.has_changed().unwrap());
    assert_eq!(*changes.borrow_and_update(), Allowed);
    access.request(Subject, "new mail").await.unwrap();
    assert!(!changes.has_changed().unwrap(), "nothing changed");
    assert_eq!(bench.user.asked.load(Ordering::SeqCst), 1);

    let again = bench.open().await;
    assert_eq!(again.status(), Allowed);
    again.remove().await.unwrap();
    assert_eq!(again.status(), Unspecified);
    assert_eq!(bench.open().await.status(), Unspecified);
}

#[tokio::test]
async fn a_request_reads_the_files_and_so_does_who_is_told_that_they_changed() {
    let bench = Bench::new(Consent::Granted);
    let access = bench.open().await;
    assert_eq!(access.status(), Allowed);
    bench.says(Answer::Deny);
    assert_eq!(access.status(), Allowed, "reading the status reads no file");
    let got = access.request(Always, "new mail").await.unwrap();
    assert_eq!(got, DeniedByUser);
    let explained = access.explain();
    assert!(explained.starts_with("denied by the user ("), "{explained}");
    assert!(explained.ends_with("user.toml:2)"), "{explained}");
    bench.says(Answer::Always);
    access.reread().await.unwrap();
    assert_eq!(access.status(), AlwaysAllowed);
    assert_eq!(bench.user.asked.load(Ordering::SeqCst), 0);
}

#[tokio::test]
async fn a_policy_that_is_not_understood_allows_nothing_new() {
    let bench = Bench::new(Consent::Granted);
    bench.write("[app.mail]\nacess = \"deny\"\n");
    let access = bench.open().await;
    assert_eq!(access.status(), Unspecified);
    let explained = access.explain();
    assert!(explained.contains("unknown key `acess`"), "{explained}");
    let error = access.request(Always, "new mail").await.unwrap_err();
    assert_eq!(error.code(), Code::AccessPolicy);
    assert_eq!(access.status(), Unspecified);
    assert_eq!(bench.user.asked.load(Ordering::SeqCst), 0);

    // Once understood, it counts until it is understood again.
    bench.says(Answer::Always);
    access.reread().await.unwrap();
    assert_eq!(access.status(), AlwaysAllowed);
    bench.write("nonsense");
    assert_eq!(
        access.reread().await.unwrap_err().code(),
        Code::AccessPolicy
    );
    assert_eq!(access.status(), AlwaysAllowed);
    assert!(access.request(Subject, "new mail").await.is_err());
}

#[tokio::test]
async fn what_could_not_be_kept_is_not_granted() {
    let bench = Bench::new(Consent::Granted);
    bench.says(Answer::Ask);
    let access = bench.open().await;
    bench.kept.full.store(true, Ordering::SeqCst);
    let error = access.request(Subject, "new mail").await.unwrap_err();
    assert_eq!(error.code(), Code::StoreFull);
    assert_eq!(access.status(), Unspecified);
    bench.kept.full.store(false, Ordering::SeqCst);
    assert_eq!(access.request(Subject, "new mail").await.unwrap(), Allowed);
    bench.kept.full.store(true, Ordering::SeqCst);
    assert!(access.remove().await.is_err());
    assert_eq!(access.status(), Allowed);
}

#[tokio::test]
async fn without_a_prompter_nothing_is_granted_that_no_file_grants() {
    let bench = Bench::new(Consent::Granted);
    let access = bench.open_with(Arc::new(crate::access::Unasked)).await;
    assert_eq!(access.request(Always, "new mail").await.unwrap(), Allowed);
    bench.says(Answer::Ask);
    let got = access.request(Subject, "new mail").await.unwrap();
    assert_eq!(got, Unspecified);
    // And when there is somebody to ask, they are asked.
    let access = bench.open().await;
    assert_eq!(access.request(Subject, "new mail").await.unwrap(), Allowed);
}

#[tokio::test]
async fn a_grant_that_is_not_readable_is_none() {
    let bench = Bench::new(Consent::Refused);
    bench.says(Answer::Ask);
    *bench.kept.text.lock().unwrap() = Some("{\"status\":\"whatever\"}".to_owned());
    let access = bench.open().await;
    assert_eq!(access.status(), Unspecified);
    let got = access.request(Subject, "new mail").await.unwrap();
    assert_eq!(got, DeniedByUser);
}

#[tokio::test]
async fn unknown_metering_is_as_the_files_say() {
    let bench = Bench::new(Consent::Granted);
    let access = bench.open().await;
    assert!(!*access.unknown_metering().borrow());
    bench.write("[default]\nunknown_metering = \"allow\"\n");
    access.reread().await.unwrap();
    assert!(*access.unknown_metering().borrow());
}

/// A user who takes their time, and can be asked once.
struct Slow {
    asked: Arc<Notify>,
    answer: Mutex<Option<oneshot::Receiver<Consent>>>,
}

impl Prompter for Slow {
    fn prompt(&self, _: Prompt) -> PromptFuture<'_> {
        let answer = self.answer.lock().unwrap().take().expect("asked once");
        self.asked.notify_one();
        async move { answer.await.unwrap() }.boxed()
    }
}

#[tokio::test]
async fn two_requests_ask_the_user_once() {
    let bench = Bench::new(Consent::Granted);
    bench.says(Answer::Ask);
    let (answer, answered) = oneshot::channel();
    let asked = Arc::new(Notify::new());
    let user = Slow {
        asked: asked.clone(),
        answer: Mutex::new(Some(answered)),
    };
    let access = bench.open_with(Arc::new(user)).await;
    let first = access.request(Subject, "a");
    let second = async {
        asked.notified().await;
        access.request(Subject, "b").await
    };
    let answering = async {
        // As often as the second one needs to come to its question, and more.
        for _ in 0..50 {
            access.reread().await.unwrap();
        }
        answer.send(Consent::Granted).unwrap();
    };
    let (one, two, ()) = tokio::join!(first, second, answering);
    assert_eq!((one.unwrap(), two.unwrap()), (Allowed, Allowed));
}
