//! A draft takes the arguments of one declaration, and tells all that is wrong with them at once.

use std::ops::Range;

use super::call::inside;
use super::placed::Placed;
use super::scope::{Scope, span};
use super::{Mistake, Token, TokenKind};
use crate::rule::HoleRule;
use crate::word::{self, ARGUMENTS, Argument, CONDITIONS, TRIGGERS};
use crate::{Declaration, Host, Options, Rule, Trigger};

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
    /// The numbers that only the compiler knows, ordered by place.
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

/// Where the arguments were written. For a `condition` that was given several times, the first.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Places {
    whole: Range<usize>,
    arguments: Vec<(&'static str, Range<usize>, Range<usize>)>,
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

    /// The values of an argument that may be given several times, in order.
    pub fn values(&self, argument: &str) -> impl Iterator<Item = Range<usize>> {
        let given = self.arguments.iter();
        let given = given.filter(move |given| given.0 == argument);
        given.map(|given| given.2.clone())
    }

    /// Whether an argument was given.
    #[must_use]
    pub fn given(&self, argument: &str) -> bool {
        self.find(argument).is_some()
    }

    fn find(&self, argument: &str) -> Option<&(&'static str, Range<usize>, Range<usize>)> {
        self.arguments.iter().find(|given| given.0 == argument)
    }
}

/// Collects the arguments of one declaration.
#[derive(Clone, Debug)]
pub struct Draft {
    given: Vec<Given>,
    source: Source,
}

/// One argument; an error is a value that did not become tokens.
#[derive(Clone, Debug)]
struct Given {
    keyword: Token,
    value: Result<Vec<Token>, Mistake>,
}

/// Where the tokens come from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Source {
    /// The compiler: constants may stand for numbers.
    Tokens,
    /// A text: every number is written out.
    Text,
}

/// What the arguments said; `None` for what was left out or is wrong.
#[derive(Clone, Debug)]
pub(super) struct Read {
    pub(super) name: Option<String>,
    pub(super) description: Option<String>,
    pub(super) trigger: Option<Trigger>,
    /// A trigger stands where an argument should, and was told so.
    pub(super) trigger_misplaced: bool,
    pub(super) conditions: Vec<Placed>,
    /// In process if not stated; `None` if it is wrong.
    pub(super) host: Option<Host>,
    pub(super) options: Options,
    pub(super) handle: Option<String>,
}

impl Draft {
    /// A draft of an attribute: a constant may stand where a number is expected.
    #[must_use]
    pub const fn new() -> Self {
        Self::from(Source::Tokens)
    }

    /// A draft of a text: every number is written out.
    #[must_use]
    pub const fn from_text() -> Self {
        Self::from(Source::Text)
    }

    const fn from(source: Source) -> Self {
        Self {
            given: Vec::new(),
            source,
        }
    }

    /// Takes one argument. `value` is what stands right of `=` or inside the parentheses:
    /// `retry(max = 5)` is the same as `retry = (max = 5)`. A flag alone has an empty value.
    /// Nothing is judged before [`finish`](Self::finish).
    pub fn argument(&mut self, keyword: Token, value: Vec<Token>) {
        self.given.push(Given {
            keyword,
            value: Ok(value),
        });
    }

    /// Takes an argument whose value could not be read as tokens.
    pub(super) fn broken(&mut self, keyword: Token, mistake: Mistake) {
        self.given.push(Given {
            keyword,
            value: Err(mistake),
        });
    }

    /// Reads everything. `whole` is where to report what is missing.
    ///
    /// # Errors
    ///
    /// All mistakes, ordered by place.
    pub fn finish(self, identity: Identity, whole: Range<usize>) -> Result<Drafted, Vec<Mistake>> {
        let mut scope = Scope::new(self.source, self.texts(&identity));
        let mut places = Places {
            whole,
            arguments: Vec::new(),
        };
        let mut read = Read {
            name: None,
            description: None,
            trigger: None,
            trigger_misplaced: false,
            conditions: Vec::new(),
            host: Some(Host::InProcess),
            options: Options::default(),
            handle: None,
        };
        for Given { keyword, value } in &self.given {
            let known = ARGUMENTS.value(&keyword.text).copied();
            let known = known.filter(|_| keyword.kind == TokenKind::Word);
            let Some(argument) = known else {
                read.trigger_misplaced |= trigger_of(keyword).is_some();
                scope.mistake(unknown_argument(keyword), keyword.at.clone());
                continue;
            };
            let word = argument.word();
            let first = places.find(word).map(|found| found.1.clone());
            let first = first.filter(|_| argument != Argument::Condition);
            let mut unused;
            let target = match first {
                Some(first) => {
                    scope.repeated(argument, keyword, first);
                    // Its own mistakes are still told; what it says is not kept.
                    unused = read.clone();
                    &mut unused
                }
                None => {
                    let value = value.as_deref().unwrap_or_default();
                    let at = span(value, &keyword.at);
                    places.arguments.push((word, keyword.at.clone(), at));
                    &mut read
                }
            };
            match value {
                Ok(value) => scope.argument(argument, keyword, value, target),
                Err(mistake) => scope.mistakes.push(mistake.clone()),
            }
        }
        let condition = Placed::all(read.conditions.clone());
        scope.across(&read, condition.as_ref(), &places);
        scope
            .mistakes
            .sort_by_key(|mistake| (mistake.at.start, mistake.at.end));
        scope.holes.sort_by_key(|hole| hole.at.start);
        match read.trigger {
            Some(trigger) if scope.mistakes.is_empty() => Ok(Drafted {
                declaration: Declaration {
                    name: read.name.unwrap_or(identity.default_name),
                    function: identity.function,
                    description: read.description.or(identity.description),
                    trigger,
                    condition: condition.as_ref().and_then(Placed::condition),
                    host: read.host.unwrap_or(Host::InProcess),
                    options: read.options,
                },
                holes: scope.holes,
                places,
                handle: read.handle,
                user_conditions: scope.user_conditions,
            }),
            _ => Err(scope.mistakes),
        }
    }

    /// Every text that may end up in the declaration. Numbers lose their underscores there.
    fn texts(&self, identity: &Identity) -> Vec<String> {
        let values = self
            .given
            .iter()
            .filter_map(|given| given.value.as_ref().ok());
        let mut texts: Vec<String> = values
            .flatten()
            .flat_map(|token| [token.text.clone(), token.text.replace('_', "")])
            .collect();
        texts.push(identity.default_name.clone());
        texts.push(identity.function.clone());
        texts.extend(identity.description.clone());
        texts
    }
}

impl Default for Draft {
    fn default() -> Self {
        Self::new()
    }
}

impl Scope {
    fn repeated(&mut self, argument: Argument, keyword: &Token, first: Range<usize>) {
        let rule = if argument == Argument::Trigger {
            Rule::new(
                "one_trigger",
                "a declaration has one trigger, this is a second one",
            )
            .help(match self.source {
                Source::Tokens => {
                    "give the function a second attribute for it, each with its own `name`"
                }
                Source::Text => "make a second registration for it, with its own name",
            })
        } else {
            Rule::new("given_twice", format!("`{}` is given twice", keyword.text))
                .help("keep one of them")
        };
        self.mistakes
            .push(Mistake::new(rule, keyword.at.clone()).also(first, "given first here"));
    }

    fn argument(&mut self, argument: Argument, keyword: &Token, value: &[Token], read: &mut Read) {
        let at = &keyword.at;
        // `retry = (max = 5)` is `retry(max = 5)`.
        let value = match inside(value, "(") {
            Some(inner) if argument != Argument::Condition => inner,
            _ => value,
        };
        let options = &mut read.options;
        let flag = |scope: &mut Self| scope.flag(&format!("`{}`", keyword.text), value, at);
        let name = |scope: &mut Self| {
            let word = &keyword.text;
            let example = format!("{word} = \"{}\"", example(argument));
            scope.name(&format!("`{word}`"), value, at, &example)
        };
        let duration = |scope: &mut Self| {
            let word = &keyword.text;
            let example = format!("{word} = \"{}\"", example(argument));
            scope.duration(&format!("`{word}`"), value, at, &example)
        };
        match argument {
            Argument::Name => read.name = name(self),
            Argument::Description => {
                read.description = self.text("`description`", value, at, "description = \"…\"");
            }
            Argument::Trigger => read.trigger = self.trigger(value, at),
            Argument::Condition => read.conditions.extend(self.condition(value, at)),
            Argument::Host => read.host = self.host(value, at),
            Argument::Handle => read.handle = self.handle(value, at),
            Argument::Timeout => options.timeout = duration(self),
            Argument::Grace => options.grace = self.grace(value, at),
            Argument::Memory => options.memory = self.memory(value, at),
            Argument::Cpu => options.cpu = duration(self),
            Argument::Retry => options.retry = self.retry(value, at),
            Argument::Overlap => options.overlap = self.overlap(value, at),
            Argument::Pending => options.pending = self.pending(value, at),
            Argument::Missed => options.missed = self.missed(value, at),
            Argument::Exclusive => options.exclusive = name(self),
            Argument::Priority => options.priority = self.priority(value, at).unwrap_or(0),
            Argument::Jitter => options.jitter = duration(self),
            Argument::CancelOnConditionLoss => {
                options.cancel_on_condition_loss = flag(self).unwrap_or_default();
            }
            Argument::NetworkRequested => {
                options.network_requested = flag(self).unwrap_or_default();
            }
            Argument::Standby => options.standby = flag(self).unwrap_or_default(),
            Argument::MultipleInstances => {
                options.multiple_instances = flag(self).unwrap_or_default();
            }
            Argument::RegistrationGroup => options.registration_group = name(self),
            Argument::Unique => options.unique = name(self),
            Argument::Register => options.register = flag(self).unwrap_or(true),
            Argument::Delivery => {
                options.delivery = self.delivery(value, at).unwrap_or(options.delivery);
            }
            Argument::OnOverrun => {
                options.on_overrun = self.on_overrun(value, at).unwrap_or(options.on_overrun);
            }
            Argument::Sandbox => options.sandbox = self.sandbox(value, at),
            Argument::Nice => options.nice = self.nice(value, at),
            Argument::Env => options.env = self.env(value, at).unwrap_or_default(),
            Argument::IdleTimeout => options.idle_timeout = duration(self),
        }
    }
}

/// A likely text of an argument, for its sentences.
const fn example(argument: Argument) -> &'static str {
    match argument {
        Argument::Timeout => "10m",
        Argument::Cpu => "10s",
        Argument::Jitter => "30s",
        Argument::IdleTimeout => "60s",
        Argument::Name => "nightly backup",
        Argument::Exclusive | Argument::Unique => "library scan",
        _ => "lib",
    }
}

/// The trigger that stands where an argument should: `time(15)` or `"time(15)"`.
fn trigger_of(keyword: &Token) -> Option<&'static Trigger> {
    let word = keyword
        .text
        .split(|c: char| c != '_' && !c.is_alphanumeric());
    TRIGGERS.value(word.into_iter().next()?)
}

fn unknown_argument(keyword: &Token) -> Rule {
    let text = &keyword.text;
    if keyword.kind != TokenKind::Word {
        let rule = Rule::new(
            "argument_form",
            format!("`{}` is no argument", keyword.written()),
        );
        return match trigger_of(keyword) {
            Some(_) => rule.help(format!("write `trigger = {text}`")),
            None => rule.help("write `argument = value`, such as `trigger = time(15)`"),
        };
    }
    let rule = Rule::new("unknown_argument", format!("unknown argument `{text}`"));
    if TRIGGERS.value(text).is_some() {
        return rule.help(format!(
            "`{text}` is a trigger: write it behind `trigger =`"
        ));
    }
    if CONDITIONS.value(text).is_some() {
        return rule.help(format!(
            "`{text}` is a condition: write it behind `condition =`"
        ));
    }
    match word::nearest(text, ARGUMENTS.words()) {
        Some(meant) => rule.help(format!("did you mean `{meant}`?")),
        None => rule.help(format!("expected {}", ARGUMENTS.list())),
    }
}
