//! One entry: a declaration as JSON, framed so that it can be found among other bytes.
//!
//! A frame is `\u{2}BGTASK1\u{2}`, a JSON object, `\u{3}\n`. JSON has no raw control characters
//! ([RFC 8259, section 7](https://www.rfc-editor.org/rfc/rfc8259#section-7)), so neither mark can
//! occur inside. The number is the format's version.

use std::fmt;

use bgtask_model::{Declaration, FieldValue, Mistake, grammar::Identity};
use serde::{
    Deserialize, Deserializer, Serialize, Serializer,
    de::{self, MapAccess, Visitor},
    ser::SerializeMap,
};
use serde_json::Value;

use super::{
    collected::Collected,
    refusal::{at, damaged, kind, not_json, shown},
};
use crate::{Error, Result};

/// What every frame starts with, before its version.
const OPEN: &[u8] = b"\x02BGTASK";
/// The version of the format that is read here.
const FORMAT: &[u8] = b"1";
/// No entry is longer; a declaration is some hundred bytes.
pub(super) const LONGEST_ENTRY: usize = 256 * 1024;
/// No entry has more fields; there are some forty words.
const MOST_FIELDS: usize = 64;
/// No more mistakes of one entry are told.
const MOST_MISTAKES: usize = 8;
/// No text of the grammar is longer, so that reading a hostile one ends soon.
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
    /// [`Code::Manifest`](crate::Code::Manifest): it is not one whole frame of this format, or its
    /// declaration breaks a rule of the grammar.
    pub fn from_frame(frame: &[u8]) -> Result<Self> {
        match first_of(frame)? {
            (json, end) if end == frame.len() => Self::from_json(json),
            _ => Err(damaged("one task entry was expected")),
        }
    }

    /// The name in a whole frame that the attribute made, without reading the rest: what a host
    /// needs of each task of its program.
    pub(crate) fn name_in(frame: &[u8]) -> Option<String> {
        let json = frame.strip_prefix(OPEN)?.strip_prefix(FORMAT)?;
        let name = json.strip_prefix(b"\x02{\"name\":")?;
        serde_json::Deserializer::from_slice(name)
            .into_iter()
            .next()?
            .ok()
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
    /// [`Code::Manifest`](crate::Code::Manifest): it is longer than 256 KiB, not JSON, not an
    /// object; a field is missing, unknown, given twice or of the wrong type; or the declaration
    /// breaks a rule of the grammar.
    pub fn from_json(json: &[u8]) -> Result<Self> {
        if json.len() > LONGEST_ENTRY {
            return Err(damaged(Broken::Length.to_string()));
        }
        let Fields(mut fields) = serde_json::from_slice(json).map_err(|error| {
            let rule = if error.is_data() {
                "a task entry does not fit"
            } else {
                "a task entry is not JSON"
            };
            not_json(rule, &error)
        })?;
        let name = required(&mut fields, "name")?;
        Self::of(&name, fields).map_err(|error| error.task(&name))
    }

    fn of(name: &str, mut fields: Vec<(String, Value)>) -> Result<Self> {
        let function = required(&mut fields, "function")?;
        let crate_name = required(&mut fields, "crate")?;
        let crate_version = required(&mut fields, "crate_version")?;
        let macros = required(&mut fields, "macros")?;
        let description = taken(&mut fields, "description")
            .map(|value| text("description", value))
            .transpose()?;
        let mut stated = vec![("name".to_owned(), FieldValue::from(name))];
        for (word, value) in fields {
            let value = field_value(&word, value)?;
            stated.push((word, value));
        }
        let identity = Identity {
            default_name: name.to_owned(),
            function,
            description,
        };
        let declaration = Declaration::from_fields(identity, stated.into_iter())
            .map_err(|mistakes| refused(&mistakes, &macros))?;
        Ok(Self {
            declaration,
            crate_name,
            crate_version,
            macros,
        })
    }
}

/// The fields of an entry as they are written, none twice.
struct Fields(Vec<(String, Value)>);

impl<'de> Deserialize<'de> for Fields {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(ReadFields)
    }
}

struct ReadFields;

impl<'de> Visitor<'de> for ReadFields {
    type Value = Fields;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Fields, A::Error> {
        let mut fields: Vec<(String, Value)> = Vec::new();
        while let Some(word) = map.next_key::<String>()? {
            if fields.iter().any(|field| field.0 == word) {
                let rule = format!("the field `{word}` is given twice");
                return Err(de::Error::custom(rule));
            }
            if fields.len() == MOST_FIELDS {
                let rule = format!("there are more than {MOST_FIELDS} fields");
                return Err(de::Error::custom(rule));
            }
            fields.push((word, map.next_value()?));
        }
        Ok(Fields(fields))
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

fn taken(fields: &mut Vec<(String, Value)>, word: &str) -> Option<Value> {
    let at = fields.iter().position(|field| field.0 == word)?;
    Some(fields.remove(at).1)
}

fn required(fields: &mut Vec<(String, Value)>, word: &str) -> Result<String> {
    let value =
        taken(fields, word).ok_or_else(|| damaged(format!("the field `{word}` is missing")))?;
    let value = text(word, value)?;
    if value.len() > LONGEST_FIELD {
        return Err(damaged(format!("the field `{word}` is too long")));
    }
    if value.chars().any(char::is_control) {
        let rule = format!("the field `{word}` has a control character in it");
        return Err(damaged(rule));
    }
    Ok(value)
}

fn text(word: &str, value: Value) -> Result<String> {
    match value {
        Value::String(text) => Ok(text),
        other => Err(damaged(format!(
            "the field `{word}` must be a text, not {}",
            kind(&other)
        ))),
    }
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

fn refused(mistakes: &[Mistake], macros: &str) -> Error {
    let mut texts: Vec<String> = mistakes
        .iter()
        .take(MOST_MISTAKES)
        .map(|mistake| match &mistake.argument {
            Some(argument) => format!("{argument}: {}", mistake.rule.message),
            None => mistake.rule.message.to_string(),
        })
        .collect();
    if mistakes.len() > MOST_MISTAKES {
        texts.push(format!("{} more", mistakes.len() - MOST_MISTAKES));
    }
    let error = damaged(format!("the declaration is refused: {}", texts.join("; ")));
    if macros == env!("CARGO_PKG_VERSION") {
        return match mistakes
            .iter()
            .find_map(|mistake| mistake.rule.help.as_ref())
        {
            Some(help) => error.remedy(shown(help)),
            None => error,
        };
    }
    error.remedy(format!(
        "it was made by bgtask {macros}; read it with a bgtask command of that version"
    ))
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
            Self::End => f.write_str("a task entry has no end mark"),
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
    let longest = (json_at + LONGEST_ENTRY + 1).min(bytes.len());
    // Not further than to the next mark of any kind: no byte belongs to two entries, so that many
    // starts without an end are read in one go.
    let Some(length) = bytes[json_at..longest].iter().position(is_mark) else {
        if longest == bytes.len() {
            return Next::Cut(start);
        }
        let what = Broken::Length;
        return Next::Broken { start, what };
    };
    let end = json_at + length;
    match (bytes[end], bytes.get(end + 1)) {
        (3, Some(b'\n')) => Next::Frame {
            json: &bytes[json_at..end],
            end: end + 2,
        },
        (3, None) => Next::Cut(start),
        _ => Next::Broken {
            start,
            what: Broken::End,
        },
    }
}

/// What JSON has nowhere: a control character that is not space between its words.
fn is_mark(byte: &u8) -> bool {
    *byte < b' ' && !matches!(byte, b'\t' | b'\n' | b'\r')
}

/// Reads all entries of a section. A linker may put zeros between them, and nothing else.
pub(super) fn read_section(section: &[u8], collected: &mut Collected) -> Result<()> {
    let mut from = 0;
    loop {
        let rest = &section[from..];
        let padding = rest.iter().take_while(|byte| **byte == 0).count();
        from += padding;
        let rest = &rest[padding..];
        if rest.is_empty() {
            return Ok(());
        }
        let placed = |error| at(format_args!("at byte {from} of its task section"), error);
        let (json, end) = first_of(rest).map_err(placed)?;
        let entry = Entry::from_json(json).map_err(placed)?;
        collected.add(entry, json.len())?;
        from += end;
    }
}

/// The JSON of the frame that the bytes start with, and where that frame ends.
fn first_of(bytes: &[u8]) -> Result<(&[u8], usize)> {
    if !bytes.starts_with(OPEN) && !OPEN.starts_with(bytes) {
        return Err(damaged("there is something else among the task entries"));
    }
    match next_frame(bytes) {
        Next::Frame { json, end } => Ok((json, end)),
        Next::Broken { what, .. } => {
            let error = damaged(what.to_string());
            Err(match what {
                Broken::Version(_) => error.remedy("update bgtask"),
                _ => error,
            })
        }
        Next::Cut(_) | Next::Nothing => Err(damaged("a task entry is cut off")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Code, manifest::samples};

    fn read_section(section: &[u8]) -> Result<Vec<Entry>> {
        let mut collected = Collected::default();
        super::read_section(section, &mut collected).map(|()| collected.entries)
    }

    #[test]
    fn every_kind_of_task_comes_back_from_its_frame() {
        for entry in samples::all() {
            assert_eq!(Entry::from_frame(&entry.to_frame()).unwrap(), entry);
        }
    }

    #[test]
    fn the_name_alone_is_the_entrys() {
        for entry in samples::all() {
            let name = Entry::name_in(&entry.to_frame());
            assert_eq!(name.as_deref(), Some(entry.name()));
        }
        let odd = b"\x02BGTASK1\x02{\"name\":\"\\u00e9\\\"\",\"function\":1}\x03\n";
        assert_eq!(Entry::name_in(odd).as_deref(), Some("é\""));
        assert_eq!(Entry::name_in(b"\x02BGTASK1\x02{\"name\":\"cut"), None);
        assert_eq!(
            Entry::name_in(b"\x02BGTASK2\x02{\"name\":\"a\"}\x03\n"),
            None
        );
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
                    assert!(error.rule().ends_with("a task entry is cut off"), "{error}");
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
            ("\u{2}BGTASK1\u{2}{}\u{3}x".to_owned(), "no end mark"),
            ("\u{2}BGTASK1\u{2}{\u{1}".to_owned(), "no end mark"),
            (
                "\0\0hello".to_owned(),
                "at byte 2 of its task section: there is something else",
            ),
            (entry("nonsense"), "not JSON"),
            (entry("[]"), "sequence, expected a JSON object"),
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
            assert!(error.to_string().contains(rule), "{section:?}: {error}");
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
