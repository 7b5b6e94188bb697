//! The manifest as a value and as `<executable>.bgtask.json`.

use std::{
    fmt, fs,
    io::{self, Read},
    path::{Path, PathBuf},
};

use serde::{
    Deserialize, Deserializer, Serialize,
    de::{self, IgnoredAny, SeqAccess, Visitor},
};
use serde_json::value::RawValue;

use super::{
    collected::MOST_ENTRIES,
    entry::Entry,
    refusal::{at, damaged, in_file, not_json, too_many, unreadable},
};
use crate::{Code, Error, Result};

/// The version of the manifest's JSON form.
pub const VERSION: u64 = 1;
/// Some editors put it first, although JSON has no need of it.
const BYTE_ORDER_MARK: &[u8] = b"\xef\xbb\xbf";
const ANEW: &str =
    "write it anew with `cargo bgtask build`; `schema/manifest.schema.json` describes it";
/// No manifest file is larger: room for all entries that an executable may have, laid out.
const LARGEST_FILE: u64 = 32 * 1024 * 1024;

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
    /// [`Code::Manifest`]: there are more than 10,000 tasks.
    pub fn new(executable: impl Into<String>, mut tasks: Vec<Entry>) -> Result<Self> {
        if tasks.len() > MOST_ENTRIES {
            return Err(too_many());
        }
        tasks.sort_by(|a, b| {
            let by_name = a.name().cmp(b.name());
            by_name.then_with(|| a.place().cmp(&b.place()))
        });
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
        let text = text.strip_prefix(BYTE_ORDER_MARK).unwrap_or(text);
        // The structures below would take a list for their fields in order.
        if text.trim_ascii_start().starts_with(b"[") {
            return Err(damaged("the manifest must be a JSON object, not a list").remedy(ANEW));
        }
        // First the version: of another one nothing else is known.
        let Version { version } = serde_json::from_slice(text).map_err(|error| refused(&error))?;
        if version.get() != VERSION.to_string() {
            return Err(damaged(format!(
                "the manifest has version {}; this version of bgtask reads version {VERSION}",
                version.get().chars().take(20).collect::<String>()
            ))
            .remedy("write it anew with `cargo bgtask build`, or update bgtask"));
        }
        let Fields {
            app,
            executable,
            tasks: Tasks(tasks),
            ..
        } = serde_json::from_slice(text).map_err(|error| refused(&error))?;
        let tasks = tasks.into_iter().map(|task| {
            Entry::from_json(task.get().as_bytes()).map_err(|error| {
                let before = task.get().as_ptr() as usize - text.as_ptr() as usize;
                let line = text[..before].iter().filter(|byte| **byte == b'\n').count() + 1;
                at(format_args!("the task in line {line}"), error)
            })
        });
        let mut manifest = Self::new(executable, tasks.collect::<Result<_>>()?)?;
        manifest.app = app;
        Ok(manifest)
    }

    /// Reads a manifest file; not one over 32 MiB. `None`: there is none.
    ///
    /// # Errors
    ///
    /// As [`from_json`](Self::from_json), and [`Code::Manifest`] if the file cannot be read.
    pub fn read(path: impl AsRef<Path>) -> Result<Option<Self>> {
        let path = path.as_ref();
        match read_bounded(path) {
            Ok(text) => Self::from_json(&text)
                .map(Some)
                .map_err(|error| in_file(path, error)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(unreadable(path, error)),
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
}

/// The field that tells how to read the others.
#[derive(Deserialize)]
#[serde(expecting = "a JSON object")]
struct Version<'text> {
    #[serde(borrow)]
    version: &'text RawValue,
}

/// All fields, each at most once.
#[derive(Deserialize)]
#[serde(deny_unknown_fields, expecting = "a JSON object")]
struct Fields<'text> {
    #[serde(rename = "version")]
    _version: IgnoredAny,
    #[serde(default, deserialize_with = "stated")]
    app: Option<String>,
    executable: String,
    #[serde(borrow)]
    tasks: Tasks<'text>,
}

/// A field that is there has a value.
fn stated<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<String>, D::Error> {
    String::deserialize(deserializer).map(Some)
}

/// The texts of the tasks, not more of them than are read.
struct Tasks<'text>(Vec<&'text RawValue>);

impl<'de: 'text, 'text> Deserialize<'de> for Tasks<'text> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_seq(ReadTasks)
    }
}

struct ReadTasks;

impl<'de> Visitor<'de> for ReadTasks {
    type Value = Tasks<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "a list of at most {MOST_ENTRIES} tasks")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Tasks<'de>, A::Error> {
        let mut tasks = Vec::new();
        while let Some(task) = list.next_element()? {
            if tasks.len() == MOST_ENTRIES {
                return Err(de::Error::invalid_length(MOST_ENTRIES + 1, &self));
            }
            tasks.push(task);
        }
        Ok(Tasks(tasks))
    }
}

/// With the line and the column, which a message of the JSON parser ends with.
fn refused(error: &serde_json::Error) -> Error {
    let rule = if error.is_data() {
        "the manifest does not fit"
    } else {
        "the manifest is not JSON"
    };
    not_json(rule, error).remedy(ANEW)
}

fn read_bounded(path: &Path) -> io::Result<Vec<u8>> {
    let metadata = fs::metadata(path)?;
    // Opening anything else, a pipe for one, could wait for ever.
    if !metadata.is_file() {
        return Err(io::Error::other("it is not a file"));
    }
    let too_large = || io::Error::other(format!("it is larger than {LARGEST_FILE} bytes"));
    if metadata.len() > LARGEST_FILE {
        return Err(too_large());
    }
    let mut text = Vec::with_capacity(metadata.len() as usize + 1);
    // It may have grown since.
    fs::File::open(path)?
        .take(LARGEST_FILE + 1)
        .read_to_end(&mut text)?;
    if text.len() as u64 > LARGEST_FILE {
        return Err(too_large());
    }
    Ok(text)
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

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
    fn texts_that_are_no_manifest_say_what_is_wrong_and_where() {
        let task = samples::all().remove(0).to_json();
        let file =
            |tasks: &str| format!("{{\"version\":1,\"executable\":\"x\",\n\"tasks\":[{tasks}]}}");
        let spoilt = |from: &str, to: &str| file(&task.replace(from, to));
        for (text, told) in [
            (String::new(), "the manifest is not JSON: EOF"),
            (
                " ".into(),
                "not JSON: EOF while parsing a value at line 1 column 1",
            ),
            (
                "{".into(),
                "not JSON: EOF while parsing an object at line 1 column 1",
            ),
            ("{}\n}".into(), "missing field `version` at line 1 column 2"),
            (
                file("") + "x",
                "not JSON: trailing characters at line 2 column 12",
            ),
            (" []".into(), "must be a JSON object, not a list"),
            (
                "7".into(),
                "does not fit: invalid type: integer `7`, expected a JSON object at line 1",
            ),
            (
                "null".into(),
                "invalid type: null, expected a JSON object at line 1 column 4",
            ),
            (
                "\u{feff}\u{feff}{}".into(),
                "not JSON: expected value at line 1 column 1",
            ),
            (
                r#"{"version":2}"#.into(),
                "has version 2; this version of bgtask reads version 1",
            ),
            (r#"{"version":1.0}"#.into(), "has version 1.0;"),
            (r#"{"version":"1"}"#.into(), r#"has version "1";"#),
            (
                r#"{"version":[0,1,2,3,4,5,6,7,8,9]}"#.into(),
                "has version [0,1,2,3,4,5,6,7,8,9;",
            ),
            (
                r#"{"version":2,"version":1}"#.into(),
                "duplicate field `version` at line 1 column 22",
            ),
            (
                r#"{"version":1}"#.into(),
                "missing field `executable` at line 1 column 13",
            ),
            (
                r#"{"version":1,"executable":1}"#.into(),
                "invalid type: integer `1`, expected a string at line 1 column 27",
            ),
            (
                r#"{"version":1,"app":[],"executable":"x"}"#.into(),
                "invalid type: sequence, expected a string at line 1 column 19",
            ),
            (
                r#"{"version":1,"app":null,"executable":"x"}"#.into(),
                "invalid type: null, expected a string at line 1 column 23",
            ),
            (
                r#"{"version":1,"executable":"x"}"#.into(),
                "missing field `tasks` at line 1 column 30",
            ),
            (
                r#"{"version":1,"executable":"x","tasks":{}}"#.into(),
                "invalid type: map, expected a list of at most 10000 tasks at line 1 column 38",
            ),
            (
                r#"{"version":1,"executable":"x","tasks":[],"m\u001bore":1}"#.into(),
                "unknown field `m\\u{1b}ore`, expected one of `version`, `app`, `executable`, `tasks` at line 1 column 53",
            ),
            (
                file("1"),
                "the task in line 2: a task entry does not fit: invalid type: integer `1`, expected a JSON object",
            ),
            (
                file(&format!("{task},\n\n{{}}")),
                "the task in line 4: the field `name` is missing",
            ),
            (
                file(&"[".repeat(100_000)),
                "not JSON: expected `,` or `]` at line 2 column 100011",
            ),
            (
                file(&format!(
                    "{{\"name\":{}1{}}}",
                    "[".repeat(100),
                    "]".repeat(100)
                )),
                "the task in line 2: the field `name` must be a text, not a list",
            ),
            (
                spoilt("\"trigger\":", "\"trigger\":\"time(16)\",\"trigger\":"),
                "the field `trigger` is given twice",
            ),
            (
                spoilt("time(15)", "time(5)"),
                "`task_00`: the task in line 2: the declaration is refused: trigger: `time` takes 15 to 43200 minutes",
            ),
            (
                spoilt("\"sample\"", "\"\\u001b[2Jsample\""),
                "`task_00`: the task in line 2: the field `crate` has a control character in it",
            ),
            (
                spoilt("\"sample\"", "false"),
                "`task_00`: the task in line 2: the field `crate` must be a text, not a flag",
            ),
            (
                spoilt("\"task_00\"", "\"a\\u001b[2J\""),
                "the task in line 2: the field `name` has a control character in it",
            ),
        ] {
            let error = Manifest::from_json(text.as_bytes()).unwrap_err();
            assert_eq!(error.code(), Code::Manifest);
            assert!(
                error.to_string().contains(told),
                "{text:.300}\n  gives {error}\n  not   {told}"
            );
        }
        let latin = b"{\"version\":1,\"executable\":\"gr\xf6\xdfe\",\"tasks\":[]}";
        let error = Manifest::from_json(latin).unwrap_err();
        assert!(
            error
                .to_string()
                .contains("invalid unicode code point at line 1"),
            "{error}"
        );
        let text = manifest().to_json();
        for cut in (0..text.len() - 2).step_by(7) {
            assert!(Manifest::from_json(&text.as_bytes()[..cut]).is_err());
        }
    }

    #[test]
    fn an_editor_may_put_a_mark_before_the_text() {
        let text = format!("\u{feff}{}", manifest().to_json());
        assert_eq!(Manifest::from_json(text.as_bytes()).unwrap(), manifest());
    }

    #[test]
    fn ten_thousand_tasks_are_read_and_one_more_is_not() {
        let sample = samples::all().remove(0);
        let numbered = |number: usize| {
            let mut entry = sample.clone();
            entry.declaration.name = format!("task_{number:05}");
            entry
        };
        let mut tasks: Vec<_> = (0..MOST_ENTRIES).map(numbered).collect();
        let manifest = Manifest::new("sample", tasks.clone()).unwrap();
        let text = manifest.to_json();
        assert_eq!(Manifest::from_json(text.as_bytes()).unwrap(), manifest);
        tasks.push(numbered(MOST_ENTRIES));
        let error = Manifest::new("sample", tasks).unwrap_err();
        assert_eq!(
            error.to_string(),
            "there are more than 10000 tasks [manifest]\n  help: divide the program, or give one \
             task arguments that say what to do"
        );
        let more = text.replacen("\"tasks\": [", "\"tasks\": [1,", 1);
        let error = Manifest::from_json(more.as_bytes()).unwrap_err();
        assert!(error.to_string().contains("at most 10000 tasks"), "{error}");
    }

    #[test]
    fn errors_about_a_file_name_it() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("app.bgtask.json");
        fs::write(&path, "{}").unwrap();
        let error = Manifest::read(&path).unwrap_err();
        let told = format!(
            "`{}`: the manifest does not fit: missing field",
            path.display()
        );
        assert!(error.to_string().starts_with(&told), "{error}");
        // Longer than anything that is read, without taking any place on the disk.
        fs::File::create(&path)
            .unwrap()
            .set_len(LARGEST_FILE + 1)
            .unwrap();
        let error = Manifest::read(&path).unwrap_err();
        assert!(error.to_string().contains("is larger than"), "{error}");
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
}
