//! `bgtask access`: which apps may work in the background, who says so, and saying so.

mod edit;

use bgtask::{
    Code, Error,
    access::{Answer, Origin, Policy, Ruling},
    inspect,
};
use serde_json::{Value, json};

use crate::output::{Done, print, print_json, table, tell};

/// Shows which apps may work in the background, or says it of one
///
/// The answer stands in `access.toml`, which may be edited by hand. A running app hears of it.
#[derive(Debug, clap::Args)]
pub(crate) struct Access {
    /// The app's id; all apps without it
    app: Option<String>,
    /// What counts for it from now on
    #[arg(value_enum)]
    answer: Option<Word>,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

/// What can be said.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
enum Word {
    /// It may, unless the system saves energy
    Allow,
    /// It may, also while the system saves energy
    Always,
    /// It may not
    Deny,
    /// The user is asked when the app requests it
    Ask,
    /// Nothing: what the default says counts
    Unset,
}

impl Word {
    fn answer(self) -> Option<Answer> {
        match self {
            Self::Allow => Some(Answer::Allow),
            Self::Always => Some(Answer::Always),
            Self::Deny => Some(Answer::Deny),
            Self::Ask => Some(Answer::Ask),
            Self::Unset => None,
        }
    }
}

impl Access {
    pub(crate) fn run(self) -> Done {
        let files = inspect::access_files();
        let known = inspect::apps()?;
        if let Some(app) = &self.app {
            if self.answer.is_none() && is_word(app) && !known.contains(app) {
                return Err(Error::new(Code::AccessPolicy, "no app is named")
                    .remedy(format!("write `bgtask access APP {app}`"))
                    .into());
            }
            if let Some(word) = self.answer {
                // What is not understood is not written over.
                Policy::read(&files)?;
                let user = files.user.as_deref().ok_or_else(|| {
                    Error::new(
                        Code::AccessPolicy,
                        "there is no directory for the user's policy",
                    )
                    .remedy("set HOME, XDG_CONFIG_HOME or BGTASK_CONFIG_DIR")
                })?;
                edit::write(user, app, word.answer())?;
            }
        }
        let policy = Policy::read(&files)?;
        let apps: Vec<String> = match self.app {
            Some(app) => {
                if !known.contains(&app) {
                    tell(format_args!(
                        "note: no app `{app}` runs, and none has left a store"
                    ));
                }
                vec![app]
            }
            None => {
                let mut apps = policy.apps();
                apps.extend(known.iter().map(String::as_str));
                apps.into_iter().map(str::to_owned).collect()
            }
        };
        if self.json {
            let apps: Vec<Value> = apps.iter().map(|app| as_json(&policy, app)).collect();
            return print_json(&json!({
                "files": { "system": files.system, "user": files.user },
                "apps": apps,
            }));
        }
        if apps.is_empty() {
            return print("no app runs, none has left a store, and no policy names one");
        }
        print(human(&policy, &apps))
    }
}

fn is_word(text: &str) -> bool {
    text == "unset" || Answer::ALL.iter().any(|answer| answer.as_str() == text)
}

/// What counts where nothing is said.
const UNSAID: Answer = Answer::Allow;

fn human(policy: &Policy, apps: &[String]) -> String {
    let mut rows = vec![["APP", "ACCESS", "FROM"].map(str::to_owned)];
    rows.extend(apps.iter().map(|app| {
        let ruling = policy.ruling(app);
        let answer = ruling.answer().unwrap_or(UNSAID);
        [app.clone(), answer.to_string(), from(&ruling)]
    }));
    table(&rows)
}

fn from(ruling: &Ruling) -> String {
    let place = match ruling.origin() {
        Some(origin) => origin.to_string(),
        None => return "nothing says otherwise".to_owned(),
    };
    match ruling.overruled() {
        Some((answer, user)) => format!("{place}, which `{answer}` at {user} cannot widen"),
        None => place,
    }
}

fn as_json(policy: &Policy, app: &str) -> Value {
    let ruling = policy.ruling(app);
    let place = |origin: &Origin| json!(origin);
    let overruled = ruling.overruled().map(|(answer, origin)| {
        let from = place(origin);
        json!({ "access": answer, "from": from })
    });
    json!({
        "app": app,
        "access": ruling.answer().unwrap_or(UNSAID),
        "from": ruling.origin().map(place),
        "overruled": overruled,
        "unknown_metering": if policy.allows_unknown_metering(app) { "allow" } else { "deny" },
    })
}

#[cfg(test)]
mod tests {
    use bgtask::access::Files;

    use super::*;

    #[test]
    fn what_the_administrator_narrows_is_shown_with_both_places() {
        let dir = tempfile::tempdir().unwrap();
        let files = Files {
            system: dir.path().join("system"),
            user: Some(dir.path().join("user")),
        };
        std::fs::write(&files.system, "[default]\naccess = \"ask\"").unwrap();
        let user = "\n[app.mail]\naccess = \"always\"\n[app.photos]\naccess = \"deny\"";
        std::fs::write(dir.path().join("user"), user).unwrap();
        let policy = Policy::read(&files).unwrap();
        let apps = ["mail", "notes", "photos"].map(str::to_owned);
        let place = dir.path().display().to_string();
        let expected = "APP     ACCESS  FROM\n\
             mail    ask     {}/system:2, which `always` at {}/user:3 cannot widen\n\
             notes   ask     {}/system:2\n\
             photos  deny    {}/user:5";
        assert_eq!(human(&policy, &apps), expected.replace("{}", &place));
        let shown = as_json(&policy, "mail");
        assert_eq!(shown["access"], "ask");
        assert_eq!(shown["from"]["system"], true);
        assert_eq!(shown["overruled"]["access"], "always");
        assert_eq!(shown["overruled"]["from"]["line"], 3);
    }

    #[test]
    fn every_answer_has_its_word() {
        use clap::ValueEnum;
        let words = Word::value_variants().iter().map(|word| word.answer());
        let answers: Vec<Answer> = words.flatten().collect();
        assert_eq!(answers.len(), Answer::ALL.len());
        for answer in Answer::ALL {
            let word = Word::from_str(answer.as_str(), false).unwrap();
            assert_eq!(word.answer(), Some(answer));
            assert!(is_word(answer.as_str()));
        }
        assert!(is_word("unset") && !is_word("mail"));
    }
}
