//! The manifest as a value and as `<executable>.bgtask.json`.

use std::{
    fmt, fs, io,
    path::{Path, PathBuf},
};

use serde::Serialize;
use serde_json::Value;

use super::entry::{Entry, MOST_ENTRIES, damaged, kind};
use crate::{Code, Error, Result};

/// The version of the manifest's JSON form.
pub const VERSION: u64 = 1;
/// No manifest file is larger.
const LARGEST_FILE: u64 = 64 * 1024 * 1024;

/// The tasks of one executable.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Manifest {
    version: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    app: Option<String>,
    executable: String,
    tasks: Vec<Entry>,
}

impl Manifest {
    /// The manifest of an executable of that file name; tasks are sorted by name.
    ///
    /// # Errors
    ///
    /// [`Code::DuplicateName`]: two tasks have one name; both places are told.
    pub fn new(executable: impl Into<String>, mut tasks: Vec<Entry>) -> Result<Self> {
        tasks.sort_by(|a, b| (a.name(), a.place()).cmp(&(b.name(), b.place())));
        for pair in tasks.windows(2) {
            if pair[0].name() == pair[1].name() {
                return Err(Error::new(
                    Code::DuplicateName,
                    format!(
                        "two tasks have this name: {} and {}",
                        pair[0].place(),
                        pair[1].place()
                    ),
                )
                .task(pair[0].name())
                .remedy("give one of them another `name = \"…\"`"));
            }
        }
        Ok(Self {
            version: VERSION,
            app: None,
            executable: executable.into(),
            tasks,
        })
    }

    /// States the app's id, which only a run of the program knows.
    #[must_use]
    pub fn with_app(mut self, app: impl Into<String>) -> Self {
        self.app = Some(app.into());
        self
    }

    /// The app's id, if a run of the program wrote the file.
    #[must_use]
    pub fn app(&self) -> Option<&str> {
        self.app.as_deref()
    }

    /// The executable's file name.
    #[must_use]
    pub fn executable(&self) -> &str {
        &self.executable
    }

    /// The tasks, sorted by name.
    #[must_use]
    pub fn tasks(&self) -> &[Entry] {
        &self.tasks
    }

    /// The file that belongs to an executable: beside it, with `.bgtask.json` after its name.
    ///
    /// ```
    /// use bgtask::manifest::Manifest;
    ///
    /// let path = Manifest::path_for("target/release/mail");
    /// assert_eq!(path, std::path::Path::new("target/release/mail.bgtask.json"));
    /// ```
    #[must_use]
    pub fn path_for(executable: impl AsRef<Path>) -> PathBuf {
        let mut path = executable.as_ref().as_os_str().to_owned();
        path.push(".bgtask.json");
        path.into()
    }

    /// The file's text: JSON for people and for tools, the same for the same tasks.
    #[must_use]
    pub fn to_json(&self) -> String {
        // Texts, numbers and flags only: there is no way to fail.
        let mut text = serde_json::to_string_pretty(self).unwrap_or_default();
        text.push('\n');
        text
    }

    /// Reads the file's text.
    ///
    /// # Errors
    ///
    /// [`Code::Manifest`]: it is not a manifest, or one of another version;
    /// [`Code::DuplicateName`]: two tasks have one name.
    pub fn from_json(text: &[u8]) -> Result<Self> {
        let value: Value = serde_json::from_slice(text)
            .map_err(|error| damaged("the manifest is not JSON").source(error))?;
        let Value::Object(mut map) = value else {
            return Err(damaged(format!(
                "the manifest must be an object, not {}",
                kind(&value)
            )));
        };
        // First the version: of another one nothing else is known.
        match map.remove("version") {
            Some(Value::Number(version)) if version.as_u64() == Some(VERSION) => {}
            Some(version) => {
                return Err(damaged(format!(
                    "the manifest has version {version}; this version of bgtask reads version {VERSION}"
                ))
                .remedy("write it anew with `cargo bgtask build`, or update bgtask"));
            }
            None => return Err(damaged("the manifest has no field `version`")),
        }
        let app = match map.remove("app") {
            None => None,
            Some(Value::String(app)) => Some(app),
            Some(other) => return Err(wrong("app", "a text", &other)),
        };
        let executable = match map.remove("executable") {
            Some(Value::String(name)) => name,
            Some(other) => return Err(wrong("executable", "a text", &other)),
            None => return Err(damaged("the manifest has no field `executable`")),
        };
        let tasks = match map.remove("tasks") {
            Some(Value::Array(tasks)) if tasks.len() <= MOST_ENTRIES => tasks,
            Some(Value::Array(_)) => {
                return Err(damaged(format!("there are more than {MOST_ENTRIES} tasks")));
            }
            Some(other) => return Err(wrong("tasks", "a list", &other)),
            None => return Err(damaged("the manifest has no field `tasks`")),
        };
        if let Some(word) = map.keys().next() {
            return Err(damaged(format!(
                "the manifest has an unknown field `{word}`"
            )));
        }
        let tasks = tasks.into_iter().map(Entry::from_value);
        let mut manifest = Self::new(executable, tasks.collect::<Result<_>>()?)?;
        manifest.app = app;
        Ok(manifest)
    }

    /// Reads a manifest file. `None`: there is none.
    ///
    /// # Errors
    ///
    /// As [`from_json`](Self::from_json), and [`Code::Manifest`] if the file cannot be read.
    pub fn read(path: impl AsRef<Path>) -> Result<Option<Self>> {
        let path = path.as_ref();
        match read_bounded(path) {
            Ok(text) => Self::from_json(&text).map(Some),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => {
                Err(damaged(format!("`{}` cannot be read", path.display())).source(error))
            }
        }
    }

    /// Writes the file unless it holds this already: whole or not at all, so that no reader sees
    /// half a file. An app id that the file states is kept where this manifest knows none.
    /// `true`: it was written.
    ///
    /// # Errors
    ///
    /// [`Code::Manifest`]: the file cannot be written.
    pub fn write_if_different(&self, path: impl AsRef<Path>) -> Result<bool> {
        let path = path.as_ref();
        let there = read_bounded(path).ok();
        let known = there.as_deref().map(Self::from_json).and_then(Result::ok);
        let text = match (&self.app, known.and_then(|known| known.app)) {
            (None, Some(app)) => self.clone().with_app(app).to_json(),
            _ => self.to_json(),
        };
        if there.as_deref() == Some(text.as_bytes()) {
            return Ok(false);
        }
        let mut temporary = path.as_os_str().to_owned();
        temporary.push(format!(".{}.tmp", std::process::id()));
        let written = fs::write(&temporary, text).and_then(|()| fs::rename(&temporary, path));
        match written {
            Ok(()) => Ok(true),
            Err(error) => {
                // What is left of a failed attempt is of no use; that it cannot be removed either
                // says nothing new.
                let _ = fs::remove_file(&temporary);
                Err(damaged(format!("`{}` cannot be written", path.display())).source(error))
            }
        }
    }

    /// How the tasks of a file differ from these, a line each; empty if they are the same. The
    /// app's id and the executable's name are not compared: a copy may have another name.
    #[must_use]
    pub fn differences(&self, file: &Self) -> Vec<Difference> {
        let mut differences = Vec::new();
        let (mut ours, mut theirs) = (self.tasks.iter().peekable(), file.tasks.iter().peekable());
        loop {
            let difference = match (ours.peek(), theirs.peek()) {
                (None, None) => return differences,
                (Some(our), Some(their)) if our.name() == their.name() => {
                    let name = our.name().to_owned();
                    let same = our == their;
                    ours.next();
                    theirs.next();
                    if same {
                        continue;
                    }
                    Difference::Changed(name)
                }
                (Some(our), their) if their.is_none_or(|their| our.name() < their.name()) => {
                    let name = our.name().to_owned();
                    ours.next();
                    Difference::Missing(name)
                }
                (_, Some(their)) => {
                    let name = their.name().to_owned();
                    theirs.next();
                    Difference::Gone(name)
                }
                (Some(_), None) => unreachable!("the arm for our task alone takes it"),
            };
            differences.push(difference);
        }
    }
}

/// One difference between the tasks in an executable and those in a manifest file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Difference {
    /// The file does not list the task.
    Missing(String),
    /// The file lists a task that the executable does not have.
    Gone(String),
    /// The file lists the task with another declaration.
    Changed(String),
}

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Missing(name) => write!(f, "`{name}` is not in the file"),
            Self::Gone(name) => write!(f, "`{name}` is no longer in the executable"),
            Self::Changed(name) => write!(f, "`{name}` is declared differently"),
        }
    }
}

fn wrong(word: &str, expected: &str, found: &Value) -> Error {
    damaged(format!(
        "the manifest's field `{word}` must be {expected}, not {}",
        kind(found)
    ))
}

fn read_bounded(path: &Path) -> io::Result<Vec<u8>> {
    let metadata = fs::metadata(path)?;
    // Opening anything else, a pipe for one, could wait for ever.
    if !metadata.is_file() {
        return Err(io::Error::other("it is not a file"));
    }
    if metadata.len() > LARGEST_FILE {
        return Err(io::Error::other(format!(
            "it is larger than {LARGEST_FILE} bytes"
        )));
    }
    let mut text = Vec::new();
    io::Read::read_to_end(
        &mut io::Read::take(fs::File::open(path)?, LARGEST_FILE),
        &mut text,
    )?;
    Ok(text)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::manifest::samples;

    fn manifest() -> Manifest {
        Manifest::new("sample", samples::all()).unwrap()
    }

    #[test]
    fn a_manifest_comes_back_from_its_text() {
        for manifest in [manifest(), manifest().with_app("com.example.sample")] {
            let text = manifest.to_json();
            assert_eq!(Manifest::from_json(text.as_bytes()).unwrap(), manifest);
        }
    }

    #[test]
    fn the_schema_accepts_what_is_written_and_refuses_what_is_not_a_manifest() {
        let schema = concat!(
            env!("CARGO_MANIFEST_DIR"),
            "/../schema/manifest.schema.json"
        );
        let schema: Value = serde_json::from_slice(&fs::read(schema).unwrap()).unwrap();
        let schema = jsonschema::validator_for(&schema).unwrap();
        let text = manifest().with_app("com.example.sample").to_json();
        let good: Value = serde_json::from_str(&text).unwrap();
        let errors: Vec<String> = schema
            .iter_errors(&good)
            .map(|error| format!("{}: {error}", error.instance_path()))
            .collect();
        assert!(errors.is_empty(), "{errors:#?}");

        type Spoil = fn(&mut Value);
        let spoils: [Spoil; 6] = [
            |json| json["version"] = 2.into(),
            |json| json["tasks"][0]["trigger"] = "tmie(15)".into(),
            |json| json["tasks"][0]["colour"] = "red".into(),
            |json| json["tasks"][0]["priority"] = "high".into(),
            |json| json["app"] = "../elsewhere".into(),
            |json| drop(json.as_object_mut().unwrap().remove("tasks")),
        ];
        for (index, spoil) in spoils.iter().enumerate() {
            let mut bad = good.clone();
            spoil(&mut bad);
            assert!(!schema.is_valid(&bad), "spoil {index}");
            if index != 4 {
                // An app id is checked where it is used.
                assert!(Manifest::from_json(bad.to_string().as_bytes()).is_err());
            }
        }
    }

    #[test]
    fn two_tasks_of_one_name_are_refused_with_both_places() {
        let mut tasks = samples::all();
        let mut other = tasks[0].clone();
        other.crate_name = "other".to_owned();
        tasks.push(other);
        let error = Manifest::new("sample", tasks).unwrap_err();
        assert_eq!(error.code(), Code::DuplicateName);
        assert_eq!(
            error.to_string(),
            "`task_00`: two tasks have this name: function `sample::task_00` of other 1.2.3 and \
             function `sample::task_00` of sample 1.2.3 [duplicate-name]\n  \
             help: give one of them another `name = \"…\"`"
        );
    }

    #[test]
    fn texts_that_are_no_manifest_say_what_is_wrong() {
        for (text, rule) in [
            ("", "not JSON"),
            ("{", "not JSON"),
            ("[]", "must be an object, not a list"),
            ("{}", "no field `version`"),
            (r#"{"version":2}"#, "has version 2"),
            (r#"{"version":"1"}"#, "has version \"1\""),
            (r#"{"version":1}"#, "no field `executable`"),
            (
                r#"{"version":1,"executable":1}"#,
                "`executable` must be a text",
            ),
            (
                r#"{"version":1,"app":[],"executable":"x"}"#,
                "`app` must be a text",
            ),
            (r#"{"version":1,"executable":"x"}"#, "no field `tasks`"),
            (
                r#"{"version":1,"executable":"x","tasks":{}}"#,
                "`tasks` must be a list",
            ),
            (
                r#"{"version":1,"executable":"x","tasks":[1]}"#,
                "not a JSON object",
            ),
            (
                r#"{"version":1,"executable":"x","tasks":[],"more":1}"#,
                "unknown field `more`",
            ),
        ] {
            let error = Manifest::from_json(text.as_bytes()).unwrap_err();
            assert_eq!(error.code(), Code::Manifest);
            assert!(error.to_string().contains(rule), "{text}: {error}");
        }
        let text = manifest().to_json();
        for cut in (0..text.len() - 2).step_by(7) {
            assert!(Manifest::from_json(&text.as_bytes()[..cut]).is_err());
        }
    }

    #[test]
    fn a_file_is_written_only_when_it_differs() {
        let dir = tempfile::tempdir().unwrap();
        let path = Manifest::path_for(dir.path().join("sample"));
        assert_eq!(Manifest::read(&path).unwrap(), None);
        assert!(manifest().write_if_different(&path).unwrap());
        assert!(!manifest().write_if_different(&path).unwrap());
        assert!(manifest().with_app("a").write_if_different(&path).unwrap());
        // The id that a run stated stays when the build, which does not know it, writes again.
        assert!(!manifest().write_if_different(&path).unwrap());
        assert_eq!(Manifest::read(&path).unwrap().unwrap().app(), Some("a"));
        fs::write(&path, "nonsense").unwrap();
        assert!(manifest().write_if_different(&path).unwrap());
        assert_eq!(Manifest::read(&path).unwrap(), Some(manifest()));
        let names: Vec<_> = fs::read_dir(dir.path()).unwrap().collect();
        assert_eq!(names.len(), 1, "{names:?}");
        let nowhere = dir.path().join("nowhere").join("file");
        let error = manifest().write_if_different(nowhere).unwrap_err();
        assert_eq!(error.code(), Code::Manifest);
        assert_eq!(
            Manifest::read(dir.path()).unwrap_err().code(),
            Code::Manifest
        );
    }

    #[test]
    fn differences_are_told_by_name() {
        let ours = manifest();
        let mut theirs = samples::all();
        theirs.remove(0);
        theirs[0].declaration.options.priority += 1;
        let mut extra = theirs[1].clone();
        extra.declaration.name = "zzz".to_owned();
        theirs.push(extra);
        let theirs = Manifest::new("copy", theirs).unwrap().with_app("a");
        assert_eq!(
            ours.differences(&theirs),
            [
                Difference::Missing("task_00".to_owned()),
                Difference::Changed("task_01".to_owned()),
                Difference::Gone("zzz".to_owned()),
            ]
        );
        assert_eq!(ours.differences(&manifest().with_app("a")), []);
    }
}
