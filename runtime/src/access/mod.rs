//! Whether the user lets an app work in the background.
//!
//! The user says so in a file, which is theirs to edit: `access.toml` in `$BGTASK_CONFIG_DIR`,
//! `$XDG_CONFIG_HOME/bgtask` or `~/.config/bgtask`. `bgtask access` shows it and writes it.
//!
//! ```toml
//! [default]
//! access = "allow"
//!
//! [app."com.example.mail"]
//! access = "always"          # also while the system saves energy
//! unknown_metering = "allow" # a network that nobody can judge counts as unmetered
//! ```
//!
//! What stands under an app's id counts before what stands under `default`. An administrator says
//! the same in `/etc/bgtask/access.toml`: the user's answer can narrow that, and not widen it.
//!
//! | `access` | status |
//! |---|---|
//! | `"deny"` | [`DeniedByUser`](AccessStatus::DeniedByUser), or [`DeniedBySystemPolicy`](AccessStatus::DeniedBySystemPolicy) when the administrator says so |
//! | `"ask"` | what the user answers to the app's [`Prompter`]; [`Unspecified`](AccessStatus::Unspecified) until then |
//! | `"allow"` | [`AllowedSubjectToSystemPolicy`](AccessStatus::AllowedSubjectToSystemPolicy) |
//! | `"always"` | [`AlwaysAllowed`](AccessStatus::AlwaysAllowed) |
//!
//! Where nothing is said, an app is allowed. A policy file that is not understood allows nothing to
//! an app that starts; one that runs keeps what the file said before. The log, `bgtask access` and
//! `bgtask why` name the line.
//!
//! Windows: [`BackgroundExecutionManager`](https://learn.microsoft.com/uwp/api/windows.applicationmodel.background.backgroundexecutionmanager),
//! and the user's choice per app in the settings.

mod file;
mod grant;
mod keeper;
mod policy;
mod prompter;
mod status;
mod watch;

pub(crate) use grant::Grant;
pub(crate) use keeper::{Access, Grants, Setup};
pub use policy::{Answer, Files, Origin, Policy, Ruling};
pub(crate) use prompter::Unasked;
pub use prompter::{Consent, Prompt, PromptFuture, Prompter};
pub use status::{AccessKind, AccessStatus};
