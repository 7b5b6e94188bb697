//! What reading needs all along: where mistakes, holes and paths are noted, and how a plain value
//! is read. A method that returns `None` has noted why.

use std::ops::Range;
use std::time::Duration;

use super::draft::{Hole, Source};
use super::token::quote;
use super::{Mistake, Token, TokenKind, tokenize};
use crate::rule::HoleRule;
use crate::{Rule, word, zone};

/// The longest text of a value, in bytes.
const VALUE_LIMIT: usize = 4096;
/// The longest name, in characters.
const NAME_LIMIT: usize = 200;
/// The units of a duration that are long enough to be misspelled.
const DURATION_UNITS: [&str; 12] = [
    "min", "mins", "msec", "sec", "secs", "seconds", "minutes", "hours", "days", "weeks", "months",
    "years",
];
/// The longest duration: ten years, far below every overflow.
const LONGEST: Duration = Duration::from_secs(10 * 31_557_600);

#[derive(Debug)]
pub(crate) struct Scope {
    pub(crate) mistakes: Vec<Mistake>,
    pub(super) holes: Vec<Hole>,
    pub(super) user_conditions: Vec<(Range<usize>, String)>,
    pub(super) source: Source,
    /// Inside a string literal of an attribute.
    quoted: bool,
    /// Every text of the declaration: no stand-in may occur in one.
    texts: Vec<String>,
    next_stand_in: u32,
}

/// From the first token to the last; `empty` if there is none.
pub(super) fn span(tokens: &[Token], empty: &Range<usize>) -> Range<usize> {
    match tokens {
        [first, .., last] => first.at.start..last.at.end,
        [only] => only.at.clone(),
        [] => empty.clone(),
    }
}

/// The tokens as a person would write them.
pub(super) fn written(tokens: &[Token]) -> String {
    let mut text = String::new();
    for (index, token) in tokens.iter().enumerate() {
        let tight = matches!(token.kind, TokenKind::Open | TokenKind::Close)
            || token.is_mark(",")
            || token.is_mark("::")
            || index.checked_sub(1).is_none_or(|before| {
                let before = &tokens[before];
                let odd = token.kind == TokenKind::Other || before.kind == TokenKind::Other;
                before.kind == TokenKind::Open
                    || ["::", "!", "-"].iter().any(|mark| before.is_mark(mark))
                    || (odd && before.at.end == token.at.start)
            });
        if !tight {
            text.push(' ');
        }
        text.push_str(&token.written());
        // A sentence repeats the start of a long value, not all of it.
        if let Some((cut, _)) = text.char_indices().nth(120) {
            text.truncate(cut);
            text.push('…');
            break;
        }
    }
    text
}

/// `a::b`, with a leading `::` if it has one; `None` if the tokens are something else.
pub(super) fn path(tokens: &[Token]) -> Option<String> {
    let rooted = tokens.first().is_some_and(|token| token.is_mark("::"));
    let mut word_next = true;
    for token in &tokens[usize::from(rooted)..] {
        let fits = if word_next {
            token.kind == TokenKind::Word
        } else {
            token.is_mark("::")
        };
        if !fits {
            return None;
        }
        word_next = !word_next;
    }
    (!word_next).then(|| tokens.iter().map(|token| token.text.as_str()).collect())
}

impl Scope {
    pub(crate) const fn new(source: Source, texts: Vec<String>) -> Self {
        Self {
            mistakes: Vec::new(),
            holes: Vec::new(),
            user_conditions: Vec::new(),
            source,
            quoted: false,
            texts,
            next_stand_in: u32::MAX,
        }
    }

    pub(super) fn mistake(&mut self, rule: Rule, at: Range<usize>) {
        self.mistakes.push(Mistake::new(rule, at));
    }

    /// Reads the string literal `text` as what it holds. The compiler gives no places inside a
    /// literal, so a mistake in it covers all of it and says how to get the exact place.
    pub(super) fn quoted<T>(
        &mut self,
        argument: &str,
        text: &Token,
        read: impl FnOnce(&mut Self, &[Token]) -> Option<T>,
    ) -> Option<T> {
        let noted = self.mistakes.len();
        let before = std::mem::replace(&mut self.quoted, true);
        let value = match tokenize(&text.text) {
            Ok(mut tokens) => {
                for token in &mut tokens {
                    token.at = text.at.clone();
                }
                read(self, &tokens)
            }
            Err(mistake) => {
                // Without quotes it would be no tokens either.
                self.mistake(mistake.rule, text.at.clone());
                self.quoted = before;
                return None;
            }
        };
        self.quoted = before;
        if self.source == Source::Tokens && !text.text.trim().is_empty() {
            for mistake in &mut self.mistakes[noted..] {
                mistake.rule = mistake.rule.clone().help(format!(
                    "in the string {} write `{argument} = {}` without quotes for an error at the exact place",
                    quote(&text.text),
                    text.text,
                ));
            }
        }
        value
    }

    /// One text. `what` is its name in sentences, in backticks; `example` how it is written.
    pub(super) fn text(
        &mut self,
        what: &str,
        tokens: &[Token],
        at: &Range<usize>,
        example: &str,
    ) -> Option<String> {
        let at = span(tokens, at);
        match tokens {
            [token] if token.kind == TokenKind::Text => {
                if token.text.len() > VALUE_LIMIT {
                    let rule = Rule::new(
                        "text_length",
                        format!("{what} has more than {VALUE_LIMIT} bytes"),
                    );
                    self.mistake(rule.help("write a shorter one"), at);
                    return None;
                }
                if token.text.contains('\0') {
                    let rule =
                        Rule::new("control_character", format!("{what} has a null character"));
                    self.mistake(rule.help("remove it"), at);
                    return None;
                }
                Some(token.text.clone())
            }
            [] => {
                let rule = Rule::new("missing_value", format!("{what} takes a text"));
                self.mistake(rule.help(format!("write `{example}`")), at);
                None
            }
            _ => {
                let rule = Rule::new(
                    "text_expected",
                    format!("{what} takes a text in quotes, not `{}`", written(tokens)),
                );
                self.mistake(rule.help(format!("write `{example}`")), at);
                None
            }
        }
    }

    /// A text that names something: not empty, short, without control characters.
    pub(super) fn name(
        &mut self,
        what: &str,
        tokens: &[Token],
        at: &Range<usize>,
        example: &str,
    ) -> Option<String> {
        let text = self.text(what, tokens, at, example)?;
        let rule = if text.trim().is_empty() {
            Rule::new("empty_text", format!("{what} is empty")).help(format!("write `{example}`"))
        } else if text.chars().count() > NAME_LIMIT {
            Rule::new(
                "name_length",
                format!("{what} has more than {NAME_LIMIT} characters"),
            )
            .help("choose a shorter one")
        } else if let Some(c) = text.chars().find(|c| c.is_control()) {
            Rule::new(
                "control_character",
                format!("{what} has the control character `{}`", c.escape_default()),
            )
            .help("remove it: names are shown on one line")
        } else {
            return Some(text);
        };
        self.mistake(rule, span(tokens, at));
        None
    }

    /// A duration with its unit, more than zero.
    pub(super) fn duration(
        &mut self,
        what: &str,
        tokens: &[Token],
        at: &Range<usize>,
        example: &str,
    ) -> Option<Duration> {
        if let [token] = tokens
            && token.kind == TokenKind::Number
        {
            let unit = token.text.trim_start_matches(|c: char| c.is_ascii_digit());
            let rule = Rule::new(
                "duration_text",
                format!(
                    "{what} takes a text with a unit, not the number `{}`",
                    token.text
                ),
            );
            let rule = if !unit.is_empty() && humantime::parse_duration(&token.text).is_ok() {
                rule.help(format!("write it in quotes: `\"{}\"`", token.text))
            } else {
                rule.help(format!("write `{example}`"))
            };
            self.mistake(rule, token.at.clone());
            return None;
        }
        let text = self.text(what, tokens, at, example)?;
        let units = "a duration is numbers with units, such as `250ms`, `10s`, `5m` or `1h 30m`";
        let rule = match humantime::parse_duration(&text) {
            Ok(Duration::ZERO) => Rule::new("zero_duration", format!("{what} is zero"))
                .help(format!("write `{example}`")),
            Ok(duration) if duration > LONGEST => {
                Rule::new("long_duration", format!("{what} is longer than ten years"))
                    .help(format!("write `{example}`"))
            }
            Ok(duration) => return Some(duration),
            Err(humantime::DurationError::UnknownUnit { unit, value, .. }) if unit.is_empty() => {
                Rule::new("duration_unit", format!("`{text}` has no unit")).help(format!(
                    "write `{value}s` for seconds, `{value}m` for minutes"
                ))
            }
            Err(humantime::DurationError::UnknownUnit { unit, .. }) => {
                let rule = Rule::new(
                    "duration_unit",
                    format!("unknown unit `{unit}` in the duration `{text}`"),
                );
                match word::nearest(&unit, DURATION_UNITS.into_iter()) {
                    Some(meant) => rule.help(format!("did you mean `{meant}`?")),
                    None => rule.help("write `ms`, `s`, `m`, `h`, `d` or `w`"),
                }
            }
            Err(_) => Rule::new("duration_form", format!("`{text}` is no duration")).help(units),
        };
        self.mistake(rule, span(tokens, at));
        None
    }

    /// A name of a time zone.
    pub(super) fn zone(&mut self, tokens: &[Token], at: &Range<usize>) -> Option<String> {
        let text = self.text("`tz`", tokens, at, "tz = \"Europe/Berlin\"")?;
        match zone::check(&text) {
            Ok(zone) => Some(zone),
            Err(rule) => {
                self.mistake(rule, span(tokens, at));
                None
            }
        }
    }

    /// A number with a limit, or a constant in its place.
    pub(super) fn number(
        &mut self,
        what: &str,
        tokens: &[Token],
        at: &Range<usize>,
        limit: HoleRule,
        example: &str,
    ) -> Option<u32> {
        if let Some(path) = path(tokens) {
            return self.hole(what, &path, span(tokens, at), limit, example);
        }
        let value = self.integer(what, tokens, at, example)?;
        let value = u32::try_from(value).unwrap_or(u32::MAX);
        match limit.check(value) {
            None => Some(value),
            Some(rule) => {
                self.mistake(rule.into(), span(tokens, at));
                None
            }
        }
    }

    /// A whole number, written out.
    pub(super) fn integer(
        &mut self,
        what: &str,
        tokens: &[Token],
        at: &Range<usize>,
        example: &str,
    ) -> Option<i64> {
        let (negative, digits) = match tokens {
            [minus, digits] if minus.is_mark("-") => (true, Some(digits)),
            [digits] => (false, Some(digits)),
            _ => (false, None),
        };
        let at = span(tokens, at);
        let help = format!("write `{example}`");
        let rule = match digits {
            Some(digits) if digits.kind == TokenKind::Number => {
                let plain = digits.text.replace('_', "");
                if plain.bytes().all(|b| b.is_ascii_digit()) {
                    // Too many digits are above every limit anyway.
                    let value = plain.parse().unwrap_or(i64::MAX);
                    return Some(if negative { -value } else { value });
                }
                let whole = plain.split(|c: char| !c.is_ascii_digit()).next();
                Rule::new(
                    "number_form",
                    format!(
                        "{what} takes a whole number without suffix, not `{}`",
                        digits.text
                    ),
                )
                .help(match whole {
                    Some(whole) if plain[whole.len()..].starts_with(['u', 'i']) => {
                        format!("write `{whole}`")
                    }
                    _ => help,
                })
            }
            _ if tokens.is_empty() => {
                Rule::new("missing_value", format!("{what} takes a number")).help(help)
            }
            _ => Rule::new(
                "number_expected",
                format!("{what} takes a number, not `{}`", written(tokens)),
            )
            .help(help),
        };
        self.mistake(rule, at);
        None
    }

    fn hole(
        &mut self,
        what: &str,
        path: &str,
        at: Range<usize>,
        limit: HoleRule,
        example: &str,
    ) -> Option<u32> {
        if self.source == Source::Text || self.quoted {
            let rule = Rule::new(
                "constant_in_text",
                format!("{what} takes a number; a text cannot name the constant `{path}`"),
            );
            self.mistake(rule.help(format!("write `{example}`")), at);
            return None;
        }
        let stand_in = loop {
            let stand_in = self.next_stand_in;
            self.next_stand_in = stand_in.checked_sub(1)?;
            let digits = stand_in.to_string();
            if !self.texts.iter().any(|text| text.contains(&digits)) {
                break stand_in;
            }
        };
        self.holes.push(Hole {
            at,
            rule: limit,
            stand_in,
        });
        Some(stand_in)
    }
}
