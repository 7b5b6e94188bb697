//! Whatever was built before: what is no longer compiled is no longer listed.

use std::fs;

use crate::workspace::{MAIN, Workspace, names, succeed, told};

const WORKSPACE: &str = r#"
//- app/Cargo.toml
[package]
name = "app"
edition = "2024"
[dependencies]
report.workspace = true
bgtask.workspace = true
library.path = "../library"
[features]
more = ["library/more"]
//- library/Cargo.toml
[package]
name = "library"
edition = "2024"
[dependencies]
bgtask.workspace = true
[features]
more = []
"#;

const LIBRARY: &str = "
mod first {
    #[bgtask::background_task(trigger = time(15))]
    fn one() {}
}
mod second {
    #[cfg(feature = \"more\")]
    #[bgtask::background_task(trigger = time(15))]
    fn more() {}
}
";

const APP: &str = "
use library as _;
#[bgtask::background_task(trigger = time(15))]
fn own() {}
";

fn workspace(name: &str) -> Workspace {
    let workspace = Workspace::new(name, WORKSPACE);
    workspace.write("app/src/main.rs", &format!("{APP}{MAIN}"));
    workspace.write("library/src/lib.rs", LIBRARY);
    workspace
}

#[test]
fn tasks_go_with_their_source_and_come_back_with_it() {
    let workspace = workspace("change-source");
    let app = workspace.path("target/debug/app");
    workspace.build(&[]);
    assert_eq!(workspace.agreed(&app), ["app::own", "library::first::one"]);

    // The library's only task; a macro that wrote files would not be run at all now.
    workspace.write("library/src/lib.rs", "");
    workspace.build(&[]);
    assert_eq!(workspace.agreed(&app), ["app::own"]);

    workspace.write("app/src/main.rs", MAIN);
    workspace.build(&[]);
    assert_eq!(workspace.agreed(&app), [""; 0]);

    workspace.write(
        "library/src/lib.rs",
        &LIBRARY.replace("time(15)", "time(20)"),
    );
    workspace.write("app/src/main.rs", &format!("{APP}{MAIN}"));
    workspace.build(&[]);
    assert_eq!(workspace.agreed(&app), ["app::own", "library::first::one"]);
    assert!(workspace.listed(&app).contains("time(20)"));
}

#[test]
fn a_feature_that_is_off_takes_its_tasks_with_it() {
    let workspace = workspace("change-feature");
    let app = workspace.path("target/debug/app");
    for _ in 0..2 {
        workspace.build(&["--features", "more"]);
        assert_eq!(
            workspace.agreed(&app),
            ["app::own", "library::first::one", "library::second::more"]
        );
        workspace.build(&[]);
        assert_eq!(workspace.agreed(&app), ["app::own", "library::first::one"]);
    }
}

#[test]
fn a_file_that_was_deleted_is_written_though_nothing_is_compiled() {
    let workspace = workspace("change-file");
    let app = workspace.path("target/debug/app");
    let file = workspace.path("target/debug/app.bgtask.json");
    let output = succeed(&mut workspace.bgtask_build(&[]));
    assert_eq!(
        String::from_utf8_lossy(&output.stdout),
        format!("{}\n", file.display())
    );
    let written = fs::read(&file).unwrap();

    fs::remove_file(&file).unwrap();
    succeed(workspace.command(env!("CARGO")).arg("build"));
    assert!(!file.exists());
    let output = succeed(&mut workspace.bgtask_build(&[]));
    assert!(!told(&output).contains("Compiling"), "{}", told(&output));
    assert_eq!(fs::read(&file).unwrap(), written);

    // Built behind the file's back: a debug run puts it right.
    workspace.write("library/src/lib.rs", "");
    succeed(workspace.command(env!("CARGO")).arg("build"));
    assert_eq!(fs::read(&file).unwrap(), written);
    workspace.registered(&app);
    let after = fs::read_to_string(&file).unwrap();
    assert_eq!(names(&after), ["app::own"]);
    assert_eq!(workspace.agreed(&app), ["app::own"]);
}

#[test]
fn what_was_built_before_another_program_failed_has_its_manifest() {
    let workspace = workspace("change-failure");
    let second = |text: &str| workspace.write("app/src/bin/second.rs", text);
    second("fn main() {}");
    workspace.build(&[]);
    second("fn main() { wrong }");
    workspace.write("library/src/lib.rs", "");
    let mut build = workspace.bgtask_build(&["--keep-going"]);
    let output = build.output().unwrap();
    assert_eq!(output.status.code(), Some(1), "{}", told(&output));
    let app = workspace.path("target/debug/app");
    assert_eq!(workspace.agreed(&app), ["app::own"]);
}
