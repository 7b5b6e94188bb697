//! Errors about what is read here.

use std::{fmt::Display, io, path::Path};

use serde_json::Value;

use super::collected::MOST_ENTRIES;
use crate::{Code, Error};

pub(super) fn damaged(rule: impl AsRef<str>) -> Error {
    Error::new(Code::Manifest, shown(rule.as_ref()))
}

/// With what a parser of JSON says, and where.
pub(super) fn not_json(rule: &str, error: &serde_json::Error) -> Error {
    damaged(rule).source(shown(&error.to_string()))
}

pub(super) fn too_many() -> Error {
    damaged(format!("there are more than {MOST_ENTRIES} tasks"))
        .remedy("divide the program, or give one task arguments that say what to do")
}

pub(super) fn unreadable(path: &Path, error: io::Error) -> Error {
    damaged(format!("`{}` cannot be read", path.display())).source(error)
}

/// Says which file an error is about.
pub(super) fn in_file(path: &Path, error: Error) -> Error {
    at(format_args!("`{}`", path.display()), error)
}

/// Says which place an error is about.
pub(super) fn at(place: impl Display, error: Error) -> Error {
    let rule = shown(&format!("{place}: {}", error.rule()));
    let mut placed = Error::new(error.code(), rule);
    if let Some(task) = error.task_name() {
        placed = placed.task(task);
    }
    if let Some(help) = error.help() {
        placed = placed.remedy(help);
    }
    match std::error::Error::source(&error) {
        Some(source) => placed.source(source.to_string()),
        None => placed,
    }
}

/// What a hostile text may say to a person: it is shown, and does nothing to a terminal.
pub(super) fn shown(text: &str) -> String {
    let plain = |c: char| !c.is_control() || c == '\n';
    if text.chars().all(plain) {
        return text.to_owned();
    }
    let mut shown = String::with_capacity(text.len());
    for c in text.chars() {
        if plain(c) {
            shown.push(c);
        } else {
            shown.extend(c.escape_default());
        }
    }
    shown
}

pub(super) fn kind(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "a flag",
        Value::Number(_) => "a number",
        Value::String(_) => "a text",
        Value::Array(_) => "a list",
        Value::Object(_) => "an object",
    }
}
