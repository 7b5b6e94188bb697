//! A little workspace on the disk, built with cargo and the real command.

use std::{
    env, fs,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    process::{Command, Output},
    sync::Once,
};

use bgtask::manifest::Manifest;

/// A `main` that starts the app and prints the manifest of what is registered.
pub(crate) const MAIN: &str = "
#[bgtask::main]
async fn main(app: bgtask::App) -> bgtask::Result<()> {
    report::report(app).await
}
";

/// What [`MAIN`] calls. All workspaces have the same, so that it is compiled once.
const REPORT: &str = r#"
/// Prints the manifest made of the linked registrations. The broker has to know the same tasks.
pub async fn report(app: bgtask::App) -> bgtask::Result<()> {
    let manifest = bgtask::manifest::Manifest::of_this_program()?;
    let listed: Vec<&str> = manifest.tasks().iter().map(|task| task.name()).collect();
    let registered = app.registrations().await?;
    let mut registered: Vec<&str> = registered.iter().map(|task| task.name.as_str()).collect();
    registered.sort();
    assert_eq!(registered, listed);
    print!("{}", manifest.to_json());
    Ok(())
}
"#;

const REPORT_CARGO: &str = "
[package]
name = \"report\"
edition = \"2024\"
[dependencies]
bgtask.path = \"{runtime}\"
[workspace]
";

/// How the programs are built. Dependencies, bgtask among them, are never optimised: that would
/// take most of the time, and the entries are in the crates of the workspace. With LTO they are
/// optimised all the same, when the program is linked.
///
/// A workspace has a version of its own, because cargo tells the packages of its build folder apart
/// by their path in the workspace, their name and their version.
const ROOT_CARGO: &str = include_str!("root.toml");

/// Written by the first workspace of a run.
static WRITTEN: Once = Once::new();

pub(crate) struct Workspace {
    root: PathBuf,
    /// What the programs keep; a short path, because sockets are in it.
    state: tempfile::TempDir,
}

impl Workspace {
    /// A workspace with these files, `//- path` before each; `{main}` stands for [`MAIN`]. Every
    /// folder with a `Cargo.toml` is a member. What an earlier run of the test compiled is used again, what it left beside
    /// executables is not.
    pub(crate) fn new(name: &str, files: &str) -> Self {
        let root = shared().join("workspaces").join(name);
        // There is none at the first time.
        let _ = fs::remove_dir_all(root.join("target"));
        let workspace = Self {
            root,
            state: tempfile::tempdir().unwrap(),
        };
        let runtime = repository().join("runtime");
        let runtime = runtime.to_str().unwrap();
        WRITTEN.call_once(|| {
            let report = shared().join("report");
            write(&report.join("src/lib.rs"), REPORT);
            let cargo = REPORT_CARGO.replace("{runtime}", runtime);
            write(&report.join("Cargo.toml"), &cargo);
        });
        let mut members = Vec::new();
        for file in files.split("//- ").skip(1) {
            let (path, text) = file.split_once('\n').unwrap();
            let mut text = text.replace("{main}", MAIN);
            if let Some(member) = path.strip_suffix("/Cargo.toml") {
                members.push(member);
                if !text.contains("version = ") {
                    text = text.replace("[package]", "[package]\nversion.workspace = true");
                }
            }
            workspace.write(path, &text);
        }
        let cargo = ROOT_CARGO
            .replace("[]", &format!("{members:?}"))
            .replace("{name}", name)
            .replace("{runtime}", runtime);
        workspace.write("Cargo.toml", &cargo);
        // The versions that this repository is built with: they are on this machine.
        let lock = fs::read_to_string(repository().join("Cargo.lock")).unwrap();
        workspace.write("Cargo.lock", &lock);
        workspace
    }

    pub(crate) fn path(&self, path: impl AsRef<Path>) -> PathBuf {
        self.root.join(path)
    }

    /// Writes a file; one that is the same already stays as old as it is.
    pub(crate) fn write(&self, path: &str, text: &str) {
        write(&self.path(path), text);
    }

    /// A command in the workspace that uses what is compiled already.
    pub(crate) fn command(&self, program: impl AsRef<std::ffi::OsStr>) -> Command {
        let mut command = Command::new(program);
        command.current_dir(&self.root);
        for (name, _) in env::vars_os() {
            let text = name.to_string_lossy();
            let is_setting = ["CARGO_BUILD_", "CARGO_PROFILE_", "CARGO_TARGET_", "BGTASK_"]
                .iter()
                .any(|start| text.starts_with(start));
            if is_setting || ["RUSTFLAGS", "CARGO_ENCODED_RUSTFLAGS"].contains(&&*text) {
                command.env_remove(name);
            }
        }
        command
            .env("CARGO_TARGET_DIR", self.root.join("target"))
            .env("CARGO_BUILD_BUILD_DIR", shared().join("build"))
            .env("CARGO_NET_OFFLINE", "true")
            .env("CARGO_TERM_COLOR", "never")
            .env("BGTASK_STATE_DIR", self.state.path())
            .env("XDG_RUNTIME_DIR", self.state.path());
        command
    }

    /// `cargo bgtask build`, with these arguments.
    pub(crate) fn bgtask_build(&self, arguments: &[&str]) -> Command {
        let mut command = self.command(env!("CARGO_BIN_EXE_cargo-bgtask"));
        command.args(["bgtask", "build"]).args(arguments);
        command
    }

    /// Builds, and gives what was told on standard error.
    pub(crate) fn build(&self, arguments: &[&str]) -> String {
        told(&succeed(&mut self.bgtask_build(arguments)))
    }

    /// A program's tasks are the same in its file, in the manifest beside it, and in the registry
    /// of its run. Gives their names.
    #[track_caller]
    pub(crate) fn agreed(&self, executable: &Path) -> Vec<String> {
        let listed = self.listed(executable);
        let written = fs::read_to_string(Manifest::path_for(executable)).unwrap();
        let registered = self.registered(executable);
        assert_eq!(listed, registered);
        let mut expected = Manifest::from_json(listed.as_bytes()).unwrap();
        // A debug run before this one has stated the app's id.
        if let Some(app) = Manifest::from_json(written.as_bytes()).unwrap().app() {
            expected = expected.with_app(app);
        }
        assert_eq!(written, expected.to_json());
        names(&registered)
    }

    /// What `bgtask manifest --json` prints.
    #[track_caller]
    pub(crate) fn listed(&self, file: &Path) -> String {
        let mut command = self.command(env!("CARGO_BIN_EXE_bgtask"));
        let output = succeed(command.args(["manifest", "--json"]).arg(file));
        String::from_utf8(output.stdout).unwrap()
    }

    /// What a run of the program registers, as it prints it.
    #[track_caller]
    pub(crate) fn registered(&self, executable: &Path) -> String {
        let output = succeed(&mut self.command(executable));
        String::from_utf8(output.stdout).unwrap()
    }
}

/// The names of the tasks in a manifest's text.
#[track_caller]
pub(crate) fn names(manifest: &str) -> Vec<String> {
    let manifest = Manifest::from_json(manifest.as_bytes()).unwrap();
    let tasks = manifest.tasks().iter();
    tasks.map(|task| task.name().to_owned()).collect()
}

#[track_caller]
pub(crate) fn succeed(command: &mut Command) -> Output {
    let output = command.output().unwrap();
    assert!(
        output.status.success(),
        "{command:?} ended with {}\n{}",
        output.status,
        told(&output)
    );
    output
}

/// What a command says on standard error.
pub(crate) fn told(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

/// Makes a script a program.
pub(crate) fn make_executable(script: &Path) {
    fs::set_permissions(script, fs::Permissions::from_mode(0o755)).unwrap();
}

/// What all workspaces share; it stays from run to run.
pub(crate) fn shared() -> PathBuf {
    Path::new(env!("CARGO_TARGET_TMPDIR")).join("built")
}

pub(crate) fn repository() -> PathBuf {
    let own = Path::new(env!("CARGO_MANIFEST_DIR"));
    own.parent().unwrap().to_owned()
}

fn write(path: &Path, text: &str) {
    if fs::read_to_string(path).is_ok_and(|there| there == text) {
        return;
    }
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, text).unwrap();
}
