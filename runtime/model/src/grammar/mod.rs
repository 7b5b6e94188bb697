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

mod across;
mod call;
mod condition;
mod draft;
mod fields;
mod options;
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
