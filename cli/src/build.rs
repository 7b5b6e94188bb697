//! `bgtask build`: `cargo build`, then the manifest beside each executable.

use std::{
    ffi::{OsStr, OsString},
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
    output::{Done, Failure, print, tell},
};

/// Builds with cargo and writes `<executable>.bgtask.json` beside each executable with tasks
#[derive(Debug, clap::Args)]
pub(crate) struct Build {
    /// Write nothing; exit with 1 when a file is missing or lists other tasks
    #[arg(long)]
    check: bool,
    /// Arguments for `cargo build`
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
    pub(crate) filenames: Vec<PathBuf>,
    pub(crate) executable: Option<PathBuf>,
}

/// What it made it of.
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct Target {
    pub(crate) name: String,
}

#[derive(Clone, Debug, Deserialize)]
struct Profile {
    test: bool,
}

impl Build {
    pub(crate) fn run(mut self) -> Done {
        self.take_check();
        let artifacts = self.build()?;
        let mut programs = Vec::new();
        for artifact in &artifacts {
            // The tasks of a test program are those of what it tests.
            if let Some(executable) = artifact
                .executable
                .as_ref()
                .filter(|_| !artifact.profile.test)
            {
                programs.push((artifact, executable, read_executable(executable)?));
            }
        }
        for warning in linked::warnings(&artifacts, &programs, &self.cargo) {
            tell(format_args!("{warning}"));
        }
        let mut differs = false;
        for (_, executable, manifest) in &programs {
            let path = Manifest::path_for(executable);
            // A program without tasks needs no file, but one that lost its last task has one.
            if manifest.tasks().is_empty() && !path.exists() {
                continue;
            }
            if self.check {
                differs |= !is_fresh(&path, manifest);
            } else {
                manifest.write_if_different(&path)?;
                print(path.display())?;
            }
        }
        if differs {
            tell("help: `cargo bgtask build` writes the files anew");
            return Err(Failure::Told);
        }
        Ok(())
    }

    /// Cargo has no `--check` here, so it is ours wherever it stands.
    fn take_check(&mut self) {
        let before = self.cargo.len();
        self.cargo.retain(|argument| argument != "--check");
        self.check |= self.cargo.len() < before;
    }

    fn build(&self) -> Result<Vec<Artifact>, Failure> {
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
            Failure::Error(Error::new(Code::Manifest, "cargo cannot be run").source(error))
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
        // Cargo has said what went wrong.
        if cargo.wait().map_err(cannot)?.success() {
            Ok(artifacts)
        } else {
            Err(Failure::Told)
        }
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

fn is_fresh(path: &Path, manifest: &Manifest) -> bool {
    let shown = path.display();
    match Manifest::read(path) {
        Ok(None) => tell(format_args!("error: `{shown}` is missing")),
        Err(error) => tell(format_args!("error: {error}")),
        Ok(Some(file)) => {
            let differences = manifest.differences(&file);
            if differences.is_empty() {
                return true;
            }
            tell(format_args!(
                "error: `{shown}` does not list the tasks of the executable"
            ));
            for difference in differences {
                tell(format_args!("  {difference}"));
            }
        }
    }
    false
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
        assert_eq!(
            artifact.executable.as_deref(),
            Some(Path::new("/x/target/debug/x"))
        );
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
