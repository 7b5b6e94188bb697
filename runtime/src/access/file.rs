//! One policy file: read whole, or refused with the line that is not understood.

use std::{collections::BTreeMap, io, ops::Range, path::Path};

use bgtask_model::nearest;
use toml::{
    Spanned,
    de::{DeTable, DeValue},
};

use super::policy::{Answer, Origin};
use crate::{Code, Error, Result, text_file};

/// In KiB: room for a thousand apps; what is larger was not written by hand.
const LARGEST: u64 = 64;

/// The tables of a file.
const TABLES: [&str; 2] = ["default", "app"];

/// The keys of each.
const KEYS: [&str; 2] = ["access", "unknown_metering"];

/// What `unknown_metering` takes.
const METERING: [&str; 2] = ["allow", "deny"];

/// A value, and where it stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Said<T> {
    pub(super) value: T,
    pub(super) origin: Origin,
}

/// What one file says.
#[derive(Clone, Debug, Default)]
pub(super) struct Rules {
    default: Entry,
    apps: BTreeMap<String, Entry>,
}

#[derive(Clone, Debug, Default)]
struct Entry {
    access: Option<Said<Answer>>,
    unknown_metering: Option<bool>,
}

impl Rules {
    /// Reads a file; one that does not exist says nothing.
    pub(super) fn read(path: &Path, system: bool) -> Result<Self> {
        let text = match text_file::read(path, LARGEST) {
            Ok(text) => text,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Self::default()),
            Err(error) => {
                let rule = format!("the file `{}` cannot be read", path.display());
                return Err(Error::new(Code::AccessPolicy, rule)
                    .remedy("make it readable, or remove it")
                    .source(error));
            }
        };
        Reader {
            path,
            system,
            text: &text,
        }
        .rules()
    }

    pub(super) fn access(&self, app: &str) -> Option<&Said<Answer>> {
        let own = self.apps.get(app).and_then(|entry| entry.access.as_ref());
        own.or(self.default.access.as_ref())
    }

    pub(super) fn unknown_metering(&self, app: &str) -> Option<bool> {
        let own = self.apps.get(app).and_then(|entry| entry.unknown_metering);
        own.or(self.default.unknown_metering)
    }

    pub(super) fn apps(&self) -> impl Iterator<Item = &str> {
        self.apps.keys().map(String::as_str)
    }
}

/// A file while it is read.
struct Reader<'f> {
    path: &'f Path,
    system: bool,
    text: &'f str,
}

impl Reader<'_> {
    fn rules(&self) -> Result<Rules> {
        let document = DeTable::parse(self.text).map_err(|error| {
            let span = error.span().unwrap_or_default();
            let what = error.message().replace('\n', "; ");
            self.wrong(&span, &what)
                .remedy("correct that line as https://toml.io has it, or remove it")
        })?;
        let mut rules = Rules::default();
        for (key, value) in document.get_ref() {
            match &**key.get_ref() {
                "default" => rules.default = self.entry(value, "default")?,
                "app" => {
                    for (id, value) in self.table(value, "app")? {
                        let id = id.get_ref().to_string();
                        let entry = self.entry(value, &format!("app.{id:?}"))?;
                        rules.apps.insert(id, entry);
                    }
                }
                other => {
                    let what = format!("unknown key `{other}`");
                    let help = meant(other, &TABLES, "tables are `[default]` and `[app.\"id\"]`");
                    return Err(self.wrong(&key.span(), &what).remedy(help));
                }
            }
        }
        Ok(rules)
    }

    fn entry(&self, value: &Spanned<DeValue<'_>>, name: &str) -> Result<Entry> {
        let mut entry = Entry::default();
        for (key, value) in self.table(value, name)? {
            match &**key.get_ref() {
                "access" => {
                    let words = Answer::ALL.map(Answer::as_str);
                    let word = self.word(value, "access", &words)?;
                    entry.access = Answer::from_text(word).map(|answer| Said {
                        value: answer,
                        origin: self.origin(&key.span()),
                    });
                }
                "unknown_metering" => {
                    let word = self.word(value, "unknown_metering", &METERING)?;
                    entry.unknown_metering = Some(word == "allow");
                }
                other => {
                    let what = format!("unknown key `{other}` in `[{name}]`");
                    let help = if value.get_ref().is_table() {
                        "quote an id with dots: `[app.\"com.example.mail\"]`".to_owned()
                    } else {
                        meant(other, &KEYS, "it takes `access` and `unknown_metering`")
                    };
                    return Err(self.wrong(&key.span(), &what).remedy(help));
                }
            }
        }
        Ok(entry)
    }

    fn table<'v, 't>(
        &self,
        value: &'v Spanned<DeValue<'t>>,
        name: &str,
    ) -> Result<&'v DeTable<'t>> {
        value.get_ref().as_table().ok_or_else(|| {
            let what = format!("`{name}` is a table, not a value");
            let help = "write `[default]` or `[app.\"id\"]`, and `access = \"allow\"` below it";
            self.wrong(&value.span(), &what).remedy(help)
        })
    }

    /// One of these words, in quotes.
    fn word<'w>(
        &self,
        value: &Spanned<DeValue<'_>>,
        key: &str,
        words: &[&'w str],
    ) -> Result<&'w str> {
        let all = words.iter().map(|word| format!("`\"{word}\"`"));
        let all = all.collect::<Vec<_>>().join(", ");
        let Some(text) = value.get_ref().as_str() else {
            let what = format!("`{key}` takes a text");
            let help = format!("write one of {all}");
            return Err(self.wrong(&value.span(), &what).remedy(help));
        };
        words
            .iter()
            .copied()
            .find(|word| *word == text)
            .ok_or_else(|| {
                let what = format!("unknown value \"{text}\" of `{key}`");
                let help = meant(text, words, &format!("it is one of {all}"));
                self.wrong(&value.span(), &what).remedy(help)
            })
    }

    fn origin(&self, span: &Range<usize>) -> Origin {
        let before = self.text.bytes().take(span.start);
        Origin {
            file: self.path.to_owned(),
            line: before.filter(|byte| *byte == b'\n').count() + 1,
            system: self.system,
        }
    }

    fn wrong(&self, span: &Range<usize>, what: &str) -> Error {
        let Origin { file, line, .. } = self.origin(span);
        let rule = format!("the file `{}`, line {line}: {what}", file.display());
        Error::new(Code::AccessPolicy, rule)
    }
}

/// The nearest of the words, or what there is.
fn meant(text: &str, words: &[&str], otherwise: &str) -> String {
    match nearest(text, words.iter().copied()) {
        Some(word) => format!("did you mean `{word}`?"),
        None => otherwise.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<Rules> {
        let path = Path::new("/p/access.toml");
        let system = false;
        Reader { path, system, text }.rules()
    }

    fn answer(rules: &Rules, app: &str) -> Option<(Answer, usize)> {
        rules.access(app).map(|said| (said.value, said.origin.line))
    }

    #[test]
    fn an_app_counts_before_the_default() {
        let text = "# mine\n[default]\naccess = \"deny\"\n\n[app.\"com.example.mail\"]\naccess = \"always\"\n[app.quiet]\nunknown_metering = \"deny\"\n";
        let rules = read(text).unwrap();
        assert_eq!(
            answer(&rules, "com.example.mail"),
            Some((Answer::Always, 6))
        );
        assert_eq!(answer(&rules, "quiet"), Some((Answer::Deny, 3)));
        assert_eq!(answer(&rules, "other"), Some((Answer::Deny, 3)));
        assert_eq!(rules.unknown_metering("quiet"), Some(false));
        assert_eq!(rules.unknown_metering("other"), None);
        let named: Vec<&str> = rules.apps().collect();
        assert_eq!(named, ["com.example.mail", "quiet"]);
        assert_eq!(answer(&read("").unwrap(), "mail"), None);
    }

    #[test]
    fn every_answer_is_read_as_it_is_written() {
        for expected in Answer::ALL {
            let rules = read(&format!("[default]\naccess = \"{expected}\"")).unwrap();
            assert_eq!(answer(&rules, "x"), Some((expected, 2)));
            assert_eq!(serde_json::to_value(expected).unwrap(), expected.as_str());
        }
    }

    #[test]
    fn what_is_not_understood_is_told_with_its_line_and_a_remedy() {
        for (text, what, help) in [
            (
                "[defualt]\naccess = \"deny\"",
                "line 1: unknown key `defualt`",
                "did you mean `default`?",
            ),
            (
                "[default]\n\nacess = \"deny\"",
                "line 3: unknown key `acess` in `[default]`",
                "did you mean `access`?",
            ),
            (
                "[app.mail]\ncolour = 1",
                "line 2: unknown key `colour` in `[app.\"mail\"]`",
                "it takes `access` and `unknown_metering`",
            ),
            (
                "[app.mail]\naccess = \"denny\"",
                "line 2: unknown value \"denny\" of `access`",
                "did you mean `deny`?",
            ),
            (
                "[app.mail]\naccess = \"yes\"",
                "line 2: unknown value \"yes\" of `access`",
                "it is one of `\"deny\"`, `\"ask\"`, `\"allow\"`, `\"always\"`",
            ),
            (
                "[app.mail]\naccess = true",
                "line 2: `access` takes a text",
                "write one of `\"deny\"`, `\"ask\"`, `\"allow\"`, `\"always\"`",
            ),
            (
                "[default]\nunknown_metering = \"ask\"",
                "line 2: unknown value \"ask\" of `unknown_metering`",
                "it is one of `\"allow\"`, `\"deny\"`",
            ),
            (
                "[app.com.example.mail]\naccess = \"deny\"",
                "line 1: unknown key `example` in `[app.\"com\"]`",
                "quote an id with dots: `[app.\"com.example.mail\"]`",
            ),
            (
                "default = \"deny\"",
                "line 1: `default` is a table, not a value",
                "write `[default]` or `[app.\"id\"]`, and `access = \"allow\"` below it",
            ),
            (
                "[app]\nmail = \"deny\"",
                "line 2: `app.\"mail\"` is a table, not a value",
                "write `[default]` or `[app.\"id\"]`, and `access = \"allow\"` below it",
            ),
        ] {
            let error = read(text).unwrap_err();
            assert_eq!(error.code(), Code::AccessPolicy);
            let rule = format!("the file `/p/access.toml`, {what}");
            assert_eq!(error.rule(), rule);
            assert_eq!(error.help(), Some(help), "{text}");
        }
        let error = read("[default]\naccess = deny\n").unwrap_err();
        let at = "the file `/p/access.toml`, line 2: ";
        assert!(error.rule().starts_with(at), "{error}");
        assert!(error.help().unwrap().contains("https://toml.io"), "{error}");
        let error = read("[default]\naccess = \"deny\"\naccess = \"allow\"").unwrap_err();
        assert!(error.rule().contains("line 3: duplicate key"), "{error}");
    }

    #[test]
    fn only_a_small_file_of_text_is_read() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("access.toml");
        let refused = |what: &str| {
            let error = Rules::read(&path, false).unwrap_err();
            assert_eq!(error.code(), Code::AccessPolicy);
            assert!(error.to_string().contains(what), "{error}");
            let shown = path.display().to_string();
            assert!(error.rule().contains(&shown), "{error}");
        };
        assert!(Rules::read(&path, false).is_ok(), "it need not exist");
        let mut text = "[default]\naccess = \"deny\"\n#".to_owned();
        text.push_str(&"x".repeat(64 * 1024 - text.len()));
        std::fs::write(&path, &text).unwrap();
        let rules = Rules::read(&path, false).unwrap();
        assert_eq!(answer(&rules, "mail"), Some((Answer::Deny, 2)));
        text.push('x');
        std::fs::write(&path, &text).unwrap();
        refused("larger than 64 KiB");
        std::fs::write(&path, [b'#', 0xff]).unwrap();
        refused("not UTF-8");
        std::fs::remove_file(&path).unwrap();
        // Nobody writes to it: who waited for that would wait for ever.
        let mode = rustix::fs::Mode::from_raw_mode(0o600);
        let kind = rustix::fs::FileType::Fifo;
        rustix::fs::mknodat(rustix::fs::CWD, &path, kind, mode, 0).unwrap();
        refused("not a file");
    }
}
