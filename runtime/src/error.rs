//! The runtime's one error type.

use std::fmt;

use bgtask_model::Mistake;

/// What kind of thing went wrong. The text form of a code is stable; match on it rather than on
/// messages.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Code {
    /// The declaration asks for something this system or this version cannot do.
    Unsupported,
    /// The declaration breaks a rule of the grammar.
    InvalidDeclaration,
    /// Two tasks have the same name.
    DuplicateName,
    /// Several registrations have the name; an id says which.
    Ambiguous,
    /// The app has as many registrations with this trigger as it may have.
    TriggerLimitExceeded,
    /// No task of that name is linked into this program.
    UnknownTask,
    /// A task takes `State<T>` but `setup` set no `T`.
    MissingState,
    /// The function given to `setup` failed.
    Setup,
    /// The arguments do not fit what the task takes.
    BadArguments,
    /// Arguments are larger than the app allows, or it allows more than can be handed over.
    TooLarge,
    /// The result does not fit the type asked for.
    BadResult,
    /// Another process is the broker of this app.
    SecondBroker,
    /// There is no directory to keep the store in.
    NoStateDirectory,
    /// The directory of the store or the socket cannot be used.
    Directory,
    /// The store's file is damaged.
    StoreCorrupt,
    /// The store's file was written by a newer version.
    StoreNewer,
    /// The disk is full.
    StoreFull,
    /// The store cannot be used for another reason.
    Store,
    /// The manifest of an executable or a file cannot be read, or does not fit the program.
    Manifest,
    /// The running broker cannot be reached, or did not understand.
    Control,
    /// A request could not be written into an outbox, or none is declared.
    Outbox,
    /// A process of the app could not be started or talked to.
    Host,
    /// No run and no activation has that id, or several have it.
    UnknownRun,
    /// Under Windows' rules: access has to be requested before anything is registered.
    AccessNotRequested,
    /// The trigger does not start a task in this kind of host.
    HostModelUnsupported,
    /// A request was not accepted: nothing runs for it. The message says why.
    NotAccepted,
    /// The run has ended; the message says how.
    RunEnded,
    /// The app is closing.
    Closing,
    /// No device of that id is there.
    UnknownDevice,
    /// As much waits as is kept: nothing was accepted.
    QueueFull,
    /// A policy file of access cannot be read, or says what is not understood.
    AccessPolicy,
}

impl Code {
    /// The stable text, as `bgtask` prints it and JSON output holds it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Unsupported => "unsupported",
            Self::InvalidDeclaration => "invalid-declaration",
            Self::DuplicateName => "duplicate-name",
            Self::Ambiguous => "ambiguous",
            Self::TriggerLimitExceeded => "trigger-limit-exceeded",
            Self::UnknownTask => "unknown-task",
            Self::MissingState => "missing-state",
            Self::Setup => "setup",
            Self::BadArguments => "bad-arguments",
            Self::TooLarge => "too-large",
            Self::BadResult => "bad-result",
            Self::SecondBroker => "second-broker",
            Self::NoStateDirectory => "no-state-directory",
            Self::Directory => "directory",
            Self::StoreCorrupt => "store-corrupt",
            Self::StoreNewer => "store-newer",
            Self::StoreFull => "store-full",
            Self::Store => "store",
            Self::Manifest => "manifest",
            Self::Control => "control",
            Self::Outbox => "outbox",
            Self::Host => "host",
            Self::UnknownRun => "unknown-run",
            Self::AccessNotRequested => "access-not-requested",
            Self::HostModelUnsupported => "host-model-unsupported",
            Self::NotAccepted => "not-accepted",
            Self::RunEnded => "run-ended",
            Self::Closing => "closing",
            Self::UnknownDevice => "unknown-device",
            Self::QueueFull => "queue-full",
            Self::AccessPolicy => "access-policy",
        }
    }
}

/// What went wrong, for which task, and what to do about it.
///
/// ```
/// use bgtask::{Code, Error};
///
/// let error = Error::new(Code::UnknownTask, "no task of that name is linked into this program")
///     .task("sync_mail")
///     .remedy("`bgtask list` shows the names");
/// assert_eq!(error.code(), Code::UnknownTask);
/// assert_eq!(
///     error.to_string(),
///     "`sync_mail`: no task of that name is linked into this program [unknown-task]\n  help: `bgtask list` shows the names",
/// );
/// ```
pub struct Error(Box<Inner>);

struct Inner {
    code: Code,
    task: Option<String>,
    rule: String,
    remedy: Option<String>,
    source: Option<Box<dyn std::error::Error + Send + Sync>>,
}

/// A result of the runtime.
pub type Result<T, E = Error> = std::result::Result<T, E>;

impl Error {
    /// An error of this kind; `rule` says what was expected and did not hold.
    #[must_use]
    pub fn new(code: Code, rule: impl Into<String>) -> Self {
        Self(Box::new(Inner {
            code,
            task: None,
            rule: rule.into(),
            remedy: None,
            source: None,
        }))
    }

    /// The same, with the cause as a part of its sentence.
    pub(crate) fn again(&self) -> Self {
        let rule = match &self.0.source {
            Some(source) => format!("{}: {source}", self.0.rule),
            None => self.0.rule.clone(),
        };
        Self(Box::new(Inner {
            code: self.0.code,
            task: self.0.task.clone(),
            rule,
            remedy: self.0.remedy.clone(),
            source: None,
        }))
    }

    /// A mistake of the grammar in what is said of a task.
    pub(crate) fn mistake(task: &str, mistake: &Mistake) -> Self {
        let rule = match &mistake.argument {
            Some(argument) => format!("{argument}: {}", mistake.rule.message),
            None => mistake.rule.message.to_string(),
        };
        let code = match mistake.rule.code {
            "host_of_trigger" => Code::HostModelUnsupported,
            _ => Code::InvalidDeclaration,
        };
        let error = Self::new(code, rule).task(task);
        match &mistake.rule.help {
            Some(help) => error.remedy(help.to_string()),
            None => error,
        }
    }

    /// Several errors as one: its code is that of the first. None at all is not an error, and not
    /// asked for.
    pub(crate) fn all(errors: Vec<Self>) -> Self {
        let mut errors = errors;
        if errors.len() == 1 {
            return errors.remove(0);
        }
        let joined = |part: fn(&Self) -> Option<&str>| {
            let mut parts: Vec<&str> = errors.iter().filter_map(part).collect();
            parts.dedup();
            parts.join("; ")
        };
        let code = errors.first().map_or(Code::InvalidDeclaration, Self::code);
        let all = Self::new(code, joined(|error| Some(error.rule())));
        let all = match errors.first().and_then(Self::task_name) {
            Some(task) => all.task(task),
            None => all,
        };
        match joined(Self::help) {
            helps if helps.is_empty() => all,
            helps => all.remedy(helps),
        }
    }

    /// The rule and the remedy in the text of an error, without its name and code; all of a text
    /// that is not an error's.
    pub(crate) fn parts(text: &str) -> (&str, Option<&str>) {
        let (said, remedy) = match text.split_once("\n  help: ") {
            Some((said, remedy)) => (said, Some(remedy)),
            None => (text, None),
        };
        let named = said
            .strip_prefix('`')
            .and_then(|rest| rest.split_once("`: "));
        match said
            .strip_suffix(']')
            .and_then(|said| said.rsplit_once(" ["))
        {
            Some((rule, _)) => {
                let rule = named.map_or(rule, |(name, _)| &rule[name.len() + 4..]);
                (rule, remedy)
            }
            None => (text, None),
        }
    }

    /// The app takes nothing new.
    pub(crate) fn closing() -> Self {
        Self::new(Code::Closing, "the app is closing and takes nothing new")
            .remedy("what was accepted before is kept for the next start")
    }

    /// Names the task.
    #[must_use]
    pub fn task(mut self, name: impl Into<String>) -> Self {
        self.0.task = Some(name.into());
        self
    }

    /// Says what to do.
    #[must_use]
    pub fn remedy(mut self, remedy: impl Into<String>) -> Self {
        self.0.remedy = Some(remedy.into());
        self
    }

    /// Keeps the cause.
    #[must_use]
    pub fn source(mut self, source: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Self {
        self.0.source = Some(source.into());
        self
    }

    /// What kind of thing went wrong.
    #[must_use]
    pub fn code(&self) -> Code {
        self.0.code
    }

    /// The task it concerns.
    #[must_use]
    pub fn task_name(&self) -> Option<&str> {
        self.0.task.as_deref()
    }

    /// The rule that did not hold.
    #[must_use]
    pub fn rule(&self) -> &str {
        &self.0.rule
    }

    /// What to do about it.
    #[must_use]
    pub fn help(&self) -> Option<&str> {
        self.0.remedy.as_deref()
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(task) = &self.0.task {
            write!(f, "`{task}`: ")?;
        }
        write!(f, "{}", self.0.rule)?;
        if let Some(source) = &self.0.source {
            write!(f, ": {source}")?;
        }
        write!(f, " [{}]", self.0.code.as_str())?;
        if let Some(remedy) = &self.0.remedy {
            write!(f, "\n  help: {remedy}")?;
        }
        Ok(())
    }
}

/// As `Display`: a `main` that returns the error shows it to people.
impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        self.0.source.as_ref().map(|s| &**s as _)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_text_of_an_error_has_its_rule_and_its_remedy() {
        let plain = Error::new(Code::Unsupported, "it has no source [yet]");
        let named = plain.again().task("app::sync");
        let helped = named.again().remedy("wait\nfor it");
        let rule = "it has no source [yet]";
        assert_eq!(Error::parts(&plain.to_string()), (rule, None));
        assert_eq!(Error::parts(&named.to_string()), (rule, None));
        let help = Some("wait\nfor it");
        assert_eq!(Error::parts(&helped.to_string()), (rule, help));
        // Of no task, but with a word in backticks at its beginning.
        let quoted = Error::new(Code::Unsupported, "`unmetered` is not known");
        let text = quoted.to_string();
        assert_eq!(Error::parts(&text), ("`unmetered` is not known", None));
        let other = "`a`: nobody can say";
        assert_eq!(Error::parts(other), (other, None));
    }
}
