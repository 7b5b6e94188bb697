//! `word`, `word(value, key = value, flag)`: the one shape of triggers, hosts and options.

use std::ops::Range;

use super::scope::{Scope, span, written};
use super::{Mistake, Token, TokenKind};
use crate::Rule;
use crate::word::{self, Table};

/// A word and what stands in parentheses behind it.
#[derive(Debug)]
pub(super) struct Call<'t> {
    pub(super) word: &'t Token,
    /// `None` without parentheses.
    pub(super) group: Option<&'t [Token]>,
    pub(super) at: Range<usize>,
}

/// What may stand in the parentheses.
#[derive(Debug)]
pub(super) struct Shape {
    /// How it is written.
    pub(super) usage: &'static str,
    /// How many values without a key.
    pub(super) values: usize,
    pub(super) keys: &'static [&'static str],
    pub(super) flags: &'static [&'static str],
}

/// What stood there, sorted.
#[derive(Debug, Default)]
pub(super) struct Given<'t> {
    pub(super) values: Vec<&'t [Token]>,
    keys: Vec<(&'static str, Range<usize>, &'t [Token])>,
    flags: Vec<(&'static str, Range<usize>, bool)>,
    /// Something there is wrong, and was told: it may be what seems to be missing.
    pub(super) wrong: bool,
}

impl<'t> Given<'t> {
    /// The value at a position, empty if missing, so that reading it says what is missing.
    pub(super) fn value(&self, position: usize) -> &'t [Token] {
        self.values.get(position).copied().unwrap_or_default()
    }

    pub(super) fn key(&self, key: &str) -> Option<(&Range<usize>, &'t [Token])> {
        let found = self.keys.iter().find(|given| given.0 == key)?;
        Some((&found.1, found.2))
    }

    pub(super) fn flag(&self, flag: &str) -> bool {
        self.flags.iter().any(|given| given.0 == flag && given.2)
    }

    pub(super) fn flag_at(&self, flag: &str) -> Option<Range<usize>> {
        let found = self.flags.iter().find(|given| given.0 == flag)?;
        Some(found.1.clone())
    }
}

/// One element of a list; `at` is its first comma or the list itself if it is empty.
#[derive(Debug)]
pub(super) struct Item<'t> {
    pub(super) key: Option<&'t Token>,
    pub(super) value: &'t [Token],
}

/// The position of the bracket that closes the one at `open`.
pub(super) fn closing(tokens: &[Token], open: usize) -> Option<usize> {
    let mut depth = 0_usize;
    for (index, token) in tokens.iter().enumerate().skip(open) {
        match token.kind {
            TokenKind::Open => depth += 1,
            TokenKind::Close => {
                depth = depth.checked_sub(1)?;
                if depth == 0 {
                    return Some(index);
                }
            }
            _ => {}
        }
    }
    None
}

/// The inside of `bracket … )` if the tokens are exactly that.
pub(super) fn inside<'t>(tokens: &'t [Token], bracket: &str) -> Option<&'t [Token]> {
    let first = tokens.first()?;
    let wraps = first.kind == TokenKind::Open
        && first.text == bracket
        && closing(tokens, 0) == Some(tokens.len() - 1);
    wraps.then(|| &tokens[1..tokens.len() - 1])
}

impl Scope {
    /// A word with or without parentheses. `what` is what the word is, for the sentence.
    pub(super) fn call<'t>(
        &mut self,
        what: &str,
        tokens: &'t [Token],
        at: &Range<usize>,
        example: &str,
    ) -> Option<Call<'t>> {
        let whole = span(tokens, at);
        let (rule, at) = match tokens {
            [] => {
                let rule = Rule::new("missing_value", format!("{what} has no value"));
                (rule.help(format!("write `{example}`")), whole)
            }
            [word, ..] if word.kind != TokenKind::Word => {
                let rule = Rule::new(
                    "word_expected",
                    format!("{what} takes a word, not `{}`", word.written()),
                );
                let quoted =
                    word.kind == TokenKind::Text && !word.text.is_empty() && word.text.len() < 40;
                let help = if quoted {
                    format!("write `{}` without quotes", word.text)
                } else {
                    format!("write `{example}`")
                };
                (rule.help(help), word.at.clone())
            }
            [word] => {
                return Some(Call {
                    word,
                    group: None,
                    at: whole,
                });
            }
            [word, open, ..] => {
                let group = (open.kind == TokenKind::Open && open.text == "(")
                    .then(|| closing(tokens, 1))
                    .flatten();
                let rest = group.map_or(1, |close| close + 1);
                if let Some(extra) = tokens.get(rest) {
                    let rule = Rule::new(
                        "unexpected",
                        format!(
                            "unexpected `{}` after `{}`",
                            extra.written(),
                            written(&tokens[..rest])
                        ),
                    );
                    (
                        rule.help(format!("{what} is one value: write `{example}`")),
                        extra.at.clone(),
                    )
                } else {
                    return Some(Call {
                        word,
                        group: group.map(|close| &tokens[2..close]),
                        at: whole,
                    });
                }
            }
        };
        self.mistake(rule, at);
        None
    }

    /// A call whose word is in `table`.
    pub(super) fn choice<'t, T>(
        &mut self,
        what: &str,
        tokens: &'t [Token],
        at: &Range<usize>,
        table: &Table<T>,
        example: &str,
    ) -> Option<(Call<'t>, &'static T)> {
        let call = self.call(what, tokens, at, example)?;
        match table.value(&call.word.text) {
            Some(value) => Some((call, value)),
            None => {
                let rule = unknown(what, &call.word.text, table.words());
                self.mistake(rule, call.word.at.clone());
                None
            }
        }
    }

    /// The elements between commas; a comma at the end is fine.
    pub(super) fn items<'t>(&mut self, tokens: &'t [Token]) -> Vec<Item<'t>> {
        let mut items = Vec::new();
        let mut depth = 0_usize;
        let mut start = 0;
        for index in 0..=tokens.len() {
            let comma = match tokens.get(index) {
                None => true,
                Some(token) => {
                    match token.kind {
                        TokenKind::Open => depth += 1,
                        TokenKind::Close => depth = depth.saturating_sub(1),
                        _ => {}
                    }
                    depth == 0 && token.is_mark(",")
                }
            };
            if !comma {
                continue;
            }
            match &tokens[start..index] {
                [] => {
                    if let Some(comma) = tokens.get(index) {
                        let rule = Rule::new("unexpected", "unexpected `,`").help("remove it");
                        self.mistake(rule, comma.at.clone());
                    }
                }
                [key, equals, value @ ..]
                    if equals.is_mark("=")
                        && matches!(key.kind, TokenKind::Word | TokenKind::Text) =>
                {
                    items.push(Item {
                        key: Some(key),
                        value,
                    });
                }
                value => items.push(Item { key: None, value }),
            }
            start = index + 1;
        }
        items
    }

    /// Sorts what stands in the parentheses of `call` by `shape`.
    pub(super) fn given<'t>(&mut self, call: &Call<'t>, shape: &Shape) -> Given<'t> {
        self.sort(&call.word.text, call.group.unwrap_or_default(), shape)
    }

    pub(super) fn sort<'t>(&mut self, what: &str, tokens: &'t [Token], shape: &Shape) -> Given<'t> {
        let mut given = Given::default();
        let noted = self.mistakes.len();
        for item in self.items(tokens) {
            match item.key {
                Some(key) => self.sort_key(what, key, item.value, shape, &mut given),
                None => self.sort_value(what, item.value, shape, &mut given),
            }
        }
        given.wrong = self.mistakes.len() > noted;
        given
    }

    fn sort_key<'t>(
        &mut self,
        what: &str,
        key: &'t Token,
        value: &'t [Token],
        shape: &Shape,
        given: &mut Given<'t>,
    ) {
        let first = if let Some(known) = shape.keys.iter().find(|known| key.is_word(known)) {
            let first = given.keys.iter().find(|given| given.0 == *known);
            let first = first.map(|given| given.1.clone());
            given.keys.push((known, key.at.clone(), value));
            first
        } else if let Some(known) = shape.flags.iter().find(|known| key.is_word(known)) {
            let first = given.flag_at(known);
            if let Some(on) = self.flag(&format!("`{known}`"), value, &key.at) {
                given.flags.push((known, key.at.clone(), on));
            }
            first
        } else {
            let known = shape.keys.iter().chain(shape.flags).copied();
            let rule = match known.clone().next() {
                Some(_) => unknown(&format!("`{what}`"), &key.text, known),
                None => Rule::new("unknown_word", format!("`{what}` takes no `{}`", key.text)),
            };
            self.mistake(
                rule.help(format!("write `{}`", shape.usage)),
                key.at.clone(),
            );
            return;
        };
        if let Some(first) = first {
            self.twice(&key.text, key.at.clone(), first);
        }
    }

    fn sort_value<'t>(
        &mut self,
        what: &str,
        value: &'t [Token],
        shape: &Shape,
        given: &mut Given<'t>,
    ) {
        if let [word] = value
            && word.kind == TokenKind::Word
        {
            if let Some(flag) = shape.flags.iter().find(|flag| word.is_word(flag)) {
                if let Some(first) = given.flag_at(flag) {
                    self.twice(flag, word.at.clone(), first);
                }
                given.flags.push((flag, word.at.clone(), true));
                return;
            }
            // A constant may stand here, but one that is nearly a flag was meant as the flag.
            let meant = word::nearest(&word.text, shape.flags.iter().copied());
            if let Some(meant) = meant.filter(|_| word.text.len() > 2) {
                let rule = Rule::new("unknown_word", format!("unknown word `{}`", word.text));
                self.mistake(
                    rule.help(format!("did you mean `{meant}`?")),
                    word.at.clone(),
                );
                return;
            }
        }
        if given.values.len() == shape.values {
            let value_text = written(value);
            let rule = if shape.values == 0 {
                Rule::new("unexpected", format!("`{what}` takes no `{value_text}`"))
            } else {
                Rule::new(
                    "unexpected",
                    format!("unexpected `{value_text}` in `{what}`"),
                )
            };
            let rule = rule.help(format!("write `{}`", shape.usage));
            self.mistake(rule, span(value, &(0..0)));
            return;
        }
        given.values.push(value);
    }

    pub(super) fn twice(&mut self, word: &str, at: Range<usize>, first: Range<usize>) {
        let rule =
            Rule::new("given_twice", format!("`{word}` is given twice")).help("keep one of them");
        self.mistakes
            .push(Mistake::new(rule, at).also(first, "given first here"));
    }

    /// A word that stands alone has parentheses.
    pub(super) fn alone(&mut self, word: &str, at: Range<usize>, usage: &str) {
        let rule = Rule::new(
            "unexpected",
            format!("`{word}` takes nothing in parentheses"),
        );
        self.mistake(rule.help(format!("write `{usage}`")), at);
    }

    /// A flag: alone it is set.
    pub(super) fn flag(&mut self, what: &str, tokens: &[Token], at: &Range<usize>) -> Option<bool> {
        match tokens {
            [] => Some(true),
            [word] if word.is_word("true") => Some(true),
            [word] if word.is_word("false") => Some(false),
            _ => {
                let rule = Rule::new(
                    "flag_value",
                    format!("{what} takes `true` or `false`, not `{}`", written(tokens)),
                );
                let meant = word::nearest(&written(tokens), ["true", "false"].into_iter());
                let rule = match meant {
                    Some(meant) => rule.help(format!("did you mean `{meant}`?")),
                    None => rule.help("the word alone is the same as `= true`"),
                };
                self.mistake(rule, span(tokens, at));
                None
            }
        }
    }
}

/// An unknown word, with the nearest known one or all of them.
pub(super) fn unknown<'w>(
    what: &str,
    text: &str,
    known: impl Iterator<Item = &'w str> + Clone,
) -> Rule {
    let rule = Rule::new("unknown_word", format!("{what} knows no `{text}`"));
    match word::nearest(text, known.clone()) {
        Some(meant) => rule.help(format!("did you mean `{meant}`?")),
        None => rule.help(format!("expected {}", word::list(known))),
    }
}
