//! Every rule has a program that breaks it, and a row in the documentation: the sentences are read
//! from the sources of the grammar and of the attributes, and looked for in what the compiler says.

#[path = "../sources.rs"]
mod sources;

use std::collections::BTreeSet;

use bgtask::model::HoleRule;
use bgtask::model::grammar::words;
use sources::{Rule, files, parent, rules};

/// Rules that no program of a readable length breaks, and why. The grammar's own tests show them.
const SHOWN_BY_THE_MODEL: [(&str, &str); 4] = [
    ("handle_in_text", "only a text outside a program"),
    ("relative_path", "only a text outside a program"),
    ("text_length", "a text of some pages"),
    ("condition_size", "a condition of some pages"),
];

/// The pages with a table of what is written and what is told.
const PAGES: [&str; 3] = [
    include_str!("../../runtime/src/rules.md"),
    include_str!("../../runtime/src/condition.md"),
    include_str!("../../runtime/src/main.md"),
];

/// How many errors programs get that make more than one mistake, and those whose one mistake the
/// compiler tells in several.
const SEVERAL: [(&str, usize); 8] = [
    ("arguments/mistakes_of_two_attributes", 4),
    ("arguments/three_mistakes", 3),
    ("main/mistakes_and_nothing_else", 3),
    ("signature/three_mistakes", 3),
    // A type cannot stand in an `impl`; the attribute does not see that it is in one.
    ("signature/associated_function", 4),
    ("handle/module_of_the_same_name", 2),
    // One for each of the two traits that are missing.
    ("types/args_not_serde", 2),
    // What is no state is nothing to hand to a thread either.
    ("types/state_not_sync", 2),
];

/// What an error in a constant starts with: the sentence is that of a panic.
const IN_A_CONSTANT: &str = "error[E0080]: evaluation panicked: ";

/// A program that does not compile.
struct Case {
    /// `argument/mistake`
    name: String,
    program: String,
    stderr: String,
    /// The sentences of its errors.
    told: Vec<String>,
}

fn cases() -> Vec<Case> {
    let found = files(&parent().join("ui-tests/tests"), "stderr");
    let cases = found.iter().map(|file| {
        let stderr = std::fs::read_to_string(file).unwrap();
        let name = file.strip_prefix(parent().join("ui-tests/tests")).unwrap();
        Case {
            name: name.with_extension("").to_str().unwrap().to_owned(),
            program: std::fs::read_to_string(file.with_extension("rs")).unwrap(),
            told: sentences(&stderr),
            stderr,
        }
    });
    cases.collect()
}

fn sentences(stderr: &str) -> Vec<String> {
    let sentence = |line: &str| {
        let sentence = line.strip_prefix("error: ");
        sentence
            .or_else(|| line.strip_prefix(IN_A_CONSTANT))
            .map(str::to_owned)
    };
    stderr.lines().filter_map(sentence).collect()
}

/// The rows of the tables: what is written, and what is told.
fn rows() -> Vec<(String, String)> {
    let mut rows = Vec::new();
    for page in PAGES {
        let mut inside = false;
        for line in page.lines() {
            inside = line == "| written | told |" || (inside && line.starts_with('|'));
            let line = line.replace("\\|", "\u{1}");
            let cells: Vec<_> = line.trim_matches('|').split(" | ").collect();
            let [written, told] = cells.as_slice() else {
                continue;
            };
            if let Some(code) = written.split('`').nth(1).filter(|_| inside) {
                let cell = |text: &str| text.trim().replace('\u{1}', "|");
                rows.push((cell(code), cell(told)));
            }
        }
    }
    rows
}

fn missing<'r>(rules: impl Iterator<Item = &'r Rule>, told: &[&str]) -> Vec<String> {
    let missing = rules.filter(|rule| !told.iter().any(|told| rule.fits(told)));
    missing.map(ToString::to_string).collect()
}

#[test]
fn every_rule_has_a_program_that_breaks_it_and_a_row() {
    let cases = cases();
    let told: Vec<&str> = cases
        .iter()
        .flat_map(|case| &case.told)
        .map(String::as_str)
        .collect();
    let (rules, tested) = rules();
    assert!(rules.len() > 100, "{} rules", rules.len());
    let excused = |rule: &&Rule| {
        SHOWN_BY_THE_MODEL
            .iter()
            .any(|(code, _)| *code == rule.code)
    };
    let none: [String; 0] = [];
    assert_eq!(
        missing(rules.iter().filter(|rule| !excused(rule)), &told),
        none,
        "no program"
    );
    let rows = rows();
    let rows: Vec<&str> = rows.iter().map(|row| row.1.as_str()).collect();
    assert_eq!(
        missing(rules.iter().filter(|rule| !excused(rule)), &rows),
        none,
        "no row"
    );

    let excused: Vec<&Rule> = rules.iter().filter(excused).collect();
    for rule in &excused {
        assert!(
            !told.iter().any(|told| rule.fits(told)),
            "a program shows {rule}"
        );
        assert!(
            tested.contains(&rule.code),
            "no test of the model shows {rule}"
        );
    }
    let excused: BTreeSet<&str> = excused.iter().map(|rule| rule.code.as_str()).collect();
    assert_eq!(
        excused.len(),
        SHOWN_BY_THE_MODEL.len(),
        "only {excused:?} are rules"
    );
}

#[test]
fn the_documentation_says_what_the_compiler_says() {
    let cases = cases();
    let rows = rows();
    assert!(rows.len() > 100, "{} rows", rows.len());
    for (written, told) in rows {
        let shows = |case: &&Case| case.told.contains(&told) && case.program.contains(&written);
        let shown = cases.iter().find(shows);
        assert!(shown.is_some(), "`{written}` does not give `{told}`");
    }
}

#[test]
fn one_mistake_is_one_error_in_the_program() {
    let mut several = SEVERAL.to_vec();
    for case in cases() {
        let (mut errors, mut lines) = (0, case.stderr.lines());
        while let Some(line) = lines.next() {
            // A second place of the error before.
            let mark = line.ends_with(" here") || line == "error: contradicts this";
            if !line.starts_with("error") || mark {
                continue;
            }
            errors += 1;
            let place = lines.find_map(|line| line.trim_start().strip_prefix("--> "));
            let place = place.unwrap_or_default();
            assert!(
                place.starts_with("tests/"),
                "{}: {line} is at {place}",
                case.name
            );
        }
        let listed = several.iter().position(|(name, _)| *name == case.name);
        let expected = listed.map_or(1, |listed| several.swap_remove(listed).1);
        assert_eq!(errors, expected, "{}", case.name);
    }
    assert_eq!(several, [], "no such programs");
}

#[test]
fn limits_say_the_same_of_literals_and_constants() {
    let cases = cases();
    for limit in HoleRule::ALL {
        let sentence = limit.check(u32::MAX).unwrap().message;
        let count = |start: &str| {
            let line = format!("{start}{sentence}\n");
            cases
                .iter()
                .filter(|case| case.stderr.contains(&line))
                .count()
        };
        assert!(count("error: ") >= 2, "both sides of: {sentence}");
        // A load has decimals, and no constant.
        let constant = *limit != HoleRule::LoadThousandths;
        assert_eq!(
            count(IN_A_CONSTANT) > 0,
            constant,
            "a constant of: {sentence}"
        );
    }
}

#[test]
fn the_word_that_was_meant_is_offered_wherever_a_word_stands() {
    let cases = cases();
    for (family, words) in words() {
        let told = match family {
            "argument" | "trigger" | "condition" => format!("error: unknown {family} `"),
            "memory" => "error: unknown unit `".to_owned(),
            family => format!("error: `{family}` knows no `"),
        };
        let offers = |case: &Case| {
            let (first, help) = case.stderr.split_once('\n').unwrap_or_default();
            let meant = help.trim_start().strip_prefix("help: did you mean `");
            let meant = meant.and_then(|meant| meant.split_once('`'));
            let known = |meant: &str| words.iter().any(|word| meant.ends_with(word));
            first.starts_with(&told) && meant.is_some_and(|(meant, _)| known(meant))
        };
        assert!(
            cases.iter().any(offers),
            "no program misspells a word of `{family}`"
        );
    }
}
