use bgtask_model::{
    Condition, Declaration, HoleRule, Trigger,
    grammar::{self, FieldValue, Identity},
};

use super::{condition, event, trigger};
use crate::capability::{self, Here};

/// The items, by the grammar's name for what they are words of.
const FAMILIES: [(&str, &[(&str, &str)]); 3] = [
    ("trigger", trigger::WORDS),
    ("system", event::WORDS),
    ("condition", condition::WORDS),
];

/// Every word: its family, itself, and its documentation on one line.
fn documented() -> impl Iterator<Item = (&'static str, &'static str, String)> {
    let words = |(family, words): (_, &'static [_])| {
        let words = words.iter();
        words.map(move |(word, docs): &(&str, &str)| (family, *word, one_line(docs)))
    };
    FAMILIES.into_iter().flat_map(words)
}

fn one_line(docs: &str) -> String {
    docs.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// How the word is written: the code that its documentation begins with.
fn forms(docs: &str) -> Vec<&str> {
    let (forms, _) = docs.split_once("`: ").expect("code, then its meaning");
    forms.trim_start_matches('`').split("`, `").collect()
}

fn declared(family: &str, form: &str) -> Declaration {
    let identity = Identity {
        default_name: "app::task".to_owned(),
        function: "app::task".to_owned(),
        description: None,
    };
    let (trigger, condition) = match family {
        "condition" => ("startup", Some(form)),
        _ => (form, None),
    };
    let condition = condition.map(|condition| ("condition", condition));
    // All but this one run in a process, and some run in no other.
    let host = match trigger.starts_with("app_service") {
        true => "in_process",
        false => "process",
    };
    let fields = [("trigger", trigger), ("host", host)]
        .into_iter()
        .chain(condition)
        .map(|(argument, value)| (argument.to_owned(), FieldValue::from(value)));
    Declaration::from_fields(identity, fields).unwrap_or_else(|error| panic!("{form}: {error:?}"))
}

#[test]
fn every_word_has_its_item() {
    let words = grammar::words();
    for (family, items) in FAMILIES {
        let (_, words) = words.iter().find(|(name, _)| *name == family).unwrap();
        let items: Vec<&str> = items.iter().map(|item| item.0).collect();
        assert_eq!(items, *words, "{family}");
    }
}

#[test]
fn the_documentation_begins_with_how_the_word_is_written() {
    for (family, word, docs) in documented() {
        for form in forms(&docs) {
            let expected = match family {
                "system" => format!("system({word}"),
                _ => word.to_owned(),
            };
            assert!(form.starts_with(&expected), "{form} is not about {word}");
            let read = match family {
                "condition" => form.parse::<Condition>().map(drop),
                _ => form.parse::<Trigger>().map(drop),
            };
            assert!(read.is_ok(), "{form}: {read:?}");
        }
    }
}

#[test]
fn the_documentation_says_what_is_refused() {
    // The events say it, each for itself.
    for (family, word, docs) in documented().filter(|(_, word, _)| *word != "system") {
        let refused = forms(&docs)
            .iter()
            .any(|form| !capability::missing(&declared(family, form), Here::EVERYTHING).is_empty());
        let said = docs.contains("a task with it is refused when it is registered");
        assert_eq!(said, refused, "{family} {word}");
    }
}

#[test]
fn the_documentation_says_how_long_a_run_may_take() {
    for (family, word, docs) in documented().filter(|(family, ..)| *family != "condition") {
        let quota = declared(family, forms(&docs)[0]).timeout();
        let said = match quota.map(|quota| quota.as_secs()) {
            None => "A run may take as long as it likes".to_owned(),
            Some(short @ ..60) => format!("A run is told to end after {short} s,"),
            Some(long) => format!("A run is told to end after {} minutes,", long / 60),
        };
        assert!(docs.contains(&said), "{family} {word}: {said}");
    }
}

#[test]
fn the_documentation_says_the_limits() {
    for (word, limit) in [
        ("time", HoleRule::TimeMinutes),
        ("maintenance", HoleRule::MaintenanceMinutes),
        ("control_channel", HoleRule::KeepAlive),
        ("battery_above", HoleRule::BatteryPercent),
        ("load_below", HoleRule::LoadThousandths),
    ] {
        let rule = limit.check(u32::MAX).unwrap();
        let (_, range) = rule.message.split_once(" takes ").unwrap();
        let (.., docs) = documented().find(|item| item.1 == word).unwrap();
        assert!(docs.contains(range), "{word}: {range}");
    }
}
