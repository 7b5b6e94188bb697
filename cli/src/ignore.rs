//! `[package.metadata.bgtask]`: whose tasks a package leaves out on purpose.

use std::collections::BTreeMap;

use serde::Deserialize;

/// The packages whose absent tasks are no news.
#[derive(Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Ignore {
    ignore: List,
}

#[derive(Debug, PartialEq, Eq, Deserialize)]
#[serde(untagged)]
enum List {
    /// In every program of the package.
    Everywhere(Vec<String>),
    /// In the programs named.
    Programs(BTreeMap<String, Vec<String>>),
}

impl Default for List {
    fn default() -> Self {
        Self::Everywhere(Vec::new())
    }
}

impl Ignore {
    /// How it is written.
    pub(crate) const FORM: &str =
        "write `ignore = [\"package\"]`, or `ignore.program = [\"package\"]` for one program";

    /// Reads the table.
    pub(crate) fn read(table: &serde_json::Value) -> Result<Self, serde_json::Error> {
        Self::deserialize(table)
    }

    /// Whether the package may be absent from the program.
    pub(crate) fn has(&self, program: &str, package: &str) -> bool {
        let list = match &self.ignore {
            List::Everywhere(list) => Some(list),
            List::Programs(programs) => programs.get(program),
        };
        list.is_some_and(|list| list.iter().any(|name| same(name, package)))
    }

    /// The first name in it that is none of these.
    pub(crate) fn unknown<'a>(&self, known: impl Iterator<Item = &'a str>) -> Option<&str> {
        let known: Vec<&str> = known.collect();
        let lists: Vec<&Vec<String>> = match &self.ignore {
            List::Everywhere(list) => vec![list],
            List::Programs(programs) => programs.values().collect(),
        };
        let mut names = lists.into_iter().flatten();
        names
            .find(|name| !known.iter().any(|known| same(name, known)))
            .map(String::as_str)
    }
}

/// A package's name, or that of its crate.
fn same(a: &str, b: &str) -> bool {
    a.replace('-', "_") == b.replace('-', "_")
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_list_is_for_every_program_or_for_one() {
        let everywhere = Ignore::read(&json!({ "ignore": ["my-tasks"] })).unwrap();
        assert!(everywhere.has("app", "my-tasks"));
        assert!(everywhere.has("app", "my_tasks"));
        assert!(!everywhere.has("app", "tasks"));
        let one = Ignore::read(&json!({ "ignore": { "app": ["my-tasks"] } })).unwrap();
        assert!(one.has("app", "my-tasks"));
        assert!(!one.has("second", "my-tasks"));
        for list in [everywhere, one] {
            assert_eq!(list.unknown(["my-tasks"].into_iter()), None);
            assert_eq!(list.unknown(["x"].into_iter()), Some("my-tasks"));
        }
    }

    #[test]
    fn what_is_no_list_is_an_error() {
        for table in [
            json!([]),
            json!({ "ignored": [] }),
            json!({ "ignore": "x" }),
            json!({ "ignore": [1] }),
        ] {
            assert!(Ignore::read(&table).is_err(), "{table}");
        }
    }
}
