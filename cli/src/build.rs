//! `bgtask build`: `cargo build`, then the manifest beside each executable and cdylib.

use std::{
    ffi::{OsStr, OsString},
    fs,
    io::{BufRead, BufReader},
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use bgtask::{
    Code, Error, Result,
    manifest::{Manifest, read_executable},
};
use serde::Deserialize;

use crate::{
    linked,
    output::{Done, Failure, print, tasks, tell},
};

/// Builds with cargo and writes `<executable>.bgtask.json` beside each executable with tasks
///
/// Beside each cdylib, too. Warns of tasks that are in no program, because nothing mentions their
/// crate.
#[derive(Debug, clap::Args)]
pub(crate) struct Build {
    /// Write nothing; exit with 1 when a file is missing or lists other tasks
    #[arg(long)]
    check: bool,
    /// Arguments for `cargo build`, such as `--release` or `-p mail`
    #[arg(
        trailing_var_arg = true,
        allow_hyphen_values = true,
        value_name = "CARGO ARGUMENTS"
    )]
    cargo: Vec<OsString>,
}

/// What cargo says it made.
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct Artifact {
    pub(crate) package_id: String,
    pub(crate) target: Target,
    profile: Profile,
    filenames: Vec<PathBuf>,
    executable: Option<PathBuf>,
}

/// What it made it of.
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct Target {
    pub(crate) name: String,
    crate_types: Vec<String>,
}

#[derive(Clone, Debug, Deserialize)]
struct Profile {
    test: bool,
}

/// What was linked, and the tasks that are in it.
#[derive(Debug)]
pub(crate) struct Program<'a> {
    pub(crate) artifact: &'a Artifact,
    file: &'a Path,
    pub(crate) manifest: Manifest,
}

impl Build {
    pub(crate) fn run(mut self) -> Done {
        self.take_check();
        let (artifacts, built) = self.build()?;
        // Cargo has said what went wrong; what it had made by then has a manifest all the same.
        if self.check && !built {
            return Err(Failure::Told);
        }
        let (programs, mut right) = self.programs(&artifacts);
        if built {
            if right && programs.is_empty() {
                tell("note: no executable was built, so there is no manifest");
            }
            for warning in linked::warnings(&artifacts, &programs, &self.cargo) {
                tell(format_args!("{warning}"));
            }
        }
        let mut differs = false;
        for program in &programs {
            if self.check {
                differs |= !program.check()?;
            } else {
                program.write()?;
            }
        }
        if differs {
            let again = shell_words(&self.cargo);
            tell(format_args!(
                "help: `cargo bgtask build{again}` writes the files anew"
            ));
        }
        right &= !differs;
        if right && built {
            Ok(())
        } else {
            Err(Failure::Told)
        }
    }

    /// What was linked. `false`: something of it cannot be read, and has no manifest.
    fn programs<'a>(&self, artifacts: &'a [Artifact]) -> (Vec<Program<'a>>, bool) {
        let mut programs = Vec::new();
        let mut right = true;
        for artifact in artifacts {
            let Some(file) = artifact.linked() else {
                continue;
            };
            match read_executable(file) {
                Ok(manifest) => programs.push(Program {
                    artifact,
                    file,
                    manifest,
                }),
                Err(error) => {
                    tell(format_args!("error: {error}"));
                    right = false;
                    if !self.check {
                        // An old one would say what is no longer so. Mostly there is none.
                        let _ = fs::remove_file(Manifest::path_for(file));
                    }
                }
            }
        }
        // Cargo tells what it made in the order in which it was done.
        programs.sort_by_key(|program| program.file);
        (programs, right)
    }

    /// Cargo has no `--check` here, so it is ours wherever it stands.
    fn take_check(&mut self) {
        let before = self.cargo.len();
        self.cargo.retain(|argument| argument != "--check");
        self.check |= self.cargo.len() < before;
    }

    /// Runs cargo: what it made, and whether that is all it was to make.
    fn build(&self) -> Result<(Vec<Artifact>, bool), Failure> {
        let is_format = |argument: &OsString| {
            let text = argument.to_string_lossy();
            text == "--message-format" || text.starts_with("--message-format=")
        };
        if self.cargo.iter().any(is_format) {
            return Err(Error::new(
                Code::Manifest,
                "`--message-format` is needed to learn what cargo made",
            )
            .remedy("leave it out")
            .into());
        }
        let cannot = |error: std::io::Error| {
            let error = Error::new(Code::Manifest, "cargo cannot be run").source(error);
            Failure::Error(error.remedy("CARGO, or else PATH, says where it is"))
        };
        let mut cargo = Command::new(cargo())
            .args(["build", "--message-format=json-render-diagnostics"])
            .args(&self.cargo)
            .stdout(Stdio::piped())
            .spawn()
            .map_err(cannot)?;
        let mut artifacts = Vec::new();
        if let Some(messages) = cargo.stdout.take() {
            for line in BufReader::new(messages).lines() {
                artifacts.extend(artifact(&line.map_err(cannot)?));
            }
        }
        let status = cargo.wait().map_err(cannot)?;
        Ok((artifacts, status.success()))
    }
}

/// Cargo tells its subcommands which cargo it is.
pub(crate) fn cargo() -> OsString {
    std::env::var_os("CARGO").unwrap_or_else(|| OsStr::new("cargo").to_owned())
}

/// Reads a line of cargo's messages
/// (<https://doc.rust-lang.org/cargo/reference/external-tools.html#json-messages>).
fn artifact(line: &str) -> Option<Artifact> {
    #[derive(Deserialize)]
    struct Message {
        reason: String,
    }

    let message: Message = serde_json::from_str(line).ok()?;
    if message.reason != "compiler-artifact" {
        return None;
    }
    serde_json::from_str(line).ok()
}

impl Artifact {
    /// The program or the cdylib that was linked. The tasks of a test program are those of what it
    /// tests.
    fn linked(&self) -> Option<&Path> {
        if self.profile.test {
            return None;
        }
        if let Some(executable) = &self.executable {
            return Some(executable);
        }
        self.is("cdylib").then(|| self.dynamic()).flatten()
    }

    /// The Rust library that was made: what is linked into programs, or else what they load.
    pub(crate) fn library(&self) -> Option<Library<'_>> {
        if let Some(rlib) = self.file(&["rlib"]) {
            return Some(Library::Linked(rlib));
        }
        let dynamic = self.is("dylib").then(|| self.dynamic()).flatten()?;
        Some(Library::Loaded(dynamic))
    }

    fn is(&self, crate_type: &str) -> bool {
        self.target
            .crate_types
            .iter()
            .any(|kind| kind == crate_type)
    }

    fn dynamic(&self) -> Option<&Path> {
        self.file(&["so", "dylib", "dll"])
    }

    fn file(&self, extensions: &[&str]) -> Option<&Path> {
        let mut files = self.filenames.iter();
        let file = files.find(|file| {
            let extension = file.extension().and_then(OsStr::to_str);
            extension.is_some_and(|extension| extensions.contains(&extension))
        });
        file.map(PathBuf::as_path)
    }
}

/// A library of Rust for programs of Rust.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Library<'a> {
    /// Linked into a program that mentions it.
    Linked(&'a Path),
    /// Loaded by a program that mentions it.
    Loaded(&'a Path),
}

impl Program<'_> {
    /// A program without tasks needs no file, but one that lost its last task has one.
    fn needs_file(&self, path: &Path) -> bool {
        !self.manifest.tasks().is_empty() || path.exists()
    }

    fn write(&self) -> Done {
        let path = Manifest::path_for(self.file);
        if !self.needs_file(&path) {
            return Ok(());
        }
        self.manifest.write_if_different(&path)?;
        print(path.display())
    }

    /// Says what is compared. `false`: the file is missing or differs.
    fn check(&self) -> Result<bool, Failure> {
        let path = Manifest::path_for(self.file);
        if !self.needs_file(&path) {
            print(format_args!("{}: 0 tasks", self.file.display()))?;
            return Ok(true);
        }
        let shown = path.display();
        match Manifest::read(&path) {
            Ok(None) => tell(format_args!("error: `{shown}` is missing")),
            Err(error) => tell(format_args!("error: {error}")),
            Ok(Some(file)) => {
                let differences = self.manifest.differences(&file);
                if differences.is_empty() {
                    let count = tasks(self.manifest.tasks().len());
                    print(format_args!("{shown}: {count}, as in the executable"))?;
                    return Ok(true);
                }
                tell(format_args!(
                    "error: `{shown}` does not list the tasks of the executable"
                ));
                for difference in differences {
                    tell(format_args!("  {difference}"));
                }
            }
        }
        Ok(false)
    }
}

/// The arguments as one types them in a shell, a space before each.
fn shell_words(arguments: &[OsString]) -> String {
    let is_plain = |c: char| c.is_alphanumeric() || "-_=./,:+@%".contains(c);
    let words = arguments.iter().map(|argument| {
        let text = argument.to_string_lossy();
        if !text.is_empty() && text.chars().all(is_plain) {
            format!(" {text}")
        } else {
            format!(" '{}'", text.replace('\'', "'\\''"))
        }
    });
    words.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn artifacts_are_picked_out_of_cargo_s_messages() {
        let line = r#"{"reason":"compiler-artifact","package_id":"path+file:///x#0.1.0",
            "manifest_path":"/x/Cargo.toml","target":{"kind":["bin"],"crate_types":["bin"],
            "name":"x","src_path":"/x/src/main.rs","edition":"2024","doc":true},
            "profile":{"opt_level":"0","debuginfo":2,"test":false},"features":[],
            "filenames":["/x/target/debug/x"],"executable":"/x/target/debug/x","fresh":true}"#;
        let artifact = artifact(line).unwrap();
        assert_eq!(artifact.target.name, "x");
        assert_eq!(artifact.linked(), Some(Path::new("/x/target/debug/x")));
        let tests = super::artifact(&line.replace("\"test\":false", "\"test\":true"));
        assert_eq!(tests.unwrap().linked(), None);
        for other in [
            "",
            "   Compiling x",
            r#"{"reason":"build-finished","success":true}"#,
            r#"{"reason":"compiler-artifact"}"#,
        ] {
            assert!(super::artifact(other).is_none(), "{other}");
        }
    }

    #[test]
    fn a_cdylib_is_linked_and_other_libraries_are_not() {
        let library = |kinds: &[&str]| Artifact {
            package_id: String::new(),
            target: Target {
                name: "x".to_owned(),
                crate_types: kinds.iter().map(|&kind| kind.to_owned()).collect(),
            },
            profile: Profile { test: false },
            filenames: vec!["t/libx.rlib".into(), "t/libx.so".into()],
            executable: None,
        };
        let so = Some(Path::new("t/libx.so"));
        assert_eq!(library(&["rlib", "cdylib"]).linked(), so);
        assert_eq!(library(&["lib"]).linked(), None);
        assert_eq!(library(&["proc-macro"]).linked(), None);

        let rlib = Path::new("t/libx.rlib");
        assert_eq!(
            library(&["lib", "dylib"]).library(),
            Some(Library::Linked(rlib))
        );
        let mut dynamic = library(&["dylib"]);
        dynamic.filenames.remove(0);
        assert_eq!(dynamic.library(), so.map(Library::Loaded));
        dynamic.target.crate_types = vec!["proc-macro".to_owned()];
        assert_eq!(dynamic.library(), None);
    }

    #[test]
    fn arguments_are_repeated_as_a_shell_takes_them() {
        let words = ["--release", "--features", "a b", "-p", "it's", ""];
        assert_eq!(
            shell_words(&words.map(OsString::from)),
            r" --release --features 'a b' -p 'it'\''s' ''"
        );
    }

    #[test]
    fn check_is_ours_wherever_it_stands() {
        let words = ["--release", "--check", "-p", "x"];
        let mut build = Build {
            check: false,
            cargo: words.map(OsString::from).to_vec(),
        };
        build.take_check();
        assert!(build.check);
        assert_eq!(build.cargo, ["--release", "-p", "x"]);
    }
}
