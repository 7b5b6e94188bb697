//! The text forms: `Display` writes what the grammar reads, and `FromStr` reads it back.
//!
//! Each is canonical: one value has one text. A value that breaks a rule of the grammar, made by
//! hand, has a text too, which is then refused when it is read.

use std::fmt;
use std::ops::Range;
use std::str::FromStr;
use std::time::Duration;

use crate::grammar::{MEMORY_UNITS, Mistake, Scope, Source, Token, TokenKind, quote, tokenize};
use crate::word::{
    CHANGES, CONDITIONS, DELIVERIES, EVENTS, MISSED, OVERLAPS, OVERRUNS, PENDINGS, TRIGGERS,
};
use crate::{
    Backoff, Condition, Delivery, DeviceChange, Host, Missed, OnOverrun, Overlap, Pending,
    Predicate, Retry, Sandbox, SystemEvent, TimeOfDay, Trigger,
};

/// A text that the grammar does not read: every mistake in it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ParseError {
    /// The text.
    pub text: String,
    /// What is wrong with it, ordered by place; never empty.
    pub mistakes: Vec<Mistake>,
}

impl fmt::Display for ParseError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, mistake) in self.mistakes.iter().enumerate() {
            if index > 0 {
                f.write_str("\n")?;
            }
            write!(f, "{mistake}")?;
        }
        Ok(())
    }
}

impl std::error::Error for ParseError {}

fn parse<T>(
    text: &str,
    read: impl FnOnce(&mut Scope, &[Token], &Range<usize>) -> Option<T>,
) -> Result<T, ParseError> {
    let mut scope = Scope::new(Source::Text, Vec::new());
    let value = match tokenize(text) {
        Ok(tokens) => read(&mut scope, &tokens, &(0..text.len())),
        Err(mistake) => {
            scope.mistakes.push(mistake);
            None
        }
    };
    match value {
        Some(value) if scope.mistakes.is_empty() => Ok(value),
        _ => {
            scope.mistakes.sort_by_key(|mistake| mistake.at.start);
            Err(ParseError {
                text: text.to_owned(),
                mistakes: scope.mistakes,
            })
        }
    }
}

macro_rules! from_text {
    ($($type:ty: $read:ident, $what:literal;)+) => {$(
        impl FromStr for $type {
            type Err = ParseError;

            #[doc = concat!("Reads ", $what, " by the rules of the attribute.")]
            fn from_str(text: &str) -> Result<Self, ParseError> {
                parse(text, Scope::$read)
            }
        }
    )+};
}

from_text! {
    Trigger: trigger, "a trigger";
    Host: host, "a host";
    SystemEvent: system_event, "a change of the system";
    Retry: retry, "the value of `retry`";
    Backoff: backoff, "the wait before a retry";
    Overlap: overlap, "the value of `overlap`";
    Pending: pending, "the value of `pending`";
    Missed: missed, "the value of `missed`";
    Delivery: delivery, "the value of `delivery`";
    OnOverrun: on_overrun, "the value of `on_overrun`";
    Sandbox: sandbox, "the value of `sandbox`";
    DeviceChange: change, "a change of a device";
}

impl FromStr for Condition {
    type Err = ParseError;

    /// Reads a condition by the rules of the attribute.
    fn from_str(text: &str) -> Result<Self, ParseError> {
        parse(text, |scope, tokens, at| {
            let placed = scope.condition(tokens, at)?;
            scope.mistakes.extend(placed.contradiction());
            placed.condition()
        })
    }
}

impl FromStr for TimeOfDay {
    type Err = ParseError;

    /// Reads `02:30` or `02:30:15`.
    fn from_str(text: &str) -> Result<Self, ParseError> {
        let mut scope = Scope::new(Source::Text, Vec::new());
        let token = Token::new(TokenKind::Text, text, 0..text.len());
        scope
            .time_of_day(&[token], &(0..text.len()))
            .ok_or_else(|| ParseError {
                text: text.to_owned(),
                mistakes: scope.mistakes,
            })
    }
}

impl SystemEvent {
    /// Every change, in the order of Windows' documentation.
    pub fn all() -> impl Iterator<Item = Self> {
        EVENTS.words().filter_map(Self::from_word)
    }

    /// Its word in the grammar.
    ///
    /// ```
    /// use bgtask_model::SystemEvent;
    ///
    /// assert_eq!(SystemEvent::UserAway.word(), "user_away");
    /// assert_eq!(SystemEvent::from_word("user_away"), Some(SystemEvent::UserAway));
    /// ```
    #[must_use]
    pub fn word(self) -> &'static str {
        EVENTS.word(&self)
    }

    /// The change that a word names.
    #[must_use]
    pub fn from_word(word: &str) -> Option<Self> {
        EVENTS.value(word).copied()
    }
}

impl Trigger {
    /// Its word in the grammar, `time` of `time(15)`.
    #[must_use]
    pub fn word(&self) -> &'static str {
        TRIGGERS.word(self)
    }

    /// One that a word names; what it carries is a placeholder.
    #[must_use]
    pub fn from_word(word: &str) -> Option<Self> {
        TRIGGERS.value(word).cloned()
    }

    /// The words of all triggers.
    pub fn words() -> impl Iterator<Item = &'static str> {
        TRIGGERS.words()
    }
}

impl Predicate {
    /// The built-in fact that a word names; what it carries is a placeholder.
    #[must_use]
    pub fn from_word(word: &str) -> Option<Self> {
        CONDITIONS.value(word).cloned()
    }

    /// The words of all built-in facts; `free_network` is another word for `unmetered`.
    pub fn words() -> impl Iterator<Item = &'static str> {
        CONDITIONS.words()
    }
}

/// A duration as the grammar reads it: `1h 30m`.
pub(crate) fn span_text(duration: Duration) -> String {
    humantime::format_duration(duration).to_string()
}

/// An amount of memory in the largest binary unit that needs no fraction.
pub(crate) fn bytes(bytes: u64) -> String {
    let fits =
        |unit: &&(&str, u64)| unit.0.contains('i') && bytes != 0 && bytes.is_multiple_of(unit.1);
    match MEMORY_UNITS.iter().find(fits) {
        Some((unit, factor)) => format!("{}{unit}", bytes / factor),
        None => format!("{bytes}B"),
    }
}

/// `KEY = "value"`, with commas.
pub(crate) fn env_text(env: &[(String, String)]) -> String {
    let is_word = |key: &str| {
        key.starts_with(|c: char| c == '_' || c.is_ascii_alphabetic())
            && key.bytes().all(|b| b == b'_' || b.is_ascii_alphanumeric())
    };
    let variables = env.iter().map(|(key, value)| {
        let key = if is_word(key) {
            key.clone()
        } else {
            quote(key)
        };
        format!("{key} = {}", quote(value))
    });
    variables.collect::<Vec<_>>().join(", ")
}

/// What stands in the parentheses of a trigger.
#[derive(Default)]
struct Inside(Vec<String>);

impl Inside {
    fn text(mut self, text: &str) -> Self {
        self.0.push(quote(text));
        self
    }

    fn word(mut self, word: impl fmt::Display) -> Self {
        self.0.push(word.to_string());
        self
    }

    fn key(mut self, key: &str, value: impl fmt::Display) -> Self {
        self.0.push(format!("{key} = {value}"));
        self
    }

    fn flag(mut self, flag: &str, set: bool) -> Self {
        if set {
            self.0.push(flag.to_owned());
        }
        self
    }

    fn zone(self, tz: Option<&String>) -> Self {
        match tz {
            Some(tz) => self.key("tz", quote(tz)),
            None => self,
        }
    }
}

impl fmt::Display for Trigger {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let inside = Inside::default();
        let inside = match self {
            Self::Time { minutes, once } | Self::Maintenance { minutes, once } => {
                inside.word(minutes).flag("once", *once)
            }
            Self::Every { period, once } => inside.text(&span_text(*period)).flag("once", *once),
            Self::Cron { expression, tz } => inside.text(expression).zone(tz.as_ref()),
            Self::At { time, tz, once } => inside
                .text(&time.to_string())
                .zone(tz.as_ref())
                .flag("once", *once),
            Self::System { event, once } => inside.word(event).flag("once", *once),
            Self::Push { channel: text } | Self::Socket { address: text } => match text {
                Some(text) => inside.text(text),
                None => inside,
            },
            Self::ControlChannel { id, keep_alive } => {
                inside.text(id).key("keep_alive", keep_alive)
            }
            Self::Files { path, recursive } => inside.text(path).flag("recursive", *recursive),
            Self::Device { changes, subsystem } => {
                let changes: Vec<&str> =
                    changes.iter().map(|change| CHANGES.word(change)).collect();
                let inside = inside.word(changes.join(" | "));
                match subsystem {
                    Some(subsystem) => inside.key("subsystem", quote(subsystem)),
                    None => inside,
                }
            }
            Self::Custom { name } | Self::AppService { name } => inside.text(name),
            Self::Application
            | Self::MediaProcessing
            | Self::DeviceUse
            | Self::DeviceServicing
            | Self::ToastAction
            | Self::Startup
            | Self::Voip => inside,
        };
        f.write_str(self.word())?;
        if inside.0.is_empty() {
            return Ok(());
        }
        write!(f, "({})", inside.0.join(", "))
    }
}

impl fmt::Display for TimeOfDay {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:02}:{:02}", self.hour, self.minute)?;
        if self.second > 0 {
            write!(f, ":{:02}", self.second)?;
        }
        Ok(())
    }
}

impl fmt::Display for Predicate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::User(path) => f.write_str(path),
            Self::BatteryAbove(percent) => write!(f, "{}({percent})", CONDITIONS.word(self)),
            Self::LoadBelow(thousandths) => {
                let load = format!("{}.{:03}", thousandths / 1000, thousandths % 1000);
                let load = load.trim_end_matches('0').trim_end_matches('.');
                write!(f, "{}({load})", CONDITIONS.word(self))
            }
            fact => f.write_str(CONDITIONS.word(fact)),
        }
    }
}

impl fmt::Display for Condition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let joined = |f: &mut fmt::Formatter<'_>, parts: &[Self], mark: &str| {
            for (index, part) in parts.iter().enumerate() {
                if index > 0 {
                    write!(f, " {mark} ")?;
                }
                // `&&` binds closer, so only `||` inside it needs parentheses.
                if mark == "&&" && matches!(part, Self::Any(any) if any.len() > 1) {
                    write!(f, "({part})")?;
                } else {
                    write!(f, "{part}")?;
                }
            }
            Ok(())
        };
        match self {
            Self::Is(predicate) => write!(f, "{predicate}"),
            Self::Not(inner) => match &**inner {
                Self::Is(_) | Self::Not(_) => write!(f, "!{inner}"),
                inner => write!(f, "!({inner})"),
            },
            Self::All(parts) => joined(f, parts, "&&"),
            Self::Any(parts) => joined(f, parts, "||"),
        }
    }
}

impl fmt::Display for Host {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::InProcess => f.write_str("in_process"),
            Self::Process { group: None } => f.write_str("process"),
            Self::Process { group: Some(group) } => write!(f, "process({})", quote(group)),
        }
    }
}

impl fmt::Display for Retry {
    /// What stands in the parentheses of `retry`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "max = {}, backoff = {}", self.max, self.backoff)
    }
}

impl fmt::Display for Backoff {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Fixed(wait) => write!(f, "fixed({})", quote(&span_text(*wait))),
            Self::Exponential { first, max, jitter } => {
                let (first, max) = (quote(&span_text(*first)), quote(&span_text(*max)));
                let jitter = if *jitter { ", jitter" } else { "" };
                write!(f, "exponential({first}, max = {max}{jitter})")
            }
        }
    }
}

impl fmt::Display for Overlap {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(OVERLAPS.word(self))?;
        match self {
            Self::Queue(n) | Self::Allow(n) => write!(f, "({n})"),
            Self::Skip | Self::Replace => Ok(()),
        }
    }
}

impl fmt::Display for Pending {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(PENDINGS.word(self))?;
        match self {
            Self::Queue(n) => write!(f, "({n})"),
            Self::Latest | Self::First => Ok(()),
        }
    }
}

impl fmt::Display for Missed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(MISSED.word(self))?;
        match self {
            Self::All(n) => write!(f, "({n})"),
            Self::Once | Self::Skip => Ok(()),
        }
    }
}

impl fmt::Display for Sandbox {
    /// What stands in the parentheses of `sandbox`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let lists = [("read", &self.read), ("write", &self.write)];
        let lists = lists.iter().filter(|list| !list.1.is_empty());
        let lists: Vec<String> = lists
            .map(|(key, paths)| {
                let paths: Vec<String> = paths.iter().map(|path| quote(path)).collect();
                format!("{key} = [{}]", paths.join(", "))
            })
            .collect();
        f.write_str(&lists.join(", "))
    }
}

macro_rules! display_word {
    ($($type:ty: $table:ident;)+) => {$(
        impl fmt::Display for $type {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str($table.word(self))
            }
        }
    )+};
}

display_word! {
    SystemEvent: EVENTS;
    DeviceChange: CHANGES;
    Delivery: DELIVERIES;
    OnOverrun: OVERRUNS;
}

#[cfg(test)]
mod strategy;
#[cfg(test)]
mod tests;
