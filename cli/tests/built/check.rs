//! `cargo bgtask build --check`, for CI.

use std::fs;

use crate::workspace::{MAIN, Workspace, told};

const WORKSPACE: &str = r#"
//- app/Cargo.toml
[package]
name = "app"
edition = "2024"
[dependencies]
report.workspace = true
bgtask.workspace = true
//- app/src/bin/without.rs
fn main() {}
//- library/Cargo.toml
[package]
name = "library"
edition = "2024"
//- library/src/lib.rs
"#;

const TASK: &str = "#[bgtask::background_task(trigger = time(15))] fn own() {}";

#[test]
fn check_says_what_it_compared_and_how_to_put_it_right() {
    let workspace = Workspace::new("check", WORKSPACE);
    workspace.write("app/src/main.rs", &format!("{TASK}{MAIN}"));
    let app = workspace.path("target/debug/app");
    let file = workspace.path("target/debug/app.bgtask.json");
    let flags = ["-p", "app", "--config", "net.retry = 2"];
    let check = || {
        let output = workspace
            .bgtask_build(&[&["--check"], &flags[..]].concat())
            .output()
            .unwrap();
        let out = String::from_utf8(output.stdout.clone()).unwrap();
        let told = told(&output);
        let told = told.split("target(s)").nth(1).unwrap();
        let told = told.split_once('\n').unwrap().1.to_owned();
        (output.status.code(), out, told)
    };
    let without = format!("{}: 0 tasks\n", app.with_file_name("without").display());
    let shown = file.display();
    let help = "help: `cargo bgtask build -p app --config 'net.retry = 2'` writes the \
                files anew\n";

    let missing = format!("error: `{shown}` is missing\n{help}");
    assert_eq!(check(), (Some(1), without.clone(), missing));
    assert!(!file.exists());

    workspace.build(&flags);
    let same = format!("{shown}: 1 task, as in the executable\n{without}");
    assert_eq!(check(), (Some(0), same.clone(), String::new()));
    // A debug run states the app's id in the file.
    workspace.agreed(&app);
    assert!(fs::read_to_string(&file).unwrap().contains("\"app\""));
    assert_eq!(check(), (Some(0), same, String::new()));

    let other = TASK.replace("own", "other").replace("15", "20");
    workspace.write("app/src/main.rs", &format!("{other}{MAIN}"));
    let before = fs::read(&file).unwrap();
    let differs = format!(
        "error: `{shown}` does not list the tasks of the executable\n  \
         `app::other` is not in the file\n  \
         `app::own` is no longer in the executable\n{help}"
    );
    assert_eq!(check(), (Some(1), without, differs));
    assert_eq!(fs::read(&file).unwrap(), before);
}

#[test]
fn where_no_program_is_built_that_is_said() {
    let workspace = Workspace::new("check-nothing", WORKSPACE);
    workspace.write("app/src/main.rs", "fn main() {}");
    for arguments in [&["-p", "library"][..], &["-p", "library", "--check"]] {
        let told = workspace.build(arguments);
        assert!(told.contains("note: no executable was built"), "{told}");
    }
}
