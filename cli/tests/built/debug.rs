//! `BGTASK_MACRO_DEBUG` shows what the attribute makes of one task.

use crate::workspace::{Workspace, told};

const FILES: &str = r#"
//- app/Cargo.toml
[package]
name = "app"
edition = "2024"
[dependencies]
bgtask.workspace = true
//- app/src/lib.rs
#[bgtask::background_task(trigger = startup)] pub async fn greet() {}
#[bgtask::background_task(name = "mail sync", trigger = time(15))] pub async fn sync() {}
"#;

#[test]
fn one_expansion_is_shown_as_soon_as_it_is_asked_for() {
    let workspace = Workspace::new("debug", FILES);
    let check = |task: Option<&str>| {
        let mut cargo = workspace.command("cargo");
        cargo.args(["check", "--quiet", "--package=app"]);
        cargo.envs(task.map(|task| ("BGTASK_MACRO_DEBUG", task)));
        let output = cargo.output().unwrap();
        assert!(output.status.success(), "{}", told(&output));
        told(&output)
    };
    assert_eq!(check(None), "");
    // Nothing else has changed: the variable alone makes cargo compile the crate.
    for name in ["sync", "mail sync"] {
        let shown = check(Some(name));
        assert!(shown.contains("pub async fn sync() {}\n"), "{shown}");
        assert!(
            shown.contains("impl __bgtask::TaskType for sync {\n"),
            "{shown}"
        );
        assert!(!shown.contains("fn greet"), "{shown}");
    }
    assert_eq!(check(Some("nobody")), "");
    assert_eq!(check(None), "");
}
