//! `assert_manifest!` in a test of a user's.

use crate::workspace::{Workspace, told};

const FILES: &str = r#"
//- app/Cargo.toml
[package]
name = "app"
edition = "2024"
[dependencies]
bgtask.workspace = true
//- app/src/lib.rs
#[bgtask::background_task(trigger = time(15))] pub async fn sync() {}

#[test]
fn the_tasks_are_those_that_were_reviewed() {
    bgtask::assert_manifest!("bgtask.json");
}
"#;

#[test]
fn a_test_fails_until_the_change_of_its_file_is_accepted() {
    let workspace = Workspace::new("reviewed", FILES);
    // An earlier run of this test left one.
    let file = workspace.path("app/bgtask.json");
    let _ = std::fs::remove_file(&file);
    let test = |overwrite: bool| {
        let mut cargo = workspace.command("cargo");
        cargo.args(["test", "--quiet", "--package=app", "--lib"]);
        if overwrite {
            cargo.env("BGTASK_MANIFEST", "overwrite");
        }
        let output = cargo.output().unwrap();
        let said = String::from_utf8_lossy(&output.stdout).into_owned() + &told(&output);
        (output.status.success(), said)
    };

    let (passed, said) = test(false);
    assert!(
        !passed && said.contains("bgtask.json` is missing"),
        "{said}"
    );
    assert!(
        said.contains("help: `BGTASK_MANIFEST=overwrite cargo test`"),
        "{said}"
    );
    assert!(test(true).0);
    assert!(test(false).0);
    let reviewed = std::fs::read_to_string(&file).unwrap();
    assert!(reviewed.contains("\"executable\": \"app\""), "{reviewed}");

    let source = "app/src/lib.rs";
    let changed = std::fs::read_to_string(workspace.path(source)).unwrap();
    workspace.write(source, &changed.replace("time(15)", "time(30)"));
    let (passed, said) = test(false);
    let expected =
        "`app::sync` is declared differently: trigger is \"time(30)\", in the file \"time(15)\"";
    assert!(!passed && said.contains(expected), "{said}");
    assert_eq!(std::fs::read_to_string(&file).unwrap(), reviewed);
    assert!(test(true).0);
    assert!(test(false).0);
}
