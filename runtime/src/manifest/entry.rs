//! One entry: a declaration as JSON, framed so that it can be found among other bytes.
//!
//! A frame is `\u{2}BGTASK1\u{2}`, a JSON object, `\u{3}\n`. JSON has no raw control characters
//! ([RFC 8259, section 7](https://www.rfc-editor.org/rfc/rfc8259#section-7)), so neither mark can
//! occur inside. The number is the format's version.

use std::fmt;

use bgtask_model::{Declaration, FieldValue, Mistake, grammar::Identity};
use serde::{Serialize, Serializer, ser::SerializeMap};
use serde_json::{Map, Value};

use crate::{Code, Error, Result};

/// What every frame starts with, before its version.
const OPEN: &[u8] = b"\x02BGTASK";
/// The version of the format that is read here.
const FORMAT: &[u8] = b"1";
/// No entry is longer; a declaration is some hundred bytes.
pub(super) const LONGEST_ENTRY: usize = 256 * 1024;
/// No program has more tasks.
pub(super) const MOST_ENTRIES: usize = 10_000;
/// No grammar word nests deeper or is longer, so that reading a hostile text ends soon.
const LONGEST_FIELD: usize = 16 * 1024;

/// One declared task of an executable.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// What the attribute says.
    pub declaration: Declaration,
    /// The package that declares it.
    pub crate_name: String,
    /// That package's version.
    pub crate_version: String,
    /// The version of `bgtask-macros` that read the attribute.
    pub macros: String,
}

impl Entry {
    /// The task's name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.declaration.name
    }

    /// Where it is declared: ``function `app::sync` of app 0.1.0``.
    #[must_use]
    pub fn place(&self) -> String {
        format!(
            "function `{}` of {} {}",
            self.declaration.function, self.crate_name, self.crate_version
        )
    }

    /// Reads one whole frame, as the attribute makes it.
    ///
    /// # Errors
    ///
    /// [`Code::Manifest`]: it is not one whole frame of this format, or its declaration breaks a
    /// rule of the grammar.
    pub fn from_frame(frame: &[u8]) -> Result<Self> {
        let mut entries = read_section(frame)?;
        match (entries.pop(), entries.is_empty()) {
            (Some(entry), true) => Ok(entry),
            _ => Err(damaged("one task entry was expected")),
        }
    }

    /// The frame that the attribute makes.
    #[must_use]
    pub fn to_frame(&self) -> Vec<u8> {
        let json = self.to_json();
        [OPEN, FORMAT, b"\x02", json.as_bytes(), b"\x03\n"].concat()
    }

    /// The entry as one line of JSON.
    #[must_use]
    pub fn to_json(&self) -> String {
        // A map of texts, numbers and flags: there is no way to fail.
        serde_json::to_string(self).unwrap_or_default()
    }

    /// Reads the JSON of an entry.
    ///
    /// # Errors
    ///
    /// [`Code::Manifest`]: it is not JSON, not an object, a field is missing, unknown or of the
    /// wrong type, or the declaration breaks a rule of the grammar.
    pub fn from_json(json: &[u8]) -> Result<Self> {
        let value = serde_json::from_slice(json)
            .map_err(|error| damaged("a task entry is not JSON").source(error))?;
        Self::from_value(value)
    }

    pub(super) fn from_value(value: Value) -> Result<Self> {
        let Value::Object(mut map) = value else {
            return Err(damaged("a task entry is not a JSON object"));
        };
        let name = required(&mut map, "name", None)?;
        let function = required(&mut map, "function", Some(&name))?;
        let crate_name = required(&mut map, "crate", Some(&name))?;
        let crate_version = required(&mut map, "crate_version", Some(&name))?;
        let macros = required(&mut map, "macros", Some(&name))?;
        let description = map
            .contains_key("description")
            .then(|| required(&mut map, "description", Some(&name)))
            .transpose()?;
        let mut fields = vec![("name".to_owned(), FieldValue::Text(name.clone()))];
        for (word, value) in map {
            let value = field_value(&word, value).map_err(|error| error.task(&name))?;
            fields.push((word, value));
        }
        let identity = Identity {
            default_name: name.clone(),
            function,
            description,
        };
        let declaration = Declaration::from_fields(identity, fields.into_iter())
            .map_err(|mistakes| refused(&mistakes, &macros).task(&name))?;
        Ok(Self {
            declaration,
            crate_name,
            crate_version,
            macros,
        })
    }
}

impl Serialize for Entry {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        map.serialize_entry("name", &self.declaration.name)?;
        map.serialize_entry("function", &self.declaration.function)?;
        map.serialize_entry("crate", &self.crate_name)?;
        map.serialize_entry("crate_version", &self.crate_version)?;
        map.serialize_entry("macros", &self.macros)?;
        if let Some(description) = &self.declaration.description {
            map.serialize_entry("description", description)?;
        }
        for (word, value) in self.declaration.fields() {
            match value {
                FieldValue::Text(text) => map.serialize_entry(word, &text)?,
                FieldValue::Bool(flag) => map.serialize_entry(word, &flag)?,
                FieldValue::Int(number) => map.serialize_entry(word, &number)?,
            }
        }
        map.end()
    }
}

fn required(map: &mut Map<String, Value>, word: &str, task: Option<&str>) -> Result<String> {
    let error = match map.remove(word) {
        Some(Value::String(text)) if text.len() <= LONGEST_FIELD => return Ok(text),
        Some(Value::String(_)) => damaged(format!("the field `{word}` is too long")),
        Some(other) => damaged(format!(
            "the field `{word}` must be a text, not {}",
            kind(&other)
        )),
        None => damaged(format!("the field `{word}` is missing")),
    };
    Err(match task {
        Some(task) => error.task(task),
        None => error,
    })
}

fn field_value(word: &str, value: Value) -> Result<FieldValue> {
    match value {
        Value::String(text) if text.len() <= LONGEST_FIELD => Ok(FieldValue::Text(text)),
        Value::String(_) => Err(damaged(format!("the field `{word}` is too long"))),
        Value::Bool(flag) => Ok(FieldValue::Bool(flag)),
        Value::Number(number) => number.as_i64().map(FieldValue::Int).ok_or_else(|| {
            damaged(format!(
                "the field `{word}` must be a whole number, not {number}"
            ))
        }),
        other => Err(damaged(format!(
            "the field `{word}` must be a text, a whole number or a flag, not {}",
            kind(&other)
        ))),
    }
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

fn refused(mistakes: &[Mistake], macros: &str) -> Error {
    let texts: Vec<String> = mistakes
        .iter()
        .map(|mistake| match &mistake.argument {
            Some(argument) => format!("{argument}: {}", mistake.rule.message),
            None => mistake.rule.message.to_string(),
        })
        .collect();
    let error = damaged(format!("the declaration is refused: {}", texts.join("; ")));
    if macros == env!("CARGO_PKG_VERSION") {
        return match mistakes
            .iter()
            .find_map(|mistake| mistake.rule.help.as_ref())
        {
            Some(help) => error.remedy(help.to_string()),
            None => error,
        };
    }
    error.remedy(format!(
        "it was made by bgtask {macros}; read it with a bgtask command of that version"
    ))
}

pub(super) fn damaged(rule: impl Into<String>) -> Error {
    Error::new(Code::Manifest, rule)
}

/// What comes next among some bytes.
pub(super) enum Next<'a> {
    /// A frame's JSON, and where the frame ends.
    Frame { json: &'a [u8], end: usize },
    /// A frame starts here and has not ended with the bytes.
    Cut(usize),
    /// What starts here is not a frame, although it looks like the start of one.
    Broken { start: usize, what: Broken },
    /// No frame starts in the bytes.
    Nothing,
}

/// Why the start of a frame is not one.
pub(super) enum Broken {
    Version(String),
    Length,
    End,
}

impl fmt::Display for Broken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Version(version) => write!(
                f,
                "a task entry has format {version:?}; this version of bgtask reads format \"1\""
            ),
            Self::Length => write!(f, "a task entry is longer than {LONGEST_ENTRY} bytes"),
            Self::End => f.write_str("a task entry does not end where its end mark is"),
        }
    }
}

/// Finds the next frame, wherever it starts.
pub(super) fn next_frame(bytes: &[u8]) -> Next<'_> {
    let mut from = 0;
    let start = loop {
        let Some(at) = bytes[from..].iter().position(|byte| *byte == OPEN[0]) else {
            return Next::Nothing;
        };
        let start = from + at;
        let seen = &bytes[start..];
        if seen.starts_with(OPEN) {
            break start;
        }
        if OPEN.starts_with(seen) {
            return Next::Cut(start);
        }
        from = start + 1;
    };
    let version_at = start + OPEN.len();
    let longest = (version_at + 8).min(bytes.len());
    let Some(version) = bytes[version_at..longest].iter().position(|b| *b == 2) else {
        if longest == bytes.len() {
            return Next::Cut(start);
        }
        let version = String::from_utf8_lossy(&bytes[version_at..longest]).into_owned();
        let what = Broken::Version(version);
        return Next::Broken { start, what };
    };
    let version = &bytes[version_at..version_at + version];
    if version != FORMAT {
        let what = Broken::Version(String::from_utf8_lossy(version).into_owned());
        return Next::Broken { start, what };
    }
    let json_at = version_at + FORMAT.len() + 1;
    let longest = (json_at + LONGEST_ENTRY + 2).min(bytes.len());
    let Some(length) = bytes[json_at..longest].iter().position(|b| *b == 3) else {
        if longest == bytes.len() {
            return Next::Cut(start);
        }
        let what = Broken::Length;
        return Next::Broken { start, what };
    };
    let end = json_at + length;
    match bytes.get(end + 1) {
        Some(b'\n') => Next::Frame {
            json: &bytes[json_at..end],
            end: end + 2,
        },
        Some(_) => Next::Broken {
            start,
            what: Broken::End,
        },
        None => Next::Cut(start),
    }
}

/// Reads all entries of a section. A linker may put zeros between them, and nothing else.
pub(super) fn read_section(section: &[u8]) -> Result<Vec<Entry>> {
    let mut entries = Vec::new();
    let mut rest = section;
    loop {
        let padding = rest.iter().take_while(|byte| **byte == 0).count();
        rest = &rest[padding..];
        if rest.is_empty() {
            return Ok(entries);
        }
        if entries.len() == MOST_ENTRIES {
            return Err(damaged(format!("there are more than {MOST_ENTRIES} tasks")));
        }
        if !rest.starts_with(OPEN) && !OPEN.starts_with(rest) {
            return Err(damaged("there is something else among the task entries"));
        }
        match next_frame(rest) {
            Next::Frame { json, end } => {
                entries.push(Entry::from_json(json)?);
                rest = &rest[end..];
            }
            Next::Broken { what, .. } => {
                let error = damaged(what.to_string());
                return Err(match what {
                    Broken::Version(_) => error.remedy("update bgtask"),
                    _ => error,
                });
            }
            Next::Cut(_) | Next::Nothing => return Err(damaged("a task entry is cut off")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::manifest::samples;

    #[test]
    fn every_kind_of_task_comes_back_from_its_frame() {
        for entry in samples::all() {
            assert_eq!(Entry::from_frame(&entry.to_frame()).unwrap(), entry);
        }
    }

    #[test]
    fn zeros_between_entries_are_skipped() {
        let mut section = vec![0; 3];
        for entry in samples::all() {
            section.extend(entry.to_frame());
            section.extend([0; 5]);
        }
        assert_eq!(read_section(&section).unwrap(), samples::all());
    }

    #[test]
    fn every_cut_of_a_section_is_refused_or_shorter() {
        let entries = samples::all();
        let section: Vec<u8> = entries[..2].iter().flat_map(Entry::to_frame).collect();
        let first = entries[0].to_frame().len();
        for length in 1..section.len() {
            match read_section(&section[..length]) {
                Ok(read) => assert_eq!((length, &read[..]), (first, &entries[..1])),
                Err(error) => {
                    assert_eq!(error.code(), Code::Manifest);
                    assert_eq!(error.rule(), "a task entry is cut off", "{length}");
                }
            }
        }
    }

    #[test]
    fn what_does_not_fit_says_what() {
        let entry = |text: &str| format!("\u{2}BGTASK1\u{2}{text}\u{3}\n");
        let known = r#""name":"a","function":"x::a","crate":"x","crate_version":"1","macros":"0""#;
        for (section, rule) in [
            ("hello".to_owned(), "something else among"),
            ("\u{2}BGTASK2\u{2}{}\u{3}\n".to_owned(), "format \"2\""),
            ("\u{2}BGTASKxxxxxxxxxxx".to_owned(), "format \"xxxxxxxx\""),
            ("\u{2}BGTASK1\u{2}{}\u{3}x".to_owned(), "end mark"),
            (entry("nonsense"), "not JSON"),
            (entry("[]"), "not a JSON object"),
            (entry("{}"), "`name` is missing"),
            (
                entry(r#"{"name":7}"#),
                "`name` must be a text, not a number",
            ),
            (entry(r#"{"name":"a"}"#), "`function` is missing"),
            (entry(&format!("{{{known}}}")), "trigger"),
            (
                entry(&format!("{{{known},\"trigger\":\"tmie(15)\"}}")),
                "tmie",
            ),
            (entry(&format!("{{{known},\"trigger\":null}}")), "not null"),
            (
                entry(&format!(
                    "{{{known},\"trigger\":\"time(15)\",\"priority\":1.5}}"
                )),
                "whole number, not 1.5",
            ),
            (
                entry(&format!(
                    "{{{known},\"trigger\":\"time(15)\",\"colour\":\"red\"}}"
                )),
                "colour",
            ),
        ] {
            let error = read_section(section.as_bytes()).unwrap_err();
            assert_eq!(error.code(), Code::Manifest);
            assert!(error.rule().contains(rule), "{section:?}: {error}");
        }
    }

    #[test]
    fn long_and_deep_values_are_refused_without_harm() {
        let known = r#""name":"a","function":"x::a","crate":"x","crate_version":"1","macros":"0""#;
        for text in ["(".repeat(15_000), "!".repeat(15_000), "x".repeat(100_000)] {
            let json = format!("{{{known},\"trigger\":\"time(15)\",\"condition\":\"{text}\"}}");
            assert_eq!(
                Entry::from_json(json.as_bytes()).unwrap_err().code(),
                Code::Manifest
            );
        }
        let deep = "[".repeat(100_000);
        assert_eq!(
            Entry::from_json(deep.as_bytes()).unwrap_err().code(),
            Code::Manifest
        );
        let endless = [&b"\x02BGTASK1\x02"[..], &vec![b' '; LONGEST_ENTRY + 100]].concat();
        assert!(
            read_section(&endless)
                .unwrap_err()
                .rule()
                .contains("longer")
        );
    }

    proptest::proptest! {
        #[test]
        fn any_bytes_are_read_or_refused(bytes in proptest::collection::vec(0_u8..6, 0..64)) {
            let text: Vec<u8> = bytes
                .iter()
                .flat_map(|byte| match byte {
                    0 => b"\0".to_vec(),
                    1 => OPEN.to_vec(),
                    2 => b"1\x02".to_vec(),
                    3 => b"{}".to_vec(),
                    4 => b"\x03\n".to_vec(),
                    _ => b"\x02".to_vec(),
                })
                .collect();
            if let Ok(entries) = read_section(&text) {
                proptest::prop_assert!(entries.is_empty() && text.iter().all(|byte| *byte == 0));
            }
        }
    }
}
