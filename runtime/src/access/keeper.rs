//! One app's access while it runs: the files as they were read last, what was granted, and who
//! waits to hear of a change.

use std::{
    fmt,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use futures_util::future::BoxFuture;
use tokio::sync::watch;

use super::{
    AccessKind, AccessStatus, Files, Grant, Policy, Prompt, Prompter, Ruling,
    grant::{self, Applicant},
};
use crate::{Code, Error, Profile, Result, clock::Clock};

/// Where what was granted survives the process: one text.
pub(crate) trait Grants: Send + Sync + fmt::Debug + 'static {
    /// What was kept last.
    fn load(&self) -> BoxFuture<'_, Result<Option<String>>>;

    /// Keeps another one in its place.
    fn save(&self, grant: String) -> BoxFuture<'_, Result<()>>;
}

/// What an app's access depends on.
#[derive(Debug)]
pub(crate) struct Setup {
    pub(crate) app: String,
    pub(crate) version: String,
    pub(crate) profile: Profile,
    pub(crate) files: Files,
    pub(crate) prompter: Arc<dyn Prompter>,
    pub(crate) grants: Arc<dyn Grants>,
    pub(crate) clock: Arc<dyn Clock>,
}

/// The access of one app.
#[derive(Debug)]
pub(crate) struct Access {
    setup: Setup,
    known: Mutex<Known>,
    status: watch::Sender<AccessStatus>,
    unknown_metering: watch::Sender<bool>,
    /// One request at a time: two would ask the user twice.
    turn: tokio::sync::Mutex<()>,
    /// One reading at a time: what an older one found does not take the place of a newer "deny".
    reading: tokio::sync::Mutex<()>,
}

#[derive(Debug)]
struct Known {
    /// The files when they were last understood.
    policy: Option<Policy>,
    /// Why they are not understood now.
    trouble: Option<String>,
    grant: Option<Grant>,
}

impl Access {
    /// Reads the files and what was granted before. A policy that is not understood allows
    /// nothing: it may be a no with a slip of the pen.
    ///
    /// # Errors
    ///
    /// What the store says.
    pub(crate) async fn open(setup: Setup) -> Result<Self> {
        let text = setup.grants.load().await?;
        let grant = text.and_then(|text| match serde_json::from_str(&text) {
            Ok(grant) => Some(grant),
            Err(error) => {
                tracing::warn!(%error, "what was granted is not readable, and is requested anew");
                None
            }
        });
        let known = Known {
            policy: None,
            trouble: None,
            grant,
        };
        let this = Self {
            setup,
            known: Mutex::new(known),
            status: watch::Sender::new(AccessStatus::Unspecified),
            unknown_metering: watch::Sender::new(false),
            turn: tokio::sync::Mutex::default(),
            reading: tokio::sync::Mutex::default(),
        };
        // Its error is kept, and told by `trouble`.
        let _ = this.reread().await;
        Ok(this)
    }

    /// The status now.
    pub(crate) fn status(&self) -> AccessStatus {
        *self.status.borrow()
    }

    /// Told when the status changes.
    pub(crate) fn changes(&self) -> watch::Receiver<AccessStatus> {
        self.status.subscribe()
    }

    /// The status for people, and where it comes from: `denied by the user (/…/access.toml:3)`.
    pub(crate) fn explain(&self) -> String {
        let known = self.known();
        let status = self.status();
        match (&known.trouble, known.ruling(&self.setup.app).origin()) {
            (Some(trouble), _) if known.policy.is_none() => {
                format!("{status}: the policy is not understood: {trouble}")
            }
            (_, Some(origin)) => format!("{status} ({origin})"),
            _ => status.to_string(),
        }
    }

    /// Whether a network of which nobody can tell if it is metered counts as unmetered, now and
    /// after each change.
    pub(crate) fn unknown_metering(&self) -> watch::Receiver<bool> {
        self.unknown_metering.subscribe()
    }

    /// The files, for who listens to their changes.
    pub(crate) fn files(&self) -> &Files {
        &self.setup.files
    }

    /// Reads the files again. While they are not understood, what they said before counts.
    ///
    /// # Errors
    ///
    /// [`Code::AccessPolicy`].
    pub(crate) async fn reread(&self) -> Result<()> {
        let _reading = self.reading.lock().await;
        let files = self.setup.files.clone();
        // They may be on a network's disk.
        let read = tokio::task::spawn_blocking(move || Policy::read(&files)).await;
        let read = read.unwrap_or_else(|error| {
            let rule = "the policy of access was not read";
            Err(Error::new(Code::AccessPolicy, rule).source(error))
        });
        let mut known = self.known();
        let result = match read {
            Ok(policy) => {
                let allowed = policy.allows_unknown_metering(&self.setup.app);
                self.unknown_metering
                    .send_if_modified(|before| std::mem::replace(before, allowed) != allowed);
                known.policy = Some(policy);
                known.trouble = None;
                Ok(())
            }
            Err(error) => {
                tracing::warn!(%error, "the policy of access is not understood");
                known.trouble = Some(error.rule().to_owned());
                Err(error)
            }
        };
        self.tell(known);
        result
    }

    /// Requests access: the files decide, or the user where they leave it open.
    ///
    /// # Errors
    ///
    /// [`Code::AccessPolicy`], and what the store says; nothing is granted then.
    pub(crate) async fn request(&self, kind: AccessKind, reason: &str) -> Result<AccessStatus> {
        let _turn = self.turn.lock().await;
        self.reread().await?;
        let (ruling, before) = {
            let known = self.known();
            (known.ruling(&self.setup.app), known.grant.clone())
        };
        let applicant = self.applicant();
        let mut consent = None;
        if grant::must_ask(&ruling, before.as_ref(), kind, applicant) {
            let prompt = Prompt {
                app: self.setup.app.clone(),
                kind,
                reason: reason.to_owned(),
                policy: ruling.answer(),
            };
            consent = Some(self.setup.prompter.prompt(prompt).await);
        }
        let at = self.setup.clock.now();
        let left = grant::after(&ruling, before.as_ref(), kind, consent, applicant, at);
        if let Some(left) = left {
            self.keep(left).await?;
        }
        Ok(self.status())
    }

    /// Gives access back: nothing runs until it is requested again.
    ///
    /// # Errors
    ///
    /// What the store says; access stays then.
    pub(crate) async fn remove(&self) -> Result<()> {
        let _turn = self.turn.lock().await;
        self.keep(Grant {
            status: AccessStatus::Unspecified,
            kind: AccessKind::AllowedSubjectToSystemPolicy,
            asked: false,
            version: self.setup.version.clone(),
            at: self.setup.clock.now(),
        })
        .await
    }

    /// Kept first, told then.
    async fn keep(&self, grant: Grant) -> Result<()> {
        let text = serde_json::to_string(&grant).map_err(|error| {
            Error::new(Code::Store, "what was granted cannot be written").source(error)
        })?;
        self.setup.grants.save(text).await?;
        let mut known = self.known();
        known.grant = Some(grant);
        self.tell(known);
        Ok(())
    }

    fn applicant(&self) -> Applicant<'_> {
        Applicant {
            profile: self.setup.profile,
            version: &self.setup.version,
        }
    }

    /// Under the lock, so that the last change is told last.
    fn tell(&self, known: MutexGuard<'_, Known>) {
        let status = match &known.policy {
            None => AccessStatus::Unspecified,
            Some(_) => grant::decide(
                &known.ruling(&self.setup.app),
                known.grant.as_ref(),
                self.applicant(),
            ),
        };
        self.status.send_if_modified(|shown| {
            let changed = *shown != status;
            *shown = status;
            changed
        });
    }

    fn known(&self) -> MutexGuard<'_, Known> {
        // No code of others runs under the lock, so what is there is whole.
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Known {
    fn ruling(&self, app: &str) -> Ruling {
        let policy = self.policy.as_ref();
        policy.map(|policy| policy.ruling(app)).unwrap_or_default()
    }
}

#[cfg(test)]
#[path = "keeper_tests.rs"]
mod tests;
