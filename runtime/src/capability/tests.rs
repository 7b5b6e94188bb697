use std::collections::BTreeSet;

use bgtask_model::grammar::{FieldValue, Identity, words};

use super::*;
use crate::{
    Result,
    monitor::{Services, Shows},
};

fn check(declaration: &Declaration, here: Here) -> Result<()> {
    match missing(declaration, here).into_iter().next() {
        None => Ok(()),
        Some(error) => Err(error),
    }
}

/// The words that the documentation marks with a dagger: `push` †.
fn marked() -> BTreeSet<&'static str> {
    let page = include_str!("../attribute.md");
    let marked = page.split('†').filter_map(|before| {
        let code = before.strip_suffix("` ")?.rsplit('`').next()?;
        // `system(user_present)` is about the event.
        let code = code.strip_prefix("system(").unwrap_or(code);
        code.split(|c: char| c != '_' && !c.is_alphanumeric())
            .next()
    });
    marked.collect()
}

fn declared(fields: &[(&str, FieldValue)]) -> Option<Declaration> {
    let identity = Identity {
        default_name: "app::task".to_owned(),
        function: "app::task".to_owned(),
        description: None,
    };
    let fields = fields.iter().cloned();
    let fields = fields.map(|(word, value)| (word.to_owned(), value));
    Declaration::from_fields(identity, fields).ok()
}

/// The first of these values that the grammar accepts, in a declaration.
fn first(argument: &str, values: &[FieldValue]) -> Option<Declaration> {
    // Most need no process, and some take none.
    let surroundings = [("condition", "internet"), ("host", "process")];
    let fields = surroundings.map(|other| {
        let others = [("trigger", "time(15)"), other];
        let others = others.into_iter().filter(|other| other.0 != argument);
        let others: Vec<_> = others.map(|(word, value)| (word, value.into())).collect();
        values
            .iter()
            .find_map(|value| declared(&[&others[..], &[(argument, value.clone())]].concat()))
    });
    fields.into_iter().flatten().next()
}

/// A declaration with this word of `argument`.
fn with(argument: &str, word: &str) -> Declaration {
    let values = [
        "",
        "(15)",
        "(0.8)",
        "(\"10s\")",
        "(\"0 3 * * *\")",
        "(\"02:30\")",
        "(\"/srv\")",
        "(\"tcp://127.0.0.1:7000\")",
        "(\"id\", keep_alive = 30)",
        "(add)",
    ];
    let values = values.map(|value| FieldValue::from(format!("{word}{value}")));
    first(argument, &values).unwrap_or_else(|| panic!("no way to write `{word}`"))
}

/// A declaration that states this argument; `None` for those that every task has.
fn stating(argument: &str) -> Option<Declaration> {
    let texts = [
        "10s",
        "512MiB",
        "read = [\"/etc\"]",
        "A = \"b\"",
        "max = 5",
        "skip",
        "latest",
        "at_most_once",
    ];
    let texts = texts.map(FieldValue::from);
    let values = [&[FieldValue::Bool(true), FieldValue::Int(19)], &texts[..]].concat();
    first(argument, &values)
}

#[cfg(target_os = "linux")]
#[test]
fn a_priority_that_is_not_permitted_is_refused() {
    use rustix::{
        process::{Resource, Rlimit, getrlimit, setrlimit},
        thread::{CapabilitySet, capabilities, set_capabilities},
    };

    // What this thread gives up, those that it starts do not have.
    let mut ours = capabilities(None).expect("told");
    ours.effective.remove(CapabilitySet::SYS_NICE);
    set_capabilities(None, ours).expect("given up");
    let maximum = getrlimit(Resource::Nice).maximum;
    let none = Rlimit {
        current: Some(0),
        maximum,
    };
    setrlimit(Resource::Nice, none).expect("lowered");

    let nice = |nice: i64| {
        let fields = [
            ("trigger", "startup".into()),
            ("host", "process".into()),
            ("nice", FieldValue::Int(nice)),
        ];
        check(&declared(&fields).expect("a declaration"), Here::EVERYTHING)
    };
    assert!(nice(19).is_ok());
    let error = nice(-20).expect_err("refused");
    assert_eq!(error.code(), Code::Unsupported);
    assert!(error.to_string().contains("`nice = -20`"), "{error}");
}

#[test]
fn the_documentation_marks_what_is_refused() {
    let mut refused = BTreeSet::new();
    for (family, words) in words() {
        for word in words {
            let declaration = match family {
                "trigger" if word == "system" => None,
                "trigger" | "condition" | "delivery" => Some(with(family, word)),
                "system" => Some(with("trigger", &format!("system({word})"))),
                "argument" => stating(word),
                _ => None,
            };
            if declaration.is_some_and(|declaration| check(&declaration, Here::EVERYTHING).is_err())
            {
                refused.insert(word);
            }
        }
    }
    assert_eq!(marked(), refused);
}

#[cfg(target_os = "linux")]
#[test]
fn what_a_network_costs_has_to_be_known_by_somebody() {
    let fields = [
        ("trigger", "startup".into()),
        ("condition", "internet && !free_network".into()),
    ];
    let declaration = declared(&fields).expect("a declaration");
    assert!(check(&declaration, Here::EVERYTHING).is_ok());
    let here = Here {
        metering: false,
        ..Here::EVERYTHING
    };
    let error = check(&declaration, here).expect_err("refused");
    assert_eq!(error.code(), Code::Unsupported);
    assert!(error.rule().contains("`unmetered`"), "{error}");
    let help = error.help().expect("a remedy");
    assert!(help.contains("unknown_metering"), "{help}");
}

/// A declaration with this field.
#[cfg(target_os = "linux")]
fn having(field: &'static str, value: &'static str) -> Declaration {
    let trigger = ("trigger", FieldValue::from("startup"));
    let fields = [trigger, (field, value.into())];
    let fields = if field == "trigger" {
        &fields[1..]
    } else {
        &fields[..]
    };
    declared(fields).expect("a declaration")
}

#[cfg(target_os = "linux")]
#[test]
fn what_only_services_tell_needs_the_bus() {
    let here = Here {
        system_bus: false,
        ..Here::EVERYTHING
    };
    for (field, value) in [
        ("condition", "user_present"),
        ("condition", "internet || !user_not_present"),
        ("condition", "device_idle"),
        ("trigger", "system(user_present)"),
        ("trigger", "system(user_away, once)"),
    ] {
        let declaration = having(field, value);
        assert!(check(&declaration, Here::EVERYTHING).is_ok(), "{value}");
        let error = check(&declaration, here).expect_err(value);
        assert_eq!(error.code(), Code::Unsupported);
        assert!(error.rule().ends_with("there is no system bus"), "{error}");
    }
    for (field, value) in [
        ("condition", "session_connected && !session_disconnected"),
        ("trigger", "system(session_connected)"),
    ] {
        let declaration = having(field, value);
        assert!(
            check(&declaration, here).is_ok(),
            "files tell `{value}` too"
        );
    }
}

/// Machines that lack something, one thing each.
fn machines() -> Vec<Here> {
    let everything = Here::EVERYTHING;
    let nobody = Services::default();
    vec![
        everything,
        Here {
            services: nobody,
            ..everything
        },
        Here {
            system_bus: false,
            services: nobody,
            ..everything
        },
        Here {
            metering: false,
            services: nobody,
            ..everything
        },
        Here {
            pressure: false,
            toasts: Shows::NoBus,
            ..everything
        },
        Here {
            toasts: Shows::NoService,
            ..everything
        },
        Here {
            toasts: Shows::NoButtons,
            ..everything
        },
    ]
}

/// How a registration with this word is written, if it is a word of what is judged.
fn declaration(family: &str, word: &str) -> Option<Declaration> {
    match family {
        "trigger" if word == "system" => None,
        "trigger" | "condition" | "delivery" => Some(with(family, word)),
        "system" => Some(with("trigger", &format!("system({word})"))),
        "argument" if word == "host" => None,
        "argument" => stating(word),
        _ => None,
    }
}

#[test]
fn the_report_has_every_word_once() {
    let report = Capabilities::of(Here::EVERYTHING, &Ok(()));
    let told = report.capabilities.iter();
    let told: Vec<_> = told.map(|one| (&*one.family, &*one.word)).collect();
    let words = words().into_iter();
    let words: Vec<_> = words
        .flat_map(|(family, words)| words.into_iter().map(move |word| (family, word)))
        .collect();
    assert_eq!(told, words);
    for one in &report.capabilities {
        let works = !matches!(one.support, Support::Unsupported { .. });
        assert_eq!(works, !one.sources.is_empty(), "{one:?}");
    }
}

#[test]
fn what_is_reported_as_unsupported_is_what_is_refused_in_the_same_words() {
    for here in machines() {
        let report = Capabilities::of(here, &Ok(()));
        for one in &report.capabilities {
            let Some(declaration) = declaration(&one.family, &one.word) else {
                continue;
            };
            let refused: Vec<_> = missing(&declaration, here)
                .iter()
                .map(|error| {
                    // Without what it carries.
                    let rule = error.rule();
                    let rule = match &*one.family {
                        "trigger" => rule.replace(&declaration.trigger.to_string(), &one.word),
                        _ => rule.to_owned(),
                    };
                    (rule, error.help().map(str::to_owned))
                })
                .collect();
            let expected = match &one.support {
                Support::Unsupported { missing, remedy } => {
                    vec![(missing.clone(), Some(remedy.clone()))]
                }
                _ => Vec::new(),
            };
            assert_eq!(refused, expected, "{one:?} {here:?}");
        }
    }
}

#[test]
fn who_answers_decides_how_well_something_works_and_never_whether() {
    let alone = Here {
        services: Services::default(),
        ..Here::EVERYTHING
    };
    let [all, alone] = [Here::EVERYTHING, alone].map(|here| Capabilities::of(here, &Ok(())));
    let mut weaker = 0;
    for (with, without) in all.capabilities.iter().zip(&alone.capabilities) {
        let [with, without] = [with, without].map(|one| one.support.word());
        let refused = [with, without].map(|word| word == "unsupported");
        assert_eq!(refused[0], refused[1], "{with} {without}");
        weaker += usize::from(with != without);
    }
    #[cfg(target_os = "linux")]
    assert!(weaker > 10, "{weaker}");
}

#[test]
fn without_hosts_nothing_of_a_process_works() {
    let here = Here {
        hosts: false,
        ..Here::EVERYTHING
    };
    let report = Capabilities::of(here, &Ok(()));
    for (family, word, works) in [
        ("host", "in_process", true),
        ("host", "process", false),
        ("argument", "host", true),
        ("argument", "timeout", true),
        ("argument", "sandbox", false),
        ("argument", "env", false),
        ("memory", "MiB", false),
    ] {
        let found = report.find(family, word).expect("a word");
        let unsupported = found.support.word() == "unsupported";
        assert_eq!(unsupported, !works, "{found:?}");
    }
}

#[test]
fn a_lock_that_logind_does_not_give_is_told_and_refused_alike() {
    let missing = Err("logind is not there".to_owned());
    let report = Capabilities::of(Here::EVERYTHING, &missing);
    let told = report
        .find("argument", "network_requested")
        .expect("a word");
    let declaration = stating("network_requested").expect("a declaration");
    let refused = network(&declaration, || missing).expect("refused");
    let Support::Unsupported { missing, remedy } = &told.support else {
        panic!("{told:?}");
    };
    assert_eq!(
        (&**missing, Some(&**remedy)),
        (refused.rule(), refused.help())
    );
    let report = Capabilities::of(Here::EVERYTHING, &Ok(()));
    let told = report
        .find("argument", "network_requested")
        .expect("a word");
    assert_eq!(told.support, Support::Guaranteed);
}

#[test]
fn what_needs_two_is_as_good_as_the_worse_of_them() {
    let good = || Verdict::guaranteed(&["a"]);
    let weak = |why: &str| Verdict::best_effort(&["b", "a"], why);
    let none = || Verdict::unsupported("none", "help");
    let best = |why: &str| Support::BestEffort {
        why: why.to_owned(),
    };
    let names = |names: &[&str]| {
        names
            .iter()
            .map(|&name| name.to_owned())
            .collect::<Vec<_>>()
    };
    assert_eq!(
        good().and(good()).tell(),
        (Support::Guaranteed, names(&["a"]))
    );
    assert_eq!(
        good().and(weak("x")).tell(),
        (best("x"), names(&["a", "b"]))
    );
    assert_eq!(
        weak("x").and(weak("y")).tell(),
        (best("x; y"), names(&["b", "a"]))
    );
    for verdict in [good().and(none()), none().and(weak("x"))] {
        let (support, sources) = verdict.tell();
        assert_eq!((support.word(), sources), ("unsupported", names(&[])));
    }
}

#[test]
fn the_report_is_json_of_a_known_form() {
    let report = Capabilities::of(Here::EVERYTHING, &Ok(()));
    let json = serde_json::to_value(&report).expect("JSON");
    assert_eq!(json["version"], 1);
    assert_eq!(json["system"], std::env::consts::OS);
    let all = json["capabilities"].as_array().expect("a list");
    for one in all {
        let keys: Vec<_> = one.as_object().expect("an object").keys().collect();
        let expected: &[&str] = match one["support"].as_str().expect("a word") {
            "guaranteed" => &["family", "sources", "support", "word"],
            "best_effort" => &["family", "sources", "support", "why", "word"],
            "unsupported" => &["family", "missing", "remedy", "sources", "support", "word"],
            other => panic!("{other}"),
        };
        assert_eq!(keys, expected, "{one}");
    }
    let read: Capabilities = serde_json::from_value(json).expect("the same");
    assert_eq!(read, report);
}
