//! The rules as they are written in the sources: `Rule::new("code", "sentence")`, and limits.

use std::collections::BTreeSet;
use std::fmt;
use std::path::{Path, PathBuf};

use bgtask::model::{HoleRule, StaticRule};
use proc_macro2::{Group, TokenStream, TokenTree};

/// One rule of the sources.
pub(crate) struct Rule {
    pub(crate) code: String,
    /// The sentence as written, with `{…}` where something is put in.
    sentence: String,
}

impl Rule {
    /// Whether `told` is this sentence.
    pub(crate) fn fits(&self, told: &str) -> bool {
        let mut rest = told;
        let mut pieces = self.pieces().into_iter();
        let first = pieces.next().unwrap_or_default();
        let Some(after) = rest.strip_prefix(first.as_str()) else {
            return false;
        };
        rest = after;
        let pieces: Vec<String> = pieces.collect();
        let Some((last, between)) = pieces.split_last() else {
            return rest.is_empty();
        };
        for piece in between {
            let Some(at) = rest.find(piece.as_str()) else {
                return false;
            };
            rest = &rest[at + piece.len()..];
        }
        rest.ends_with(last.as_str())
    }

    /// What stands around the places where something is put in.
    fn pieces(&self) -> Vec<String> {
        let mut pieces = vec![String::new()];
        let mut inside = false;
        for c in self.sentence.chars() {
            match c {
                '{' => inside = true,
                '}' => {
                    inside = false;
                    pieces.push(String::new());
                }
                c if !inside => pieces.last_mut().unwrap().push(c),
                _ => {}
            }
        }
        pieces
    }
}

impl fmt::Display for Rule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.code, self.sentence)
    }
}

/// All rules, and every text that stands in the tests of the model.
pub(crate) fn rules() -> (Vec<Rule>, BTreeSet<String>) {
    let (mut rules, mut tested) = (limits(), BTreeSet::new());
    for folder in ["runtime/model/src", "macros/src"] {
        for file in files(&parent().join(folder), "rs") {
            let text = std::fs::read_to_string(&file).unwrap();
            let tokens: TokenStream = text.parse().unwrap();
            if file
                .iter()
                .any(|part| part == "tests" || part == "tests.rs")
            {
                texts(tokens, &mut tested);
            } else {
                walk(tokens, &mut rules, &mut tested);
            }
        }
    }
    (rules, tested)
}

/// The limits of numbers, which are written by a macro.
fn limits() -> Vec<Rule> {
    let limits = HoleRule::ALL
        .iter()
        .filter_map(|limit| limit.check(u32::MAX));
    let rule = |limit: StaticRule| Rule {
        code: limit.code.to_owned(),
        sentence: limit.message.to_owned(),
    };
    limits.map(rule).collect()
}

fn walk(tokens: TokenStream, rules: &mut Vec<Rule>, tested: &mut BTreeSet<String>) {
    let trees: Vec<TokenTree> = tokens.into_iter().collect();
    let word = |at: usize, word: &str| matches!(trees.get(at), Some(TokenTree::Ident(ident)) if ident == word);
    for (at, tree) in trees.iter().enumerate() {
        let TokenTree::Group(group) = tree else {
            continue;
        };
        if at > 1 && word(at - 2, "mod") && word(at - 1, "tests") {
            texts(group.stream(), tested);
            continue;
        }
        if at > 3 && word(at - 4, "Rule") && word(at - 1, "new") {
            rules.push(rule(group));
        }
        walk(group.stream(), rules, tested);
    }
}

/// `("code", "sentence")` or `("code", format!("sentence", …))`
fn rule(arguments: &Group) -> Rule {
    let trees: Vec<TokenTree> = arguments.stream().into_iter().collect();
    let sentence = match &trees[2..] {
        [TokenTree::Ident(format), _, TokenTree::Group(inner), ..] if format == "format" => {
            inner.stream().into_iter().next()
        }
        [sentence, ..] => Some(sentence.clone()),
        [] => None,
    };
    let written = sentence.as_ref().and_then(text);
    Rule {
        code: text(&trees[0]).unwrap_or_else(|| panic!("no code in {arguments}")),
        sentence: written.unwrap_or_else(|| panic!("write the sentence in place: {arguments}")),
    }
}

fn text(tree: &TokenTree) -> Option<String> {
    let literal: syn::LitStr = syn::parse2(tree.clone().into()).ok()?;
    Some(literal.value())
}

fn texts(tokens: TokenStream, found: &mut BTreeSet<String>) {
    for tree in tokens {
        match &tree {
            TokenTree::Group(group) => texts(group.stream(), found),
            tree => found.extend(text(tree)),
        }
    }
}

/// The files below a folder whose name ends so.
pub(crate) fn files(folder: &Path, ending: &str) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(files(&path, ending));
        } else if path.extension().is_some_and(|found| found == ending) {
            found.push(path);
        }
    }
    found.sort();
    found
}

/// The folder of the whole project.
pub(crate) fn parent() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap()
}
