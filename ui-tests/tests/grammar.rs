//! The grammar in the documentation is the one that is read: each of its words is known, each
//! known word is in it, and what it allows is accepted.

use std::collections::{BTreeMap, BTreeSet};

use bgtask::model::grammar::{Draft, Identity, tokenize, words};

const PAGE: &str = include_str!("../../runtime/src/grammar.md");

/// What may stand for a name that has no rule.
const EXAMPLES: [(&str, &[&str]); 14] = [
    ("text", &["\"/text\""]),
    ("duration", &["\"90s\"", "\"1m 30s\""]),
    ("memory", &["\"512MiB\"", "\"2GB\""]),
    ("cron", &["\"0 3 * * Mon-Fri\""]),
    ("clock", &["\"02:30\"", "\"02:30:15\""]),
    ("zone", &["\"Europe/Berlin\""]),
    (
        "address",
        &["\"tcp://127.0.0.1:7000\"", "\"unix:/run/app\""],
    ),
    ("minutes", &["15", "1_439", "limits::MINUTES"]),
    ("number", &["5"]),
    ("percent", &["0", "99"]),
    ("load", &["0.8", "2"]),
    ("identifier", &["Key", "OTHER"]),
    ("own_condition", &["self::vpn_up", "crate::net::vpn_up"]),
    ("path", &["::facade::bgtask"]),
];

/// How deep rules are followed that name themselves.
const DEPTH: usize = 12;

#[derive(Debug)]
enum Part {
    Word(String),
    Rule(String),
    All(Vec<Self>),
    Either(Vec<Self>),
    Optional(Box<Self>),
    Repeated(Box<Self>),
}

struct Grammar(BTreeMap<String, Part>);

impl Grammar {
    fn read() -> Self {
        let block = PAGE.split("```").nth(1).unwrap();
        let block = block.strip_prefix("text\n").unwrap();
        let mut marks: Vec<&str> = Vec::new();
        let mut rules = BTreeMap::new();
        let mut name = "";
        for line in block.lines().filter(|line| !line.is_empty()) {
            let mut rest = line.split_whitespace();
            if !line.starts_with(' ') {
                if !name.is_empty() {
                    rules.insert(name.to_owned(), either(&mut marks.drain(..).peekable()));
                }
                name = rest.next().unwrap();
                assert_eq!(rest.next(), Some("="), "{line}");
            }
            marks.extend(rest);
        }
        rules.insert(name.to_owned(), either(&mut marks.drain(..).peekable()));
        Self(rules)
    }

    /// Texts that a rule allows: every alternative and every option is in one of them.
    fn samples(&self, part: &Part, depth: usize) -> Vec<String> {
        let deep = depth > DEPTH;
        let inner = |part: &Part| self.samples(part, depth + 1);
        match part {
            Part::Word(word) => vec![word.clone()],
            Part::Rule(name) => match self.0.get(name) {
                Some(rule) => inner(rule),
                None => {
                    let example = EXAMPLES.iter().find(|example| example.0 == name);
                    let texts = example.unwrap_or_else(|| panic!("`{name}` has no rule")).1;
                    texts.iter().map(ToString::to_string).collect()
                }
            },
            Part::All(parts) => {
                let parts: Vec<_> = parts.iter().map(inner).collect();
                let most = parts.iter().map(Vec::len).max().unwrap_or_default();
                let nth = |index: usize| {
                    let words = parts.iter().map(|part| part[index % part.len()].as_str());
                    words
                        .filter(|word| !word.is_empty())
                        .collect::<Vec<_>>()
                        .join(" ")
                };
                (0..most).map(nth).collect()
            }
            Part::Either(parts) if deep => inner(&parts[0]),
            Part::Either(parts) => parts.iter().flat_map(inner).collect(),
            Part::Optional(_) | Part::Repeated(_) if deep => vec![String::new()],
            Part::Optional(part) => with_nothing(inner(part)),
            Part::Repeated(part) => with_nothing(inner(part)),
        }
    }

    fn words(&self) -> BTreeSet<&str> {
        fn collect<'g>(part: &'g Part, found: &mut BTreeSet<&'g str>) {
            match part {
                Part::Word(word) => drop(found.insert(word)),
                Part::Rule(_) => {}
                Part::All(parts) | Part::Either(parts) => {
                    parts.iter().for_each(|part| collect(part, found));
                }
                Part::Optional(part) | Part::Repeated(part) => collect(part, found),
            }
        }
        let mut found = BTreeSet::new();
        self.0.values().for_each(|rule| collect(rule, &mut found));
        found
    }
}

fn with_nothing(mut samples: Vec<String>) -> Vec<String> {
    samples.push(String::new());
    samples
}

type Marks<'m, 'g> = std::iter::Peekable<std::vec::Drain<'m, &'g str>>;

fn either(marks: &mut Marks<'_, '_>) -> Part {
    let mut parts = vec![all(marks)];
    while marks.next_if_eq(&"|").is_some() {
        parts.push(all(marks));
    }
    if parts.len() == 1 {
        return parts.remove(0);
    }
    Part::Either(parts)
}

fn all(marks: &mut Marks<'_, '_>) -> Part {
    let mut parts = Vec::new();
    while let Some(mark) = marks.next_if(|mark| !["|", ")", "]", "}"].contains(mark)) {
        let part = match mark {
            "(" => either(marks),
            "[" => Part::Optional(Box::new(either(marks))),
            "{" => Part::Repeated(Box::new(either(marks))),
            word if word.starts_with('"') => Part::Word(word.trim_matches('"').to_owned()),
            name => Part::Rule(name.to_owned()),
        };
        if ["(", "[", "{"].contains(&mark) {
            assert!(marks.next().is_some(), "`{mark}` is not closed");
        }
        parts.push(part);
    }
    Part::All(parts)
}

/// Whether a declaration of these arguments is accepted; else why not.
fn accepted(arguments: &[&str]) -> Result<(), String> {
    let mut draft = Draft::new();
    for argument in arguments {
        let mut tokens = tokenize(argument).map_err(|mistake| mistake.to_string())?;
        let value = tokens.split_off(1);
        let equals = value.first().is_some_and(|token| token.text == "=");
        let value = value.into_iter().skip(usize::from(equals)).collect();
        draft.argument(tokens.remove(0), value);
    }
    let identity = Identity {
        default_name: "app::task".to_owned(),
        function: "app::task".to_owned(),
        description: None,
    };
    let mut mistakes = draft.finish(identity, 0..0).err().unwrap_or_default();
    // The page says so below the rules.
    mistakes.retain(|mistake| !["given_twice", "contradiction"].contains(&mistake.rule.code));
    mistakes
        .first()
        .map_or(Ok(()), |mistake| Err(mistake.to_string()))
}

#[test]
fn what_it_allows_is_accepted() {
    let grammar = Grammar::read();
    let samples = grammar.samples(&grammar.0["argument"], 0);
    assert!(samples.len() > 100, "{} samples", samples.len());
    for sample in samples.iter().filter(|sample| !sample.starts_with("crate")) {
        // Some go with some triggers and hosts only.
        let surroundings: [&[&str]; 4] = [
            &["trigger = time(15)", "condition = internet"],
            &["trigger = application", "host = process"],
            &["host = process"],
            &["trigger = application"],
        ];
        let word = sample.split(' ').next().unwrap();
        let refused: Vec<String> = surroundings
            .iter()
            .map_while(|around| {
                let around = around.iter().filter(|other| !other.starts_with(word));
                let arguments: Vec<&str> = around.copied().chain([sample.as_str()]).collect();
                accepted(&arguments).err()
            })
            .collect();
        assert!(
            refused.len() < surroundings.len(),
            "{sample}\n{}",
            refused.join("\n")
        );
    }
}

#[test]
fn every_word_is_in_it() {
    let grammar = Grammar::read();
    let written = grammar.words();
    for (family, words) in words() {
        for word in words {
            // Units stand in texts, and so below the rules.
            let unit = family == "memory" && PAGE.contains(&format!("`{word}`"));
            assert!(
                unit || written.contains(word),
                "`{word}` of `{family}` is missing"
            );
        }
    }
}
