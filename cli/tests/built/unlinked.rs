//! Tasks that are in no program, because nothing mentions their crate: who is warned, and who not.

use crate::workspace::{MAIN, Workspace, make_executable, succeed, told};

/// What the command says of the tasks that are not linked, without what cargo says.
fn warnings(workspace: &Workspace, arguments: &[&str]) -> Vec<String> {
    let output = succeed(&mut workspace.bgtask_build(arguments));
    let told = told(&output);
    let ours = [
        "warning: tasks of",
        "warning: `[package",
        "note: ",
        "  help: ",
    ];
    let lines = told
        .lines()
        .filter(|line| ours.iter().any(|start| line.starts_with(start)));
    lines.map(str::to_owned).collect()
}

fn not_linked(program: &str, package: &str, task: &str, place: &str, mention: &str) -> [String; 2] {
    [
        format!("warning: tasks of `{package}` are not linked into `{program}`: {task}"),
        format!(
            "  help: nothing in `{place}` mentions `{mention}`: add `use {mention} as _;` to its \
             root, drop the dependency, or name it in `[package.metadata.bgtask] ignore`"
        ),
    ]
}

const DEPENDENCY: &str = r#"
//- app/Cargo.toml
[package]
name = "app"
edition = "2024"
[dependencies]
report.workspace = true
bgtask.workspace = true
called-otherwise = { package = "quiet-tasks", path = "../quiet" }
between.path = "../between"
//- quiet/Cargo.toml
[package]
name = "quiet-tasks"
edition = "2024"
[lib]
name = "another_name"
[dependencies]
bgtask.workspace = true
//- quiet/src/lib.rs
mod private {
    #[bgtask::background_task(name = "quiet", trigger = time(15))]
    fn quiet() {}
}
//- between/Cargo.toml
[package]
name = "between"
edition = "2024"
[dependencies]
deep.path = "../deep"
//- between/src/lib.rs
pub fn between() {}
//- deep/Cargo.toml
[package]
name = "deep"
edition = "2024"
[dependencies]
bgtask.workspace = true
//- deep/src/lib.rs
#[bgtask::background_task(name = "deep", trigger = time(15))]
fn deep() {}
"#;

#[test]
fn a_dependency_that_nothing_mentions_is_named_with_the_line_that_mentions_it() {
    let workspace = Workspace::new("unlinked", DEPENDENCY);
    let app = workspace.path("target/debug/app");
    let own = "#[bgtask::background_task(name = \"own\", trigger = time(15))] fn own() {}";
    let main = |mentions: &str| {
        workspace.write("app/src/main.rs", &format!("{mentions}{own}{MAIN}"));
    };

    main("use between as _;");
    let deep = not_linked("app", "deep", "deep", "between", "deep");
    let quiet = not_linked("app", "quiet-tasks", "quiet", "app", "called_otherwise");
    let both = [quiet, deep.clone()].concat();
    let mut said = warnings(&workspace, &[]);
    said.sort();
    let mut expected = both.clone();
    expected.sort();
    assert_eq!(said, expected);
    assert_eq!(workspace.agreed(&app), ["own"]);

    // What the help says is what helps.
    main("use between as _; use called_otherwise as _;");
    assert_eq!(warnings(&workspace, &[]), deep);
    assert_eq!(workspace.agreed(&app), ["own", "quiet"]);
    workspace.write("between/src/lib.rs", "use deep as _; pub fn between() {}");
    assert_eq!(warnings(&workspace, &[]), [""; 0]);
    assert_eq!(workspace.agreed(&app), ["deep", "own", "quiet"]);
    workspace.write("between/src/lib.rs", "pub fn between() {}");
}

/// A cargo that builds, and tells nothing of the packages.
const SILENT: &str = r#"#!/bin/sh
if [ "$1" = metadata ]; then
    echo "error: not today" >&2
    exit 1
fi
exec {cargo} "$@"
"#;

#[test]
fn where_the_packages_cannot_be_known_that_is_said() {
    let workspace = Workspace::new("unlinked-unknown", DEPENDENCY);
    workspace.write("app/src/main.rs", MAIN);
    let cargo = workspace.path("silent");
    workspace.write("silent", &SILENT.replace("{cargo}", env!("CARGO")));
    make_executable(&cargo);
    let output = succeed(workspace.bgtask_build(&[]).env("CARGO", &cargo));
    let part = "note: whether all tasks are linked is not known: cargo metadata failed\n\
                error: not today\n";
    assert!(told(&output).ends_with(part), "{}", told(&output));
}

const TWO_PROGRAMS: &str = r#"
//- app/Cargo.toml
[package]
name = "app"
edition = "2024"
[dependencies]
report.workspace = true
bgtask.workspace = true
//- app/src/lib.rs
#[bgtask::background_task(name = "common", trigger = time(15))]
pub fn common() {}
//- app/src/main.rs
use app as _;
{main}
//- app/src/bin/second.rs
{main}
//- app/examples/shown.rs
{main}
//- app/tests/tested.rs
#[test]
fn nothing() {}
"#;

#[test]
fn each_program_is_warned_of_its_own_and_the_list_silences() {
    let workspace = Workspace::new("unlinked-programs", TWO_PROGRAMS);
    let cargo = workspace.path("app/Cargo.toml");
    let cargo = std::fs::read_to_string(cargo).unwrap();
    let list = |list: &str| workspace.write("app/Cargo.toml", &format!("{cargo}\n{list}"));

    let of = |program| not_linked(program, "app", "common", program, "app");
    assert_eq!(warnings(&workspace, &[]), of("second"));
    assert_eq!(warnings(&workspace, &["--bin", "app"]), [""; 0]);
    assert_eq!(warnings(&workspace, &["--examples"]), of("shown"));
    // A test program has the tasks of what it tests.
    assert_eq!(warnings(&workspace, &["--tests"]), of("second"));

    list("[package.metadata.bgtask]\nignore = [\"app\"]");
    assert_eq!(warnings(&workspace, &["--bins", "--examples"]), [""; 0]);
    list("[package.metadata.bgtask]\nignore.second = [\"app\"]");
    assert_eq!(warnings(&workspace, &["--bins", "--examples"]), of("shown"));

    list("[package.metadata.bgtask]\nignore = [\"apq\"]");
    let said = warnings(&workspace, &[]);
    assert_eq!(
        said[0],
        "warning: `[package.metadata.bgtask] ignore` of `app` names `apq`, and no program of `app` depends on that"
    );
    assert_eq!(said[2..], of("second"));
    list("[package.metadata.bgtask]\nignored = [\"app\"]");
    let said = warnings(&workspace, &[]);
    assert_eq!(
        said[..2],
        [
            "warning: `[package.metadata.bgtask]` of `app` is not understood: unknown field \
             `ignored`, expected `ignore`",
            "  help: write `ignore = [\"package\"]`, or `ignore.program = [\"package\"]` for one \
             program"
        ]
    );
    assert_eq!(said[2..], of("second"));
    list("");
}

const NOT_LINKED_ON_PURPOSE: &str = r#"
//- app/Cargo.toml
[package]
name = "app"
edition = "2024"
[dependencies]
report.workspace = true
bgtask.workspace = true
derived.path = "../derived"
[build-dependencies]
tasks.path = "../tasks"
[dev-dependencies]
tasks.path = "../tasks"
[target.'cfg(windows)'.dependencies]
tasks.path = "../tasks"
//- app/build.rs
use tasks as _;
fn main() {}
//- app/src/main.rs
{main}
//- app/examples/shown.rs
{main}
//- choice/Cargo.toml
[package]
name = "choice"
edition = "2024"
[dependencies]
report.workspace = true
bgtask.workspace = true
tasks = { path = "../tasks", optional = true }
[features]
mentioned = ["tasks"]
//- choice/src/main.rs
#[cfg(feature = "mentioned")]
use tasks as _;
{main}
//- derived/Cargo.toml
[package]
name = "derived"
edition = "2024"
[lib]
proc-macro = true
[dependencies]
tasks.path = "../tasks"
//- derived/src/lib.rs
use tasks as _;
//- other/Cargo.toml
[package]
name = "other"
edition = "2024"
[dependencies]
report.workspace = true
bgtask.workspace = true
tasks.path = "../tasks"
//- other/src/main.rs
use tasks as _;
{main}
//- tasks/Cargo.toml
[package]
name = "tasks"
edition = "2024"
[dependencies]
facade.path = "../facade"
//- tasks/src/lib.rs
#[facade::bgtask::background_task(name = "task", trigger = time(15), crate = ::facade::bgtask)]
fn task() {}
//- facade/Cargo.toml
[package]
name = "facade"
edition = "2024"
[dependencies]
bgtask.workspace = true
//- facade/src/lib.rs
pub use bgtask;
"#;

#[test]
fn what_only_builds_a_program_or_is_another_s_is_no_news() {
    let workspace = Workspace::new("unlinked-elsewhere", NOT_LINKED_ON_PURPOSE);
    let all = ["--workspace", "--bins", "--examples", "--lib"];
    workspace.write("app/src/main.rs", &format!("use derived as _;{MAIN}"));
    assert_eq!(warnings(&workspace, &all), [""; 0]);
    assert_eq!(
        workspace.agreed(&workspace.path("target/debug/other")),
        ["task"]
    );

    let build = |features: &str| warnings(&workspace, &["-p", "choice", "--features", features]);
    let expected = not_linked("choice", "tasks", "task", "choice", "tasks");
    for package in ["choice/", ""] {
        assert_eq!(build(&format!("{package}tasks")), expected);
        assert_eq!(build(&format!("{package}mentioned")), [""; 0]);
    }
    let choice = workspace.path("target/debug/choice");
    assert_eq!(workspace.agreed(&choice), ["task"]);
}
