//! What the files say of an app, and where.

use std::{
    collections::BTreeSet,
    fmt,
    path::{Path, PathBuf},
};

use serde::{Deserialize, Serialize};

use super::file::{Rules, Said};
use crate::Result;

/// Where an administrator's policy is.
const SYSTEM: &str = "/etc/bgtask/access.toml";

/// The name of the user's policy, in the directory of their configuration.
const NAME: &str = "access.toml";

/// What a policy file may answer, the narrowest first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Answer {
    /// The app does no work in the background.
    Deny,
    /// The user is asked when the app requests it.
    Ask,
    /// It does, unless the system saves energy.
    Allow,
    /// It does, also while the system saves energy.
    Always,
}

impl Answer {
    /// All of them, as the files write them.
    pub const ALL: [Self; 4] = [Self::Deny, Self::Ask, Self::Allow, Self::Always];

    /// As the files write it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Deny => "deny",
            Self::Ask => "ask",
            Self::Allow => "allow",
            Self::Always => "always",
        }
    }

    pub(super) fn from_text(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|answer| answer.as_str() == text)
    }
}

impl fmt::Display for Answer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Where the policy files are. They need not exist.
#[derive(Clone, Debug)]
pub struct Files {
    /// The administrator's.
    pub system: PathBuf,
    /// The user's; `None` for a user without a home.
    pub user: Option<PathBuf>,
}

impl Files {
    /// With the user's file in their directory of configuration.
    pub(crate) fn of(config_dir: Option<&Path>) -> Self {
        Self {
            system: PathBuf::from(SYSTEM),
            user: config_dir.map(|dir| dir.join(NAME)),
        }
    }
}

/// The place in a file that gives an answer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Origin {
    /// The file.
    pub file: PathBuf,
    /// Its line, from 1.
    pub line: usize,
    /// It is the administrator's.
    pub system: bool,
}

/// `~/.config/bgtask/access.toml:3`, with the whole path.
impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.file.display(), self.line)
    }
}

/// What the files say of all apps.
///
/// ```
/// use bgtask::access::{Answer, Files, Policy};
///
/// # let dir = std::env::temp_dir().join(format!("bgtask-policy-{}", std::process::id()));
/// # std::fs::create_dir_all(&dir).unwrap();
/// let user = dir.join("access.toml");
/// std::fs::write(&user, "[app.mail]\naccess = \"deny\"\n").unwrap();
/// let files = Files { system: dir.join("absent.toml"), user: Some(user) };
/// let policy = Policy::read(&files).unwrap();
/// assert_eq!(policy.ruling("mail").answer(), Some(Answer::Deny));
/// assert_eq!(policy.ruling("photos").answer(), None);
/// # std::fs::remove_dir_all(dir).unwrap();
/// ```
#[derive(Clone, Debug, Default)]
pub struct Policy {
    system: Rules,
    user: Rules,
}

impl Policy {
    /// Reads the files. One that does not exist says nothing.
    ///
    /// # Errors
    /// [`Code::AccessPolicy`](crate::Code::AccessPolicy): a file cannot be read, is larger than
    /// 64 KiB, or says what is not understood; the message names the file and the line.
    pub fn read(files: &Files) -> Result<Self> {
        Ok(Self {
            system: Rules::read(&files.system, true)?,
            user: match &files.user {
                Some(user) => Rules::read(user, false)?,
                None => Rules::default(),
            },
        })
    }

    /// What they say of an app.
    #[must_use]
    pub fn ruling(&self, app: &str) -> Ruling {
        Ruling {
            system: self.system.access(app).cloned(),
            user: self.user.access(app).cloned(),
        }
    }

    /// Whether a network of which nobody can tell if it is metered counts as unmetered for an app.
    /// The administrator's no stands.
    #[must_use]
    pub fn allows_unknown_metering(&self, app: &str) -> bool {
        let system = self.system.unknown_metering(app);
        let user = self.user.unknown_metering(app);
        system != Some(false) && user.or(system) == Some(true)
    }

    /// The ids that the files name, sorted.
    #[must_use]
    pub fn apps(&self) -> BTreeSet<&str> {
        self.system.apps().chain(self.user.apps()).collect()
    }
}

/// What the files say of one app.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Ruling {
    pub(super) system: Option<Said<Answer>>,
    pub(super) user: Option<Said<Answer>>,
}

impl Ruling {
    /// The answer that counts: the user's, but no wider than the administrator's. `None`: no file
    /// says anything of this app.
    #[must_use]
    pub fn answer(&self) -> Option<Answer> {
        self.counts().map(|said| said.value)
    }

    /// Where it stands.
    #[must_use]
    pub fn origin(&self) -> Option<&Origin> {
        self.counts().map(|said| &said.origin)
    }

    /// What the user's file says although the administrator's narrows it.
    #[must_use]
    pub fn overruled(&self) -> Option<(Answer, &Origin)> {
        let user = self.user.as_ref()?;
        (self.counts() != Some(user)).then_some((user.value, &user.origin))
    }

    /// Whether the user, asked by the app, may say that it always may.
    pub(super) fn may_be_always(&self) -> bool {
        self.system.as_ref().map(|said| said.value) != Some(Answer::Allow)
    }

    fn counts(&self) -> Option<&Said<Answer>> {
        match (&self.system, &self.user) {
            (Some(system), Some(user)) if system.value < user.value => Some(system),
            (system, user) => user.as_ref().or(system.as_ref()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(answer: Option<Answer>, system: bool) -> Option<Said<Answer>> {
        let file = PathBuf::from(if system { "/system" } else { "/user" });
        let line = 2;
        answer.map(|value| Said {
            value,
            origin: Origin { file, line, system },
        })
    }

    #[test]
    fn the_user_narrows_what_the_administrator_says_and_never_widens_it() {
        let all = Answer::ALL.map(Some);
        let all = std::iter::once(None).chain(all);
        for (system, user) in all
            .clone()
            .flat_map(|one| all.clone().map(move |two| (one, two)))
        {
            let ruling = Ruling {
                system: said(system, true),
                user: said(user, false),
            };
            let expected = match (system, user) {
                (Some(system), Some(user)) => Some(system.min(user)),
                (system, user) => system.or(user),
            };
            assert_eq!(ruling.answer(), expected, "{system:?} {user:?}");
            let overruled = matches!((system, user), (Some(system), Some(user)) if user > system);
            assert_eq!(ruling.overruled().is_some(), overruled, "{ruling:?}");
            let by_user = user.is_some() && !overruled;
            let origin = ruling.origin().map(ToString::to_string);
            let place = if by_user { "/user:2" } else { "/system:2" };
            assert_eq!(origin, expected.map(|_| place.to_owned()), "{ruling:?}");
        }
    }

    #[test]
    fn unknown_metering_is_allowed_only_where_it_is_said() {
        let dir = tempfile::tempdir().unwrap();
        let write = |name: &str, text: &str| {
            let path = dir.path().join(name);
            std::fs::write(&path, text).unwrap();
            path
        };
        for (system, user, mail, other) in [
            ("", "", false, false),
            ("", "[default]\nunknown_metering = \"allow\"", true, true),
            ("", "[app.mail]\nunknown_metering = \"allow\"", true, false),
            ("[default]\nunknown_metering = \"allow\"", "", true, true),
            (
                "[default]\nunknown_metering = \"allow\"",
                "[app.mail]\nunknown_metering = \"deny\"",
                false,
                true,
            ),
            (
                "[app.mail]\nunknown_metering = \"deny\"",
                "[default]\nunknown_metering = \"allow\"",
                false,
                true,
            ),
        ] {
            let files = Files {
                system: write("system", system),
                user: Some(write("user", user)),
            };
            let policy = Policy::read(&files).unwrap();
            let found = ["mail", "other"].map(|app| policy.allows_unknown_metering(app));
            assert_eq!(found, [mail, other], "{system} {user}");
        }
    }

    #[test]
    fn the_apps_of_both_files_are_known() {
        let dir = tempfile::tempdir().unwrap();
        let files = Files {
            system: dir.path().join("system"),
            user: Some(dir.path().join("user")),
        };
        assert!(Policy::read(&files).unwrap().apps().is_empty());
        std::fs::write(&files.system, "[app.b]\n[app.c]").unwrap();
        let user = "[app.\"com.a\"]\n[app.b]\naccess = \"deny\"";
        std::fs::write(files.user.as_ref().unwrap(), user).unwrap();
        let policy = Policy::read(&files).unwrap();
        assert_eq!(
            policy.apps().into_iter().collect::<Vec<_>>(),
            ["b", "c", "com.a"]
        );
        let nowhere = Files {
            user: None,
            ..files
        };
        assert_eq!(Policy::read(&nowhere).unwrap().apps().len(), 2);
    }

    #[test]
    fn the_users_file_is_beside_their_other_configuration() {
        let files = Files::of(Some(Path::new("/users/ada/.config/bgtask")));
        let user = files.user.unwrap();
        assert_eq!(user, Path::new("/users/ada/.config/bgtask/access.toml"));
        assert_eq!(files.system, Path::new("/etc/bgtask/access.toml"));
        assert_eq!(Files::of(None).user, None);
    }
}
