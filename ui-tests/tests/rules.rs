//! Every rule has a program that breaks it: the sentences are read from the sources of the grammar
//! and of the attributes, and looked for in what the compiler says about the programs.

mod sources;

use std::collections::BTreeSet;

use bgtask::model::HoleRule;
use sources::{files, parent};

/// Rules that no program of a readable length breaks, and why. The grammar's own tests show them.
const SHOWN_BY_THE_MODEL: [(&str, &str); 4] = [
    ("handle_in_text", "only a text outside a program"),
    ("relative_path", "only a text outside a program"),
    ("text_length", "a text of some pages"),
    ("condition_size", "a condition of some pages"),
];

#[test]
fn every_rule_has_a_program_that_breaks_it() {
    let told = told();
    let (rules, tested) = sources::rules();
    assert!(rules.len() > 100, "{} rules", rules.len());
    let mut missing = Vec::new();
    let mut excused = BTreeSet::new();
    for rule in &rules {
        let shown = told.iter().any(|told| rule.fits(told));
        if SHOWN_BY_THE_MODEL
            .iter()
            .any(|(code, _)| *code == rule.code)
        {
            assert!(
                !shown,
                "a program shows `{}`: remove it from the list",
                rule.code
            );
            assert!(
                tested.contains(&rule.code),
                "no test of the model shows `{}`",
                rule.code
            );
            excused.insert(rule.code.as_str());
        } else if !shown {
            missing.push(rule.to_string());
        }
    }
    for rule in HoleRule::ALL {
        let sentence = rule.check(u32::MAX).unwrap().message;
        if !told.iter().any(|told| told == sentence) {
            missing.push(sentence.to_owned());
        }
    }
    assert!(
        missing.is_empty(),
        "no program breaks\n{}",
        missing.join("\n")
    );
    assert_eq!(
        excused.len(),
        SHOWN_BY_THE_MODEL.len(),
        "only {excused:?} are rules"
    );
}

/// The sentences of all errors.
fn told() -> BTreeSet<String> {
    let mut told = BTreeSet::new();
    for file in files(&parent().join("ui-tests/tests"), "stderr") {
        for line in std::fs::read_to_string(file).unwrap().lines() {
            let sentence = line.strip_prefix("error: ");
            let constant = || line.strip_prefix("error[E0080]: evaluation panicked: ");
            told.extend(sentence.or_else(constant).map(str::to_owned));
        }
    }
    told
}
