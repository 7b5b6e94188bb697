//! Asking the user.

use std::{fmt, future::Future, pin::Pin};

use super::{AccessKind, Answer};

/// What the user is to be asked.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Prompt {
    /// The app's id.
    pub app: String,
    /// What it asks for.
    pub kind: AccessKind,
    /// Why, in the app's words.
    pub reason: String,
    /// What the policy files say: [`Answer::Ask`], or nothing.
    pub policy: Option<Answer>,
}

/// What came of asking.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Consent {
    /// The user said yes.
    Granted,
    /// The user said no. They are not asked the same again before the app gave its access back, or
    /// under [`Profile::Windows`](crate::Profile::Windows) was updated.
    Refused,
    /// Nobody could be asked: that is no answer, and nothing is recorded.
    NotAsked,
}

/// The future of a [`Prompter`].
pub type PromptFuture<'p> = Pin<Box<dyn Future<Output = Consent> + Send + 'p>>;

/// Asks the user whether the app may work in the background: a dialog of the app, set with
/// [`AppBuilder::prompter`](crate::AppBuilder::prompter).
///
/// It is asked only where the policy files leave it open: they say `ask`, or they say nothing and
/// the app wants [`AccessKind::AlwaysAllowed`]. Without one nobody is asked, and what was left open
/// is not granted. One request is under way at a time; it takes as long as the user.
///
/// Windows shows its own dialog in
/// [`RequestAccessKindAsync`](https://learn.microsoft.com/uwp/api/windows.applicationmodel.background.backgroundexecutionmanager.requestaccesskindasync).
///
/// ```
/// use bgtask::access::{Consent, Prompt, PromptFuture, Prompter};
///
/// struct Dialog;
///
/// impl Prompter for Dialog {
///     fn prompt(&self, prompt: Prompt) -> PromptFuture<'_> {
///         Box::pin(async move {
///             println!("{} wants to work in the background: {}", prompt.app, prompt.reason);
///             Consent::NotAsked // … until there is a button to press
///         })
///     }
/// }
/// # let _ = bgtask::AppBuilder::new("demo").prompter(Dialog);
/// ```
pub trait Prompter: Send + Sync + 'static {
    /// Asks the user, and waits for the answer.
    fn prompt(&self, prompt: Prompt) -> PromptFuture<'_>;
}

impl fmt::Debug for dyn Prompter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Prompter")
    }
}

/// Asks nobody: the policy files have the last word.
#[derive(Debug)]
pub(crate) struct Unasked;

impl Prompter for Unasked {
    fn prompt(&self, prompt: Prompt) -> PromptFuture<'_> {
        tracing::warn!(
            app = prompt.app,
            kind = ?prompt.kind,
            "access is left open by the policy files, and the app cannot ask its user: \
             `bgtask access` decides"
        );
        Box::pin(std::future::ready(Consent::NotAsked))
    }
}
