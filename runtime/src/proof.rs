//! Whether what a guide names as its proof is there.

use std::{fs, path::Path};

/// The sources of this repository's tests, as one text.
pub(crate) struct Sources(String);

impl Sources {
    /// All below these folders and files, which are named from this package's root.
    pub(crate) fn of(places: &[&str]) -> Self {
        let root = Path::new(env!("CARGO_MANIFEST_DIR"));
        let mut text = String::new();
        for place in places {
            read(&root.join(place), &mut text);
        }
        Self(text)
    }

    /// Whether a test has that name: a function, or a trial.
    pub(crate) fn have(&self, test: &str) -> bool {
        let is_function = self.0.contains(&format!("fn {test}("));
        is_function
            || [test, &format!("windows: {test}")]
                .iter()
                .any(|name| self.0.contains(&format!("\"{name}\"")))
    }
}

fn read(path: &Path, text: &mut String) {
    if path.is_dir() {
        for entry in fs::read_dir(path).expect("a folder of this repository") {
            read(&entry.expect("its entry").path(), text);
        }
    } else if path.extension().is_some_and(|kind| kind == "rs") {
        *text += &fs::read_to_string(path).expect("a source of this repository");
    }
}

/// The words in backticks.
fn words(cell: &str) -> impl Iterator<Item = &str> {
    cell.split('`').skip(1).step_by(2)
}

#[test]
fn what_the_guide_for_windows_names_is_there() {
    let sources = Sources::of(&["src", "tests", "../cli/tests"]);
    let programs = Path::new(env!("CARGO_MANIFEST_DIR")).join("../ui-tests/tests");
    let mut rows = 0;
    for line in include_str!("guide/windows.md").lines() {
        let Some(row) = line.strip_prefix("| ") else {
            continue;
        };
        let (_, proof) = row
            .trim_end_matches(" |")
            .rsplit_once(" | ")
            .expect("cells");
        if proof == "shown by" {
            continue;
        }
        rows += 1;
        let mut named = words(proof).peekable();
        assert!(named.peek().is_some(), "nothing shows: {line}");
        for name in named {
            let there = match name.ends_with(".rs") {
                true => programs.join(name).is_file(),
                false => sources.have(name),
            };
            assert!(there, "`{name}` is not there: {line}");
        }
    }
    assert!(rows > 50, "the tables have {rows} rows");
}
