//! What works here, for every word of the grammar.

use std::fmt;

use bgtask_model::{Host, Predicate, SystemEvent, Trigger, grammar};
use serde::{Deserialize, Serialize};

use super::{
    Here, Verdict, fact,
    process::{argument, host, sleep_lock},
    trigger,
};

/// The version of the report's JSON form; another number is another form.
const VERSION: u64 = 1;

/// How well something works on this machine, while the app runs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "support")]
#[non_exhaustive]
pub enum Support {
    /// As documented: who is asked knows, and tells at once when it changes.
    Guaranteed,
    /// It is registered and works, and something about it is weaker: it is a guess, looked at from
    /// time to time, does not hold for all, or a service that would know is not there at the moment.
    BestEffort {
        /// What is weaker.
        why: String,
    },
    /// A task with it is refused when it is registered, with
    /// [`Code::Unsupported`](crate::Code::Unsupported) and these sentences.
    Unsupported {
        /// What is not here.
        missing: String,
        /// What can be done about it.
        remedy: String,
    },
}

impl Support {
    /// `guaranteed`, `best_effort` or `unsupported`.
    ///
    /// ```
    /// assert_eq!(bgtask::Support::Guaranteed.word(), "guaranteed");
    /// ```
    #[must_use]
    pub const fn word(&self) -> &'static str {
        match self {
            Self::Guaranteed => "guaranteed",
            Self::BestEffort { .. } => "best_effort",
            Self::Unsupported { .. } => "unsupported",
        }
    }
}

impl fmt::Display for Support {
    /// In words: `best effort: it is looked at once a minute`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Guaranteed => f.write_str("guaranteed"),
            Self::BestEffort { why } => write!(f, "best effort: {why}"),
            Self::Unsupported { missing, .. } => write!(f, "unsupported: {missing}"),
        }
    }
}

/// A word of the grammar, and how well what it stands for works here.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Capability {
    /// What it is a word of, as [`grammar::words`](crate::model::grammar::words) has it: `trigger`,
    /// `system` (a change in `system(…)`), `condition`, `argument`, `host`, and what arguments take.
    pub family: String,
    /// The word, `internet`.
    pub word: String,
    /// How well it works.
    #[serde(flatten)]
    pub support: Support,
    /// Who does it or tells of it at the moment, the first that counts first: `NetworkManager`,
    /// `netlink`, `inotify`, `logind`, `sysfs`, `timerfd`; `bgtask` is this library alone. None of
    /// what nobody does.
    pub sources: Vec<String>,
}

/// What works on this machine, for every word of the grammar.
///
/// Made by [`inspect::capabilities`](crate::inspect::capabilities). As JSON it is what
/// `bgtask capabilities --json` prints:
///
/// ```json
/// {
///   "version": 1,
///   "bgtask": "0.1.0",
///   "system": "linux",
///   "capabilities": [
///     { "family": "trigger", "word": "time", "support": "guaranteed", "sources": ["timerfd"] },
///     { "family": "condition", "word": "load_below", "support": "best_effort",
///       "why": "it is looked at every 30 s", "sources": ["/proc/loadavg"] },
///     { "family": "trigger", "word": "voip", "support": "unsupported",
///       "missing": "…", "remedy": "…", "sources": [] }
///   ]
/// }
/// ```
///
/// Within a version of the form more words and keys may come; none goes, and none is given another
/// meaning.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Capabilities {
    /// The version of this form: 1.
    pub version: u64,
    /// The version of this library.
    pub bgtask: String,
    /// The system that this was built for, as [`std::env::consts::OS`] names it.
    pub system: String,
    /// Every word, by family, in the order of the grammar.
    pub capabilities: Vec<Capability>,
}

impl Capabilities {
    /// All words as they are `here`; `sleep_lock` says whether logind gives a lock.
    pub(crate) fn of(here: Here, sleep_lock: &Result<(), String>) -> Self {
        let families = grammar::words().into_iter();
        let all = families.flat_map(|(family, words)| {
            words.into_iter().map(move |word| {
                let (support, sources) = verdict(family, word, here, sleep_lock).tell();
                Capability {
                    family: family.to_owned(),
                    word: word.to_owned(),
                    support,
                    sources,
                }
            })
        });
        Self {
            version: VERSION,
            bgtask: env!("CARGO_PKG_VERSION").to_owned(),
            system: std::env::consts::OS.to_owned(),
            capabilities: all.collect(),
        }
    }

    /// How well a word works: `find("condition", "internet")`.
    #[must_use]
    pub fn find(&self, family: &str, word: &str) -> Option<&Capability> {
        let mut all = self.capabilities.iter();
        all.find(|one| one.family == family && one.word == word)
    }
}

/// The verdict that a registration with this word would be given.
fn verdict(family: &str, word: &str, here: Here, lock: &Result<(), String>) -> Verdict {
    let of_trigger =
        |value: Option<Trigger>, name: &dyn fmt::Display| Some(trigger(&value?, name, here));
    let known = match family {
        // It is as its event is.
        "trigger" if word == "system" => None,
        "trigger" => of_trigger(Trigger::from_word(word), &word),
        "system" => {
            let once = false;
            let event = SystemEvent::from_word(word);
            let name = format!("system({word})");
            of_trigger(event.map(|event| Trigger::System { event, once }), &name)
        }
        "device" => of_trigger(Trigger::from_word("device"), &word),
        "condition" => Predicate::from_word(word).map(|value| fact(&value, here)),
        "host" if word == "process" => Some(host(&Host::Process { group: None }, here)),
        "argument" if word == "network_requested" => Some(sleep_lock(lock.clone())),
        "argument" => Some(argument(word, here)),
        "memory" => Some(argument("memory", here)),
        _ => None,
    };
    // What is left only chooses among what this library does by itself.
    known.unwrap_or(super::OURS)
}
