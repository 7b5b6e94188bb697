//! Reads conditions.
//!
//! `!` binds closest, then `&&`, then `||`.

use std::ops::Range;

use super::draft::Source;
use super::placed::{Node, Placed};
use super::scope::{Scope, path, span, written};
use super::{Token, TokenKind};
use crate::rule::{HoleRule, check_load_thousandths};
use crate::word::{self, CONDITIONS, TRIGGERS};
use crate::{Predicate, Rule};

/// How many tokens a condition may have; looking for contradictions compares facts in pairs.
const SIZE_LIMIT: usize = 1024;
/// How deep parentheses and `!` may nest.
const DEPTH_LIMIT: usize = 32;

/// What is left to read.
struct Reader<'t> {
    tokens: &'t [Token],
    next: usize,
    /// Where to report that something is missing at the end.
    whole: Range<usize>,
}

impl<'t> Reader<'t> {
    fn peek(&self) -> Option<&'t Token> {
        self.tokens.get(self.next)
    }

    fn take(&mut self, mark: &str) -> bool {
        let found = self.peek().is_some_and(|token| token.is_mark(mark));
        self.next += usize::from(found);
        found
    }

    /// From the token at `start` to the last one read.
    fn since(&self, start: usize) -> Range<usize> {
        span(&self.tokens[start..self.next], &self.whole)
    }
}

impl Scope {
    /// The condition that `tokens` write; `at` is where to say that there is none.
    pub(crate) fn condition(&mut self, tokens: &[Token], at: &Range<usize>) -> Option<Placed> {
        if let [text] = tokens
            && text.kind == TokenKind::Text
        {
            let at = text.at.clone();
            return self.quoted("condition", text, |scope, tokens| {
                scope.condition_words(tokens, &at)
            });
        }
        self.condition_words(tokens, at)
    }

    fn condition_words(&mut self, tokens: &[Token], at: &Range<usize>) -> Option<Placed> {
        if tokens.len() > SIZE_LIMIT {
            let rule = Rule::new(
                "condition_size",
                "the condition has more than 1024 words and marks",
            );
            let rule = rule.help("write one condition of your own that sums them up");
            self.mistake(rule, span(tokens, at));
            return None;
        }
        let mut reader = Reader {
            tokens,
            next: 0,
            whole: span(tokens, at),
        };
        let placed = self.any(&mut reader, 0)?;
        if let Some(extra) = reader.peek() {
            self.unexpected_in_condition(extra);
            return None;
        }
        Some(placed)
    }

    fn any(&mut self, reader: &mut Reader<'_>, depth: usize) -> Option<Placed> {
        self.joined(
            reader,
            "||",
            |scope, reader| scope.all(reader, depth),
            Node::Any,
        )
    }

    fn all(&mut self, reader: &mut Reader<'_>, depth: usize) -> Option<Placed> {
        self.joined(
            reader,
            "&&",
            |scope, reader| scope.not(reader, depth),
            Node::All,
        )
    }

    fn joined<'t>(
        &mut self,
        reader: &mut Reader<'t>,
        mark: &str,
        part: impl Fn(&mut Self, &mut Reader<'t>) -> Option<Placed>,
        node: impl Fn(Vec<Placed>) -> Node,
    ) -> Option<Placed> {
        let start = reader.next;
        let mut parts = vec![part(self, reader)?];
        while reader.take(mark) {
            parts.push(part(self, reader)?);
        }
        if parts.len() == 1 {
            return parts.pop();
        }
        Some(Placed {
            at: reader.since(start),
            node: node(parts),
        })
    }

    fn not(&mut self, reader: &mut Reader<'_>, depth: usize) -> Option<Placed> {
        let start = reader.next;
        if depth > DEPTH_LIMIT {
            let rule = Rule::new("condition_depth", "the condition nests more than 32 deep");
            let at = reader
                .peek()
                .map_or(reader.whole.clone(), |token| token.at.clone());
            self.mistake(rule.help("write it flatter"), at);
            return None;
        }
        if reader.take("!") {
            let inner = self.not(reader, depth + 1)?;
            return Some(Placed {
                at: reader.since(start),
                node: Node::Not(Box::new(inner)),
            });
        }
        let spelled = reader.peek().filter(|token| token.is_word("not"));
        if let Some(token) = spelled
            && reader.tokens.get(reader.next + 1).is_some_and(begins_fact)
        {
            let rule = Rule::new("unexpected", "unexpected `not` in a condition");
            self.mistake(
                rule.help("write `!` before a fact that must not hold"),
                token.at.clone(),
            );
            reader.next += 1;
            self.not(reader, depth + 1)?;
            return Some(Placed {
                at: reader.since(start),
                node: Node::Wrong,
            });
        }
        let Some(token) = reader.peek() else {
            let rule = if reader.tokens.is_empty() {
                Rule::new("missing_value", "`condition` has no value")
            } else {
                Rule::new(
                    "condition_ends",
                    "the condition ends where a fact is expected",
                )
            };
            let at = reader
                .tokens
                .last()
                .map_or(reader.whole.clone(), |last| last.at.clone());
            self.mistake(rule.help("write `internet`, or `internet && ac_power`"), at);
            return None;
        };
        match token.kind {
            TokenKind::Open if token.text == "(" => {
                reader.next += 1;
                let mut inner = self.any(reader, depth + 1)?;
                match reader.peek() {
                    Some(close) if close.kind == TokenKind::Close => reader.next += 1,
                    Some(extra) => {
                        self.unexpected_in_condition(extra);
                        return None;
                    }
                    None => {
                        let rule = Rule::new("unbalanced", "`(` is not closed").help("add `)`");
                        self.mistake(rule, token.at.clone());
                        return None;
                    }
                }
                inner.at = reader.since(start);
                Some(inner)
            }
            TokenKind::Word => Some(self.fact(reader)),
            TokenKind::Mark if token.text == "::" => Some(self.fact(reader)),
            _ => {
                self.unexpected_in_condition(token);
                None
            }
        }
    }

    /// One fact, `word`, `word(value)` or a path.
    fn fact(&mut self, reader: &mut Reader<'_>) -> Placed {
        let start = reader.next;
        while reader
            .peek()
            .is_some_and(|token| token.kind == TokenKind::Word || token.is_mark("::"))
        {
            // Two words side by side are two facts with nothing between them.
            let after_word = reader.next > start && !reader.tokens[reader.next - 1].is_mark("::");
            if after_word
                && reader
                    .peek()
                    .is_some_and(|token| token.kind == TokenKind::Word)
            {
                break;
            }
            reader.next += 1;
        }
        let words = &reader.tokens[start..reader.next];
        let open = reader.peek().filter(|token| token.kind == TokenKind::Open);
        let group = open.and_then(|_| super::call::closing(reader.tokens, reader.next));
        let group = group.map(|close| {
            let inside = &reader.tokens[reader.next + 1..close];
            reader.next = close + 1;
            inside
        });
        let at = reader.since(start);
        let predicate = match words {
            [word] if word.kind == TokenKind::Word => self.known_fact(word, group, &at),
            words => self.user_fact(words, group, &at),
        };
        Placed {
            at,
            node: predicate.map_or(Node::Wrong, Node::Is),
        }
    }

    fn known_fact(
        &mut self,
        word: &Token,
        group: Option<&[Token]>,
        at: &Range<usize>,
    ) -> Option<Predicate> {
        let Some(known) = CONDITIONS.value(&word.text) else {
            let rule = unknown_condition(&word.text);
            self.mistake(rule, word.at.clone());
            return None;
        };
        let value = group.unwrap_or_default();
        match known {
            Predicate::BatteryAbove(_) => {
                let what = "`battery_above`";
                let limit = HoleRule::BatteryPercent;
                let percent = self.number(what, value, at, limit, "battery_above(30)")?;
                Some(Predicate::BatteryAbove(percent))
            }
            Predicate::LoadBelow(_) => self.load(value, at).map(Predicate::LoadBelow),
            known => match group {
                None => Some(known.clone()),
                Some(_) => {
                    self.alone(&word.text, at.clone(), &word.text);
                    None
                }
            },
        }
    }

    /// `0.8`, in thousandths.
    fn load(&mut self, tokens: &[Token], at: &Range<usize>) -> Option<u32> {
        let at = span(tokens, at);
        let thousandths = match tokens {
            [number] if number.kind == TokenKind::Number => thousandths(&number.text),
            _ => None,
        };
        let rule = match thousandths {
            Some(thousandths) => match check_load_thousandths(thousandths) {
                None => return Some(thousandths),
                Some(rule) => rule.into(),
            },
            None => {
                let rule = match tokens {
                    [] => Rule::new("missing_value", "`load_below` takes a number"),
                    tokens => Rule::new(
                        "load_number",
                        format!(
                            "`load_below` takes a number with at most three decimals, not `{}`",
                            written(tokens)
                        ),
                    ),
                };
                rule.help("write `load_below(0.8)`")
            }
        };
        self.mistake(rule, at);
        None
    }

    fn user_fact(
        &mut self,
        words: &[Token],
        group: Option<&[Token]>,
        at: &Range<usize>,
    ) -> Option<Predicate> {
        let place = span(words, at);
        let Some(path) = path(words) else {
            let rule = Rule::new("path_form", format!("`{}` is no path", written(words)));
            self.mistake(
                rule.help("write `self::vpn_up` or `crate::net::vpn_up`"),
                place,
            );
            return None;
        };
        if group.is_some() {
            self.alone(&path, at.clone(), &path);
            return None;
        }
        let relative = ["self::", "super::", "crate::", "::"]
            .iter()
            .any(|start| path.starts_with(start));
        if self.source == Source::Text && relative {
            let rule = Rule::new(
                "relative_path",
                format!("`{path}` has no meaning outside its module"),
            );
            let rule = rule.help("write the path from the crate's name, `app::conditions::vpn_up`");
            self.mistake(rule, place);
            return None;
        }
        if !path.trim_start_matches("::").contains("::") {
            let rule = Rule::new("path_form", format!("`{path}` is no path of a condition"));
            self.mistake(
                rule.help("write `self::vpn_up` or `crate::net::vpn_up`"),
                place,
            );
            return None;
        }
        self.user_conditions.push((place, path.clone()));
        Some(Predicate::User(path))
    }

    fn unexpected_in_condition(&mut self, token: &Token) {
        let rule = Rule::new(
            "unexpected",
            format!("unexpected `{}` in a condition", token.written()),
        );
        let help = match (token.kind, token.text.as_str()) {
            (_, "&" | "and" | "," | "+") => {
                "write `&&` between facts that must all hold".to_owned()
            }
            (_, "|" | "or") => "write `||` between alternatives".to_owned(),
            (TokenKind::Text, text) if !text.is_empty() && text.len() < 40 => {
                format!("write `{text}` without quotes")
            }
            (TokenKind::Word, _) => "write `&&` or `||` between two facts".to_owned(),
            _ => "facts are joined by `&&`, `||`, `!` and parentheses".to_owned(),
        };
        self.mistake(rule.help(help), token.at.clone());
    }
}

fn begins_fact(token: &Token) -> bool {
    matches!(token.kind, TokenKind::Word | TokenKind::Open)
}

fn unknown_condition(text: &str) -> Rule {
    let rule = Rule::new("unknown_condition", format!("unknown condition `{text}`"));
    if TRIGGERS.value(text).is_some() {
        return rule.help(format!(
            "`{text}` is a trigger: write it behind `trigger =`"
        ));
    }
    let own = format!("a condition of your own is written as a path: `self::{text}`");
    match word::nearest(text, CONDITIONS.words()) {
        Some(meant) => rule.help(format!("did you mean `{meant}`?")).help(own),
        None => rule
            .help(own)
            .help(format!("the known ones are {}", CONDITIONS.list())),
    }
}

/// A decimal number of at most three places, in thousandths.
fn thousandths(text: &str) -> Option<u32> {
    let plain = text.replace('_', "");
    let (whole, fraction) = plain.split_once('.').unwrap_or((&plain, ""));
    let digits = |text: &str| text.bytes().all(|b| b.is_ascii_digit());
    if whole.is_empty() || !digits(whole) || !digits(fraction) || fraction.len() > 3 {
        return None;
    }
    let fraction: u32 = format!("{fraction:0<3}").parse().ok()?;
    // Too many digits are above the limit anyway.
    let whole: u32 = whole.parse().unwrap_or(u32::MAX);
    Some(whole.saturating_mul(1000).saturating_add(fraction))
}
