//! What the user says otherwise than the program: triggers and conditions of declared tasks,
//! changed without a build.
//!
//! A file of the app, `<configuration>/bgtask/<app>.toml`, and variables of its environment, which
//! count more. Nothing is judged here: the texts are the grammar's, and the registry reads them.

use std::{collections::BTreeMap, io, ops::Range, path::Path};

use bgtask_model::nearest;
use toml::{
    Spanned,
    de::{DeTable, DeValue},
};

use crate::{Code, Error, Result, text_file};

/// The arguments that can be overridden.
pub(crate) const WORDS: [&str; 2] = ["trigger", "condition"];

/// No file is longer, in KiB.
const LONGEST: u64 = 1024;

/// What the user says of the tasks, by name. A task that is not in it is as declared.
#[derive(Debug, Default)]
pub(crate) struct Overrides {
    /// What is wrong with the file as a whole: nobody knows then what it says of which task.
    pub(crate) broken: Option<Error>,
    tasks: BTreeMap<String, Result<Vec<Override>>>,
    /// What names no task.
    pub(crate) warnings: Vec<String>,
}

/// One argument said otherwise.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Override {
    /// One of [`WORDS`].
    pub(crate) argument: &'static str,
    /// The grammar's text; empty for none.
    pub(crate) text: String,
    /// Where it is said: `/…/app.toml:3`, or a variable's name.
    pub(crate) place: String,
}

impl Overrides {
    /// Reads the file, which need not be there, and the variables.
    pub(crate) fn read(
        file: Option<&Path>,
        variables: impl IntoIterator<Item = (String, String)>,
        tasks: &[&str],
    ) -> Self {
        let mut read = Self::default();
        if let Some(path) = file {
            match text_of(path) {
                Ok(None) => {}
                Ok(Some(text)) => read.take_file(&path.display().to_string(), &text, tasks),
                Err(error) => read.broken = Some(error),
            }
        }
        read.take_variables(variables, tasks);
        read
    }

    /// What is said of a task; the file's mistake when it could not be read.
    pub(crate) fn of(&self, task: &str) -> Result<&[Override], &Error> {
        if let Some(broken) = &self.broken {
            return Err(broken);
        }
        match self.tasks.get(task) {
            None => Ok(&[]),
            Some(said) => said.as_deref(),
        }
    }

    fn take_file(&mut self, path: &str, text: &str, tasks: &[&str]) {
        let place = |at: Range<usize>| format!("{path}:{}", line(text, at.start));
        let table = match DeTable::parse(text) {
            Ok(table) => table,
            Err(error) => {
                let at = place(error.span().unwrap_or(0..0));
                self.broken = Some(wrong(&at, error.message()));
                return;
            }
        };
        for (key, value) in table.get_ref() {
            let at = place(key.span());
            let name = key.get_ref();
            match value.get_ref() {
                DeValue::Table(named) if name == "task" => self.take_tasks(named, tasks, &place),
                _ => {
                    let error = wrong(&at, &format!("`{name}` is not known here"));
                    self.broken = Some(error.remedy("write `[task.\"name\"]`"));
                }
            }
        }
    }

    fn take_tasks(
        &mut self,
        named: &DeTable<'_>,
        tasks: &[&str],
        place: &impl Fn(Range<usize>) -> String,
    ) {
        for (key, value) in named {
            let name = key.get_ref().as_ref();
            if !tasks.contains(&name) {
                let at = place(key.span());
                self.warnings
                    .push(unknown(&at, name, tasks.iter().copied()));
                continue;
            }
            let said = one_task(key, value, place).map_err(|error| error.task(name));
            self.tasks.insert(name.to_owned(), said);
        }
    }

    fn take_variables(
        &mut self,
        variables: impl IntoIterator<Item = (String, String)>,
        tasks: &[&str],
    ) {
        let known: Vec<(String, &'static str, &str)> = tasks
            .iter()
            .flat_map(|task| WORDS.map(|argument| (variable(task, argument), argument, *task)))
            .collect();
        for (name, text) in variables {
            if !is_variable(&name) {
                continue;
            }
            let meant: Vec<_> = known.iter().filter(|known| known.0 == name).collect();
            match meant[..] {
                [] => {
                    let names = known.iter().map(|known| known.0.as_str());
                    self.warnings.push(unknown("the environment", &name, names));
                }
                [(_, argument, task)] => self.say(
                    task,
                    Override {
                        argument,
                        text,
                        place: name,
                    },
                ),
                [..] => {
                    for (_, _, task) in meant {
                        let error = wrong(&name, "several tasks have this variable")
                            .task(*task)
                            .remedy("name the task in the app's file");
                        self.tasks.insert((*task).to_owned(), Err(error));
                    }
                }
            }
        }
    }

    /// The environment counts more than the file.
    fn say(&mut self, task: &str, said: Override) {
        let of_task = self.tasks.entry(task.to_owned());
        if let Ok(all) = of_task.or_insert_with(|| Ok(Vec::new())) {
            all.retain(|other| other.argument != said.argument);
            all.push(said);
        }
    }
}

/// The environment's variable for an argument of a task: `BGTASK_APP__SYNC_TRIGGER` for the
/// trigger of `app::sync`.
pub(crate) fn variable(task: &str, argument: &str) -> String {
    let plain = |c: char| if c.is_ascii_alphanumeric() { c } else { '_' };
    let name: String = task.chars().map(plain).collect();
    format!("BGTASK_{name}_{argument}").to_ascii_uppercase()
}

fn is_variable(name: &str) -> bool {
    name.starts_with("BGTASK_") && (name.ends_with("_TRIGGER") || name.ends_with("_CONDITION"))
}

fn one_task(
    key: &Spanned<std::borrow::Cow<'_, str>>,
    value: &Spanned<DeValue<'_>>,
    place: &impl Fn(Range<usize>) -> String,
) -> Result<Vec<Override>> {
    let DeValue::Table(arguments) = value.get_ref() else {
        let error = wrong(&place(key.span()), "a task's override is a table");
        return Err(error.remedy("write `[task.\"name\"]`, and `trigger = \"…\"` below it"));
    };
    let mut said = Vec::new();
    for (key, value) in arguments {
        let (word, at) = (key.get_ref().as_ref(), place(key.span()));
        let Some(argument) = WORDS.into_iter().find(|known| *known == word) else {
            let error = wrong(&at, &format!("`{word}` cannot be overridden"));
            return Err(error.remedy(match nearest(word, WORDS.into_iter()) {
                Some(meant) => format!("did you mean `{meant}`?"),
                None => "`trigger` and `condition` can; the rest is in the attribute".to_owned(),
            }));
        };
        let Some(text) = value.get_ref().as_str() else {
            let kind = value.get_ref().type_str();
            let error = wrong(&at, &format!("`{argument}` is a text, not of type {kind}"));
            return Err(error.remedy(format!("write it in quotes, as in `{argument} = \"…\"`")));
        };
        said.push(Override {
            argument,
            text: text.to_owned(),
            place: at,
        });
    }
    Ok(said)
}

/// The file's text; `None` if there is no file.
fn text_of(path: &Path) -> Result<Option<String>> {
    let at = path.display().to_string();
    match text_file::read(path, LONGEST) {
        Ok(text) => Ok(Some(text)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(wrong(&at, "it cannot be read").source(error)),
    }
}

fn wrong(at: &str, what: &str) -> Error {
    Error::new(Code::InvalidDeclaration, format!("{at}: {what}"))
}

fn unknown<'a>(at: &str, name: &str, known: impl Iterator<Item = &'a str> + Clone) -> String {
    let what = format!("{at}: no task is meant by `{name}`");
    match nearest_of(name, known) {
        Some(meant) => format!("{what}; did you mean `{meant}`?"),
        None => what,
    }
}

fn nearest_of<'a>(name: &str, known: impl Iterator<Item = &'a str> + Clone) -> Option<String> {
    nearest(name, known).map(str::to_owned)
}

fn line(text: &str, at: usize) -> usize {
    let before = text.as_bytes().iter().take(at);
    before.filter(|byte| **byte == b'\n').count() + 1
}

#[cfg(test)]
mod tests {
    use super::*;

    const TASKS: [&str; 3] = ["app::sync", "app::sweep", "night job"];

    fn of_file(text: &str) -> Overrides {
        let mut read = Overrides::default();
        read.take_file("/etc/x.toml", text, &TASKS);
        read
    }

    fn of_environment(name: &str, text: &str) -> Overrides {
        let variables = [(name.to_owned(), text.to_owned())];
        Overrides::read(None, variables, &TASKS)
    }

    fn said(argument: &'static str, text: &str, place: &str) -> Override {
        Override {
            argument,
            text: text.to_owned(),
            place: place.to_owned(),
        }
    }

    #[test]
    fn a_task_is_named_in_the_file() {
        let read = of_file("[task.\"app::sync\"]\ntrigger = 'time(60)'\ncondition = \"\"\n");
        let both = [
            said("condition", "", "/etc/x.toml:3"),
            said("trigger", "time(60)", "/etc/x.toml:2"),
        ];
        let mut found = read.of("app::sync").unwrap().to_vec();
        found.sort_by_key(|one| one.argument);
        assert_eq!(found, both);
        assert_eq!(read.of("app::sweep").unwrap(), []);
        assert!(read.warnings.is_empty());
    }

    #[test]
    fn the_environment_counts_more_than_the_file() {
        let mut read =
            of_file("[task.\"night job\"]\ntrigger = 'time(60)'\ncondition = 'internet'");
        let name = "BGTASK_NIGHT_JOB_TRIGGER";
        assert_eq!(variable("night job", "trigger"), name);
        read.take_variables([(name.to_owned(), "time(15)".to_owned())], &TASKS);
        let mut found = read.of("night job").unwrap().to_vec();
        found.sort_by_key(|one| one.argument);
        let condition = said("condition", "internet", "/etc/x.toml:3");
        assert_eq!(found, [condition, said("trigger", "time(15)", name)]);
    }

    #[test]
    fn what_is_wrong_with_one_task_is_told_with_its_line() {
        for (text, rule, help) in [
            (
                "trigger = 60",
                "/etc/x.toml:2: `trigger` is a text, not of type integer",
                "write it in quotes, as in `trigger = \"…\"`",
            ),
            (
                "tirgger = 'time(60)'",
                "/etc/x.toml:2: `tirgger` cannot be overridden",
                "did you mean `trigger`?",
            ),
            (
                "timeout = '1m'",
                "/etc/x.toml:2: `timeout` cannot be overridden",
                "`trigger` and `condition` can; the rest is in the attribute",
            ),
        ] {
            let read = of_file(&format!("[task.\"app::sync\"]\n{text}"));
            let error = read.of("app::sync").unwrap_err();
            assert_eq!((error.rule(), error.help()), (rule, Some(help)));
            assert_eq!(error.task_name(), Some("app::sync"));
            assert!(read.of("app::sweep").is_ok());
        }
        let read = of_file("task.\"app::sync\" = 'time(60)'");
        let error = read.of("app::sync").unwrap_err();
        assert_eq!(error.rule(), "/etc/x.toml:1: a task's override is a table");
    }

    #[test]
    fn a_file_that_says_nothing_clear_speaks_for_every_task() {
        for (text, rule) in [
            ("\n[task.", "/etc/x.toml:2: "),
            (
                "\n\n[tasks.\"app::sync\"]",
                "/etc/x.toml:3: `tasks` is not known here",
            ),
        ] {
            let read = of_file(text);
            for task in TASKS {
                let error = read.of(task).unwrap_err();
                assert!(error.rule().starts_with(rule), "{error}");
            }
        }
    }

    #[test]
    fn what_names_no_task_is_a_warning_that_names_the_nearest() {
        let read = of_file("[task.\"app::snyc\"]\ntrigger = 'time(60)'");
        assert_eq!(
            read.warnings,
            ["/etc/x.toml:1: no task is meant by `app::snyc`; did you mean `app::sync`?"]
        );
        let read = of_environment("BGTASK_APP__SNYC_TRIGGER", "time(60)");
        assert_eq!(
            read.warnings,
            [
                "the environment: no task is meant by `BGTASK_APP__SNYC_TRIGGER`; \
              did you mean `BGTASK_APP__SYNC_TRIGGER`?"
            ]
        );
        assert!(of_environment("BGTASK_HOST", "x").warnings.is_empty());
    }

    #[test]
    fn a_variable_of_two_tasks_is_refused_for_both() {
        let name = "BGTASK_A_B_TRIGGER".to_owned();
        let read = Overrides::read(None, [(name, "time(60)".to_owned())], &["a_b", "a b", "c"]);
        for task in ["a_b", "a b"] {
            let error = read.of(task).unwrap_err();
            assert_eq!(
                error.rule(),
                "BGTASK_A_B_TRIGGER: several tasks have this variable"
            );
        }
        assert!(read.of("c").is_ok());
    }

    #[test]
    fn a_file_that_cannot_be_read_is_no_file_without_a_word() {
        let dir = tempfile::tempdir().unwrap();
        let absent = Overrides::read(Some(&dir.path().join("x.toml")), [], &TASKS);
        assert!(absent.of("app::sync").is_ok());
        // A directory is there, and no text.
        let read = Overrides::read(Some(dir.path()), [], &TASKS);
        assert!(
            read.of("app::sync")
                .unwrap_err()
                .rule()
                .ends_with("cannot be read")
        );
        // Nobody writes to it: who waited for that would wait for ever.
        let pipe = dir.path().join("pipe.toml");
        let mode = rustix::fs::Mode::from_raw_mode(0o600);
        let kind = rustix::fs::FileType::Fifo;
        rustix::fs::mknodat(rustix::fs::CWD, &pipe, kind, mode, 0).unwrap();
        let read = Overrides::read(Some(&pipe), [], &TASKS);
        let error = read.of("app::sync").unwrap_err();
        assert!(error.to_string().contains("it is not a file"), "{error}");
    }
}
