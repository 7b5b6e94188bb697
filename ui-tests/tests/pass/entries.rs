//! The entries in this very executable, as a reader of the manifest finds them.

use std::collections::BTreeMap;

use bgtask::model::grammar::{FieldValue, Identity};
use bgtask::model::{Declaration, Trigger};
use serde_json::Value;

fn entries() -> BTreeMap<String, serde_json::Map<String, Value>> {
    let program = std::fs::read(std::env::current_exe().unwrap()).unwrap();
    let start = [b"\x02BGT".as_slice(), b"ASK1\x02"].concat();
    let mut entries = BTreeMap::new();
    let frames = program.windows(start.len()).enumerate();
    for (at, _) in frames.filter(|(_, window)| *window == start) {
        let text = &program[at + start.len()..];
        let end = text.iter().position(|byte| *byte == 3).unwrap();
        let Ok(Value::Object(entry)) = serde_json::from_slice(&text[..end]) else {
            continue;
        };
        entries.insert(entry["name"].as_str().unwrap().to_owned(), entry);
    }
    entries
}

fn named(name: &str) -> serde_json::Map<String, Value> {
    let entries = entries();
    let found = entries.iter().find(|entry| entry.0.ends_with(name));
    found
        .unwrap_or_else(|| panic!("no {name} in {:?}", entries.keys()))
        .1
        .clone()
}

fn declaration(entry: &serde_json::Map<String, Value>) -> Declaration {
    let identity = Identity {
        default_name: entry["name"].as_str().unwrap().to_owned(),
        function: entry["function"].as_str().unwrap().to_owned(),
        description: entry
            .get("description")
            .map(|text| text.as_str().unwrap().to_owned()),
    };
    let about = [
        "name",
        "function",
        "crate",
        "crate_version",
        "description",
        "macros",
    ];
    let fields = entry
        .iter()
        .filter(|field| !about.contains(&field.0.as_str()));
    let fields = fields.map(|(word, value)| {
        let value = match value {
            Value::Bool(value) => FieldValue::Bool(*value),
            Value::Number(value) => FieldValue::Int(value.as_i64().unwrap()),
            value => FieldValue::Text(value.as_str().unwrap().to_owned()),
        };
        (word.clone(), value)
    });
    Declaration::from_fields(identity, fields).unwrap_or_else(|mistakes| panic!("{mistakes:?}"))
}

#[test]
fn every_task_has_an_entry_that_the_grammar_reads() {
    let entries = entries();
    assert_eq!(entries.len(), 40, "{:?}", entries.keys());
    for entry in entries.values() {
        let declaration = declaration(entry);
        assert_eq!(declaration.check(), []);
        assert_eq!(entry["crate"], "bgtask-ui-tests");
        assert_eq!(entry["crate_version"], env!("CARGO_PKG_VERSION"));
    }
}

#[test]
fn constants_are_written_out() {
    let entry = named("::by_constants");
    assert_eq!(entry["trigger"], "time(20, once)");
    assert_eq!(entry["condition"], "battery_above(40)");
    assert!(
        entry["retry"].as_str().unwrap().starts_with("max = 5"),
        "{entry:?}"
    );
    let Trigger::Time { minutes: 20, .. } = declaration(&entry).trigger else {
        panic!("{entry:?}");
    };
}

#[test]
fn conditions_have_their_path_from_the_crate() {
    let entry = named("::gated");
    assert_eq!(
        entry["condition"],
        "internet && (pass::pass::conditions::unlocked || !pass::pass::conditions::net::vpn_up)"
    );
    let entry = named("::gated_by_a_string");
    assert_eq!(
        entry["condition"],
        "pass::pass::conditions::unlocked && ac_power"
    );
}

#[test]
fn texts_survive() {
    let entry = named("::documented");
    assert_eq!(
        entry["description"],
        "First line with \"quotes\" and a \\ backslash.\n\nSecond paragraph."
    );
    assert_eq!(entry["host"], "process(\"media\")");
    let entry = named("täglich \"push\" \\ {}");
    assert_eq!(entry["description"], "line\nline");
    assert_eq!(entry["function"], "pass::pass::names::quoted");
}

#[test]
fn only_what_was_stated_is_written() {
    let entry = named("::warm_up");
    let words: Vec<_> = entry.keys().map(String::as_str).collect();
    assert_eq!(
        words,
        [
            "crate",
            "crate_version",
            "description",
            "function",
            "macros",
            "name",
            "trigger"
        ]
    );
}
