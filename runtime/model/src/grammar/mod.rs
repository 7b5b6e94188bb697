//! The one grammar: attribute, manifest, override file and command line read with it, and get the
//! same sentences for the same mistakes.
//!
//! A caller makes [`Token`]s, of a text with [`tokenize`] or of the compiler's tokens, hands each
//! argument to a [`Draft`], and asks it to finish:
//!
//! ```
//! use bgtask_model::grammar::{Draft, Identity, Token, TokenKind, tokenize};
//!
//! let mut draft = Draft::new();
//! // `trigger = time(15, once)`; places are positions in the caller's own table.
//! let keyword = Token::new(TokenKind::Word, "trigger", 0..1);
//! let value = tokenize("time(15, once)").unwrap();
//! draft.argument(keyword, value);
//! let identity = Identity {
//!     default_name: "app::sync".to_owned(),
//!     function: "app::sync".to_owned(),
//!     description: None,
//! };
//! let drafted = draft.finish(identity, 0..1).unwrap();
//! assert_eq!(drafted.declaration.trigger.to_string(), "time(15, once)");
//! ```
//!
//! # What the caller has to know
//!
//! * **Tokens.** A [`Token`] is a kind, a text and a place. A string literal is one
//!   [`TokenKind::Text`] and holds what it stands for; a number is one [`TokenKind::Number`] as
//!   written, suffix included; `&&`, `||` and `::` are one [`TokenKind::Mark`] each; brackets are
//!   tokens of their own, so a group of the compiler is laid out flat between [`TokenKind::Open`]
//!   and [`TokenKind::Close`].
//! * **Places.** They are bytes of a text, or whatever the caller counts: an attribute gives its
//!   token number `i` the place `i..i + 1` and finds the span of `a..b` between the tokens `a` and
//!   `b - 1`. A mistake inside a string literal of an attribute has the literal's place, and its
//!   help says how to get the exact one.
//! * **Arguments.** `keyword = value`, `keyword(value)` and, for a flag, `keyword`:
//!   [`Draft::argument`] takes the keyword and the tokens of the value, without the outer
//!   parentheses or with them. `crate = path` is the attribute's own and not handed over.
//! * **Mistakes.** Reading never stops at one. [`Draft::finish`] gives all of them ordered by
//!   place; [`Mistake::also`] has the places that belong to it.
//! * **Holes.** In [`Draft::new`] a path may stand where a number with a limit is expected: in
//!   `time`, `maintenance`, `keep_alive`, `battery_above`, `queue`, `allow`, `all` and `retry`'s
//!   `max`. The declaration then holds [`Hole::stand_in`]; its decimal digits occur nowhere else
//!   in the declaration's texts, and are replaced by those of the constant. The constant is
//!   checked by [`HoleRule::check`](crate::HoleRule::check), a `const fn`.
//! * **Paths.** A condition of the user's own is a path of at least two words. An attribute may
//!   write any ([`Drafted::user_conditions`] has them with their places); a text only one that
//!   starts with the crate's name.

mod across;
mod call;
mod condition;
mod draft;
mod fields;
mod options;
mod placed;
mod scope;
#[cfg(test)]
mod tests;
mod token;
mod trigger;

use std::fmt;
use std::ops::Range;

pub use draft::{Draft, Drafted, Hole, Identity, Places};
pub use fields::FieldValue;
pub use token::{Token, TokenKind, tokenize};

pub(crate) use draft::Source;
pub(crate) use options::MEMORY_UNITS;
pub(crate) use scope::Scope;
pub(crate) use token::quote;

use crate::Rule;
use crate::word;

/// Every word of the grammar, by what it is a word of: an editor's completion, a check of the
/// documentation.
///
/// ```
/// let words = bgtask_model::grammar::words();
/// let triggers = words.iter().find(|family| family.0 == "trigger").unwrap();
/// assert!(triggers.1.contains(&"time"));
/// ```
#[must_use]
pub fn words() -> Vec<(&'static str, Vec<&'static str>)> {
    vec![
        ("argument", word::ARGUMENTS.words().collect()),
        ("trigger", word::TRIGGERS.words().collect()),
        ("system", word::EVENTS.words().collect()),
        ("condition", word::CONDITIONS.words().collect()),
        ("device", word::CHANGES.words().collect()),
        ("host", word::HOSTS.to_vec()),
        ("backoff", word::BACKOFFS.to_vec()),
        ("overlap", word::OVERLAPS.words().collect()),
        ("pending", word::PENDINGS.words().collect()),
        ("missed", word::MISSED.words().collect()),
        ("delivery", word::DELIVERIES.words().collect()),
        ("on_overrun", word::OVERRUNS.words().collect()),
        ("memory", MEMORY_UNITS.map(|unit| unit.0).to_vec()),
    ]
}

/// Whether an argument is about the process that a body runs in, so that who registers the body
/// anew does not state it again.
///
/// ```
/// use bgtask_model::grammar::is_of_process;
///
/// assert!(is_of_process("host") && is_of_process("memory"));
/// assert!(!is_of_process("timeout"));
/// ```
#[must_use]
pub fn is_of_process(argument: &str) -> bool {
    argument == "host" || across::OF_A_PROCESS.contains(&argument)
}

/// One broken rule and where it was broken.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mistake {
    /// What is wrong.
    pub rule: Rule,
    /// Where: bytes of the text, or positions in the caller's table of tokens.
    pub at: Range<usize>,
    /// Other places that belong to it, each with what it is: `given first here`.
    pub also: Vec<(Range<usize>, String)>,
    /// The field that `at` is in, where fields were read
    /// ([`Declaration::from_fields`](crate::Declaration::from_fields)); `at` then counts from
    /// the start of that field's text.
    pub argument: Option<Box<str>>,
}

impl Mistake {
    /// A mistake with one place.
    #[must_use]
    pub const fn new(rule: Rule, at: Range<usize>) -> Self {
        Self {
            rule,
            at,
            also: Vec::new(),
            argument: None,
        }
    }

    /// Adds another place, with what it is.
    #[must_use]
    pub fn also(mut self, at: Range<usize>, what: impl Into<String>) -> Self {
        self.also.push((at, what.into()));
        self
    }
}

impl fmt::Display for Mistake {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(argument) = &self.argument {
            write!(f, "{argument}: ")?;
        }
        write!(f, "{}", self.rule)
    }
}
