//! Reads the values of the other arguments.

use std::ops::Range;
use std::time::Duration;

use super::call::{Shape, inside};
use super::scope::{Scope, span, written};
use super::{Token, TokenKind};
use crate::rule::HoleRule;
use crate::word::{self, BACKOFFS, DELIVERIES, HOSTS, MISSED, OVERLAPS, OVERRUNS, PENDINGS, Table};
use crate::{Backoff, Delivery, Host, Missed, OnOverrun, Overlap, Pending, Retry, Rule, Sandbox};

/// Bytes of each unit of memory, largest first among the binary ones.
pub(crate) const MEMORY_UNITS: [(&str, u64); 7] = [
    ("GiB", 1 << 30),
    ("MiB", 1 << 20),
    ("KiB", 1 << 10),
    ("GB", 1_000_000_000),
    ("MB", 1_000_000),
    ("KB", 1_000),
    ("B", 1),
];

/// Below this no program starts.
const LEAST_MEMORY: u64 = 1 << 20;

const ONE_NUMBER: Shape = Shape {
    usage: "",
    values: 1,
    keys: &[],
    flags: &[],
};

impl Scope {
    pub(crate) fn host(&mut self, tokens: &[Token], at: &Range<usize>) -> Option<Host> {
        let usage = "host = process(\"media\")";
        let call = self.call("`host`", tokens, at, usage)?;
        let shape = |values| Shape {
            usage: if values == 0 {
                "in_process"
            } else {
                "process(\"media\")"
            },
            values,
            keys: &[],
            flags: &[],
        };
        let noted = self.mistakes.len();
        let host = match call.word.text.as_str() {
            "in_process" => {
                self.given(&call, &shape(0));
                Host::InProcess
            }
            "process" => {
                let given = self.given(&call, &shape(1));
                let group = match given.value(0) {
                    [] => None,
                    value => Some(self.name("the group of `process`", value, at, usage)?),
                };
                Host::Process { group }
            }
            other => {
                let rule = super::call::unknown("`host`", other, HOSTS.into_iter());
                self.mistake(rule, call.word.at.clone());
                return None;
            }
        };
        (self.mistakes.len() == noted).then_some(host)
    }

    pub(super) fn memory(&mut self, tokens: &[Token], at: &Range<usize>) -> Option<u64> {
        let example = "memory = \"512MiB\"";
        let text = self.text("`memory`", tokens, at, example)?;
        let digits = text.len() - text.trim_start_matches(|c: char| c.is_ascii_digit()).len();
        let (number, unit) = text.split_at(digits);
        let unit = unit.trim();
        let factor = MEMORY_UNITS.iter().find(|known| known.0 == unit);
        let rule = match (number.parse::<u64>(), factor) {
            (Ok(number), Some((_, factor))) => match number.checked_mul(*factor) {
                Some(bytes) if bytes >= LEAST_MEMORY && i64::try_from(bytes).is_ok() => {
                    return Some(bytes);
                }
                _ => Rule::new("memory_range", "`memory` takes 1MiB to 8388607GiB")
                    .help(format!("write `{example}`")),
            },
            (Ok(_), None) if !unit.contains('.') => {
                let rule = if unit.is_empty() {
                    Rule::new("memory_unit", format!("`{text}` has no unit"))
                } else {
                    Rule::new("memory_unit", format!("unknown unit `{unit}` of memory"))
                };
                let units = MEMORY_UNITS.iter().map(|unit| unit.0);
                match word::nearest(unit, units.clone()) {
                    Some(meant) if !unit.is_empty() => {
                        rule.help(format!("did you mean `{number}{meant}`?"))
                    }
                    _ => rule.help(format!("write {}", word::list(units))),
                }
            }
            _ => Rule::new("memory_form", format!("`{text}` is no amount of memory"))
                .help(format!("write a whole number and its unit, `{example}`")),
        };
        self.mistake(rule, span(tokens, at));
        None
    }

    pub(crate) fn retry(&mut self, tokens: &[Token], at: &Range<usize>) -> Option<Retry> {
        const SHAPE: Shape = Shape {
            usage: "retry(max = 5, backoff = exponential(\"1s\", max = \"10m\", jitter))",
            values: 0,
            keys: &["max", "backoff"],
            flags: &[],
        };
        let noted = self.mistakes.len();
        let given = self.sort("retry", tokens, &SHAPE);
        if self.mistakes.len() > noted {
            return None;
        }
        let max = match given.key("max") {
            Some((at, max)) => self.number("`max`", max, at, HoleRule::RetryMax, "retry(max = 5)"),
            None => {
                let rule = Rule::new("missing_value", "`retry` has no `max`");
                let rule =
                    rule.help("write how many further attempts there may be: `retry(max = 5)`");
                self.mistake(rule, at.clone());
                None
            }
        };
        let backoff = match given.key("backoff") {
            Some((at, value)) => self.backoff(value, at),
            None => Some(Backoff::DEFAULT),
        };
        Some(Retry {
            max: max?,
            backoff: backoff?,
        })
    }

    pub(crate) fn backoff(&mut self, tokens: &[Token], at: &Range<usize>) -> Option<Backoff> {
        const FIXED: Shape = Shape {
            usage: "fixed(\"10s\")",
            values: 1,
            keys: &[],
            flags: &[],
        };
        const EXPONENTIAL: Shape = Shape {
            usage: "exponential(\"1s\", max = \"10m\", jitter)",
            values: 1,
            keys: &["max"],
            flags: &["jitter"],
        };
        let call = self.call("`backoff`", tokens, at, EXPONENTIAL.usage)?;
        let noted = self.mistakes.len();
        let backoff = match call.word.text.as_str() {
            "fixed" => {
                let given = self.given(&call, &FIXED);
                let wait = self.duration("`fixed`", given.value(0), &call.at, FIXED.usage)?;
                Backoff::Fixed(wait)
            }
            "exponential" => {
                let given = self.given(&call, &EXPONENTIAL);
                let value = given.value(0);
                let first = self.duration("`exponential`", value, &call.at, EXPONENTIAL.usage);
                let max = match given.key("max") {
                    Some((at, value)) => self.duration("`max`", value, at, "max = \"10m\""),
                    None => first.map(|first| first.max(Backoff::LONGEST)),
                };
                let (first, max) = (first?, max?);
                if first > max {
                    let rule = Rule::new("backoff_order", "the first wait is longer than `max`");
                    self.mistake(rule.help("raise `max`, or write `fixed`"), call.at);
                    return None;
                }
                Backoff::Exponential {
                    first,
                    max,
                    jitter: given.flag("jitter"),
                }
            }
            other => {
                let rule = super::call::unknown("`backoff`", other, BACKOFFS.into_iter());
                self.mistake(rule, call.word.at.clone());
                return None;
            }
        };
        (self.mistakes.len() == noted).then_some(backoff)
    }

    /// A word of `table`, and the number in its parentheses if `limit` knows one for it.
    fn counted<T>(
        &mut self,
        argument: &str,
        tokens: &[Token],
        at: &Range<usize>,
        table: &Table<T>,
        limit: impl Fn(&T) -> Option<(HoleRule, &'static str)>,
    ) -> Option<(&'static T, u32)> {
        let what = format!("`{argument}`");
        let first = table.words().next().unwrap_or_default();
        let (call, value) =
            self.choice(&what, tokens, at, table, &format!("{argument} = {first}"))?;
        let Some((limit, usage)) = limit(value) else {
            if call.group.is_some() {
                let word = &call.word.text;
                self.alone(word, call.at, &format!("{argument} = {word}"));
                return None;
            }
            return Some((value, 0));
        };
        let noted = self.mistakes.len();
        let given = self.given(
            &call,
            &Shape {
                usage,
                ..ONE_NUMBER
            },
        );
        if self.mistakes.len() > noted {
            return None;
        }
        let what = format!("`{}`", call.word.text);
        let number = self.number(&what, given.value(0), &call.at, limit, usage)?;
        Some((value, number))
    }

    pub(crate) fn overlap(&mut self, tokens: &[Token], at: &Range<usize>) -> Option<Overlap> {
        let limit = |overlap: &Overlap| match overlap {
            Overlap::Queue(_) => Some((HoleRule::QueueLength, "queue(8)")),
            Overlap::Allow(_) => Some((HoleRule::AllowedRuns, "allow(4)")),
            Overlap::Skip | Overlap::Replace => None,
        };
        let (overlap, n) = self.counted("overlap", tokens, at, &OVERLAPS, limit)?;
        Some(match overlap {
            Overlap::Queue(_) => Overlap::Queue(n),
            Overlap::Allow(_) => Overlap::Allow(n),
            other => *other,
        })
    }

    pub(crate) fn pending(&mut self, tokens: &[Token], at: &Range<usize>) -> Option<Pending> {
        let limit = |pending: &Pending| match pending {
            Pending::Queue(_) => Some((HoleRule::QueueLength, "queue(8)")),
            Pending::Latest | Pending::First => None,
        };
        let (pending, n) = self.counted("pending", tokens, at, &PENDINGS, limit)?;
        Some(match pending {
            Pending::Queue(_) => Pending::Queue(n),
            other => *other,
        })
    }

    pub(crate) fn missed(&mut self, tokens: &[Token], at: &Range<usize>) -> Option<Missed> {
        let limit = |missed: &Missed| match missed {
            Missed::All(_) => Some((HoleRule::MissedRuns, "all(24)")),
            Missed::Once | Missed::Skip => None,
        };
        let (missed, n) = self.counted("missed", tokens, at, &MISSED, limit)?;
        Some(match missed {
            Missed::All(_) => Missed::All(n),
            other => *other,
        })
    }

    pub(crate) fn delivery(&mut self, tokens: &[Token], at: &Range<usize>) -> Option<Delivery> {
        let (delivery, _) = self.counted("delivery", tokens, at, &DELIVERIES, |_| None)?;
        Some(*delivery)
    }

    pub(crate) fn on_overrun(&mut self, tokens: &[Token], at: &Range<usize>) -> Option<OnOverrun> {
        let (overrun, _) = self.counted("on_overrun", tokens, at, &OVERRUNS, |_| None)?;
        Some(*overrun)
    }

    pub(super) fn priority(&mut self, tokens: &[Token], at: &Range<usize>) -> Option<i32> {
        let value = self.integer("`priority`", tokens, at, "priority = 10")?;
        let priority = i32::try_from(value).ok();
        if priority.is_none() {
            let rule = Rule::new(
                "priority_range",
                "`priority` takes -2147483648 to 2147483647",
            );
            self.mistake(rule.help("write `priority = 10`"), span(tokens, at));
        }
        priority
    }

    pub(super) fn nice(&mut self, tokens: &[Token], at: &Range<usize>) -> Option<i8> {
        let value = self.integer("`nice`", tokens, at, "nice = 10")?;
        let nice = i8::try_from(value)
            .ok()
            .filter(|nice| (-20..=19).contains(nice));
        if nice.is_none() {
            let rule = Rule::new("nice_range", "`nice` takes -20 to 19");
            self.mistake(
                rule.help("write `nice = 10` to yield to others"),
                span(tokens, at),
            );
        }
        nice
    }

    pub(super) fn grace(&mut self, tokens: &[Token], at: &Range<usize>) -> Option<Duration> {
        let grace = self.duration("`grace`", tokens, at, "grace = \"5s\"")?;
        if grace > Duration::from_secs(3600) {
            let rule = Rule::new("long_grace", "`grace` takes an hour or less");
            let help = "a run that is told to end gets `timeout` to work and `grace` to tidy up";
            self.mistake(rule.help(help), span(tokens, at));
            return None;
        }
        Some(grace)
    }

    pub(crate) fn sandbox(&mut self, tokens: &[Token], at: &Range<usize>) -> Option<Sandbox> {
        const SHAPE: Shape = Shape {
            usage: "sandbox(read = [\"/etc\"], write = [\"/var/lib/app\"])",
            values: 0,
            keys: &["read", "write"],
            flags: &[],
        };
        let noted = self.mistakes.len();
        let given = self.sort("sandbox", tokens, &SHAPE);
        let mut paths = |key| match given.key(key) {
            Some((at, value)) => self.paths(key, value, at),
            None => Some(Vec::new()),
        };
        let (read, write) = (paths("read"), paths("write"));
        if self.mistakes.len() > noted {
            return None;
        }
        let sandbox = Sandbox {
            read: read?,
            write: write?,
        };
        if sandbox.read.is_empty() && sandbox.write.is_empty() {
            let rule = Rule::new("empty_sandbox", "`sandbox` names no path");
            self.mistake(
                rule.help(format!("write `{}`", SHAPE.usage)),
                span(tokens, at),
            );
            return None;
        }
        Some(sandbox)
    }

    /// `["/a", "/b"]`
    fn paths(&mut self, key: &str, tokens: &[Token], at: &Range<usize>) -> Option<Vec<String>> {
        let example = format!("{key} = [\"/var/lib/app\"]");
        let Some(inner) = inside(tokens, "[") else {
            let rule = Rule::new("list_expected", format!("`{key}` takes a list of paths"));
            self.mistake(rule.help(format!("write `{example}`")), span(tokens, at));
            return None;
        };
        let mut paths = Vec::new();
        for item in self.items(inner) {
            let value = item.value;
            if let Some(word) = item.key {
                let rule = Rule::new(
                    "unexpected",
                    format!("unexpected `{} =` in a list", word.text),
                );
                self.mistake(rule.help(format!("write `{example}`")), word.at.clone());
                continue;
            }
            let what = format!("a path of `{key}`");
            paths.extend(self.absolute_path(&what, value, at, &example));
        }
        Some(paths)
    }

    pub(super) fn env(
        &mut self,
        tokens: &[Token],
        at: &Range<usize>,
    ) -> Option<Vec<(String, String)>> {
        let example = "env(KEY = \"value\")";
        let noted = self.mistakes.len();
        let mut variables: Vec<(String, String)> = Vec::new();
        let mut places: Vec<Range<usize>> = Vec::new();
        for item in self.items(tokens) {
            let Some(key) = item.key else {
                let rule = Rule::new(
                    "env_form",
                    format!(
                        "`env` takes `KEY = \"value\"`, not `{}`",
                        written(item.value)
                    ),
                );
                let rule = rule.help(format!("write `{example}`"));
                self.mistake(rule, span(item.value, at));
                continue;
            };
            let odd = |c: char| c == '=' || c.is_control() || c.is_whitespace();
            if key.text.is_empty() || key.text.contains(odd) {
                let rule = Rule::new(
                    "env_key",
                    format!("`{}` is no name of a variable", key.written()),
                );
                self.mistake(rule.help("write it without spaces and `=`"), key.at.clone());
                continue;
            }
            if let Some(first) = variables.iter().position(|known| known.0 == key.text) {
                let first = places[first].clone();
                self.twice(&key.text, key.at.clone(), first);
                continue;
            }
            let what = format!("`{}`", key.text);
            if let Some(value) = self.text(&what, item.value, &key.at, example) {
                variables.push((key.text.clone(), value));
                places.push(key.at.clone());
            }
        }
        if self.mistakes.len() > noted {
            return None;
        }
        if variables.is_empty() {
            let rule = Rule::new("missing_value", "`env` names no variable");
            self.mistake(rule.help(format!("write `{example}`")), at.clone());
            return None;
        }
        Some(variables)
    }

    pub(super) fn handle(&mut self, tokens: &[Token], at: &Range<usize>) -> Option<String> {
        if let [word] = tokens
            && word.kind == TokenKind::Word
        {
            return Some(word.text.clone());
        }
        let rule = Rule::new("handle_form", "`handle` takes the name of a type");
        self.mistake(rule.help("write `handle = SyncMail`"), span(tokens, at));
        None
    }
}
