//! A draft takes the arguments of one declaration, and tells all that is wrong with them at once.

use std::ops::Range;

use super::{Mistake, Token};
use crate::Declaration;
use crate::rule::HoleRule;

/// What is known of a task before its arguments are read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Identity {
    /// The task's name unless `name = "…"` is given.
    pub default_name: String,
    /// The function's path.
    pub function: String,
    /// The function's doc comment, unless `description = "…"` is given.
    pub description: Option<String>,
}

/// A declaration without a mistake, and what the attribute needs beside it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Drafted {
    /// What was declared. Numbers that only the compiler knows are stand-ins, see [`Hole`].
    pub declaration: Declaration,
    /// The numbers that only the compiler knows, in the order they were written.
    pub holes: Vec<Hole>,
    /// Where each argument was written.
    pub places: Places,
    /// `handle = Name`
    pub handle: Option<String>,
    /// The conditions of the user's own, as written, with their places.
    pub user_conditions: Vec<(Range<usize>, String)>,
}

/// A constant that stands where a number is expected: `time(MINUTES)`.
///
/// The declaration holds `stand_in` in its place: a number above every limit that occurs nowhere
/// else in the declaration, so that its decimal digits mark the place in any text made of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hole {
    /// Where the path of the constant is written.
    pub at: Range<usize>,
    /// What its value has to keep.
    pub rule: HoleRule,
    /// What stands in the declaration for it.
    pub stand_in: u32,
}

/// Where the arguments were written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Places {
    whole: Range<usize>,
    arguments: Vec<(String, Range<usize>, Range<usize>)>,
}

impl Places {
    /// The keyword of an argument, such as `"host"`; the whole attribute if it was not given.
    #[must_use]
    pub fn keyword(&self, argument: &str) -> Range<usize> {
        self.find(argument)
            .map_or_else(|| self.whole.clone(), |found| found.1.clone())
    }

    /// The value of an argument, or its keyword if it has none; the whole attribute if it was not
    /// given.
    #[must_use]
    pub fn value(&self, argument: &str) -> Range<usize> {
        self.find(argument)
            .map_or_else(|| self.whole.clone(), |found| found.2.clone())
    }

    /// Whether an argument was given.
    #[must_use]
    pub fn given(&self, argument: &str) -> bool {
        self.find(argument).is_some()
    }

    fn find(&self, argument: &str) -> Option<&(String, Range<usize>, Range<usize>)> {
        self.arguments.iter().find(|given| given.0 == argument)
    }
}

/// Collects the arguments of one declaration.
#[derive(Clone, Debug)]
pub struct Draft {
    given: Vec<(Token, Vec<Token>)>,
    source: Source,
}

/// Where the tokens come from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Source {
    /// The compiler: constants may stand for numbers.
    Tokens,
    /// A text: every number is written out.
    Text,
}

impl Draft {
    /// A draft of an attribute: a constant may stand where a number is expected.
    #[must_use]
    pub const fn new() -> Self {
        Self {
            given: Vec::new(),
            source: Source::Tokens,
        }
    }

    /// A draft of a text: every number is written out.
    #[must_use]
    pub const fn from_text() -> Self {
        Self {
            given: Vec::new(),
            source: Source::Text,
        }
    }

    /// Takes one argument. `value` is what stands right of `=` or inside the parentheses:
    /// `retry(max = 5)` is the same as `retry = (max = 5)`. A flag alone has an empty value.
    /// Nothing is judged before [`finish`](Self::finish).
    pub fn argument(&mut self, keyword: Token, value: Vec<Token>) {
        self.given.push((keyword, value));
    }

    /// Reads everything. `whole` is where to report what is missing.
    ///
    /// # Errors
    ///
    /// All mistakes, ordered by place.
    pub fn finish(self, identity: Identity, whole: Range<usize>) -> Result<Drafted, Vec<Mistake>> {
        unreachable!()
    }
}

impl Default for Draft {
    fn default() -> Self {
        Self::new()
    }
}
