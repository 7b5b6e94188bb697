//! What must not be built: two tasks of one name, and two versions of the runtime.

use std::fs;

use crate::workspace::{MAIN, Workspace, succeed, told};

const TWO_NAMES: &str = r#"
//- app/Cargo.toml
[package]
name = "app"
edition = "2024"
[dependencies]
report.workspace = true
bgtask.workspace = true
one.path = "../one"
other.path = "../other"
//- app/src/bin/right.rs
#[bgtask::background_task(trigger = time(15))]
fn own() {}
fn main() {}
//- one/Cargo.toml
[package]
name = "one"
version = "1.2.3"
edition = "2024"
[dependencies]
bgtask.workspace = true
//- one/src/lib.rs
#[bgtask::background_task(name = "backup", trigger = time(15))]
fn first() {}
//- other/Cargo.toml
[package]
name = "other"
version = "4.5.6"
edition = "2024"
[dependencies]
bgtask.workspace = true
//- other/src/lib.rs
#[bgtask::background_task(name = "backup", trigger = time(30))]
fn second() {}
"#;

const RULES: [&str; 2] = ["`backup`: ", "two tasks have this name: "];
const PLACES: [&str; 2] = ["`one::first`", "`other::second`"];

#[test]
fn two_tasks_of_one_name_have_no_manifest_and_do_not_start() {
    let workspace = Workspace::new("refused-names", TWO_NAMES);
    let app = workspace.path("target/debug/app");
    let file = workspace.path("target/debug/app.bgtask.json");
    let right = workspace.path("target/debug/right.bgtask.json");

    workspace.write("app/src/main.rs", &format!("use one as _;{MAIN}"));
    workspace.build(&[]);
    assert_eq!(workspace.agreed(&app), ["backup"]);
    fs::remove_file(&right).unwrap();

    let both = format!("use one as _; use other as _;{MAIN}");
    workspace.write("app/src/main.rs", &both);
    for check in [true, false] {
        let arguments: &[&str] = if check { &["--check"] } else { &[] };
        let output = workspace.bgtask_build(arguments).output().unwrap();
        assert_eq!(output.status.code(), Some(1), "{}", told(&output));
        for part in [
            RULES[0],
            RULES[1],
            PLACES[0],
            PLACES[1],
            "of one 1.2.3",
            "of other 4.5.6",
        ] {
            assert!(told(&output).contains(part), "{}", told(&output));
        }
        // What the file says is no longer so.
        assert_eq!(file.exists(), check);
    }
    // The other program of the package is right.
    assert!(right.exists());

    let output = workspace.command(&app).output().unwrap();
    assert_eq!(output.status.code(), Some(1), "{}", told(&output));
    for part in [
        RULES[0],
        RULES[1],
        PLACES[0],
        PLACES[1],
        "help: give one of them another",
    ] {
        assert!(told(&output).contains(part), "{}", told(&output));
    }
    assert!(!file.exists());
}

const TWO_RUNTIMES: &str = r#"
//- app/Cargo.toml
[package]
name = "app"
edition = "2024"
[dependencies]
report.workspace = true
bgtask.workspace = true
old = { package = "bgtask", path = "../old" }
//- old/Cargo.toml
[package]
name = "bgtask"
version = "0.0.9"
edition = "2024"
links = "bgtask_registry"
//- old/build.rs
fn main() {}
//- old/src/lib.rs
"#;

#[test]
fn two_versions_of_the_runtime_do_not_resolve() {
    let workspace = Workspace::new("refused-versions", TWO_RUNTIMES);
    workspace.write("app/src/main.rs", MAIN);
    let output = workspace.bgtask_build(&[]).output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    for part in [
        "links to the native library `bgtask_registry`",
        "Only one package in the dependency graph may specify the same links value",
    ] {
        assert!(told(&output).contains(part), "{}", told(&output));
    }
    assert!(!workspace.path("target/debug/app").exists());

    // Without the second one it is built.
    let cargo = workspace.path("app/Cargo.toml");
    let text = fs::read_to_string(&cargo).unwrap();
    let one = text.replace("old = {", "# {");
    workspace.write("app/Cargo.toml", &one);
    workspace.write(
        "old/Cargo.toml",
        "[package]\nname = \"old\"\nedition = \"2024\"\n",
    );
    succeed(&mut workspace.bgtask_build(&[]));
}
