//! What the attribute declares is what the command shows and what the program registers.

use std::process::Command;

use bgtask::{manifest::Manifest, prelude::*};

/// Gets the mail.
#[background_task(trigger = time(15), condition = internet && unmetered, timeout = "20s")]
async fn sync_mail(task: TaskContext) -> Result<(), Cancelled> {
    task.checkpoint()
}

mod private {
    use super::*;

    // Nothing refers to this module, and that must not matter.
    #[background_task(name = "photos.backup", trigger = cron("0 3 * * *", tz = "Europe/Berlin"), host = process("media"), memory = "512MiB", priority = -2)]
    fn backup() {}
}

fn listed(arguments: &[&str]) -> String {
    let own = std::env::current_exe().unwrap();
    let output = Command::new(env!("CARGO_BIN_EXE_bgtask"))
        .arg("manifest")
        .arg(own)
        .args(arguments)
        .output()
        .unwrap();
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    String::from_utf8(output.stdout).unwrap()
}

#[test]
fn the_file_lists_what_the_program_registers() {
    let listed = Manifest::from_json(listed(&["--json"]).as_bytes()).unwrap();
    let registered = Manifest::of_this_program().unwrap();
    assert_eq!(listed, registered);
    let names: Vec<&str> = registered.tasks().iter().map(|task| task.name()).collect();
    assert_eq!(names, ["declared::sync_mail", "photos.backup"]);
}

#[test]
fn every_stated_field_is_in_the_manifest() {
    let manifest: serde_json::Value = serde_json::from_str(&listed(&["--json"])).unwrap();
    let version = env!("CARGO_PKG_VERSION");
    assert_eq!(
        manifest["tasks"],
        serde_json::json!([
            {
                "name": "declared::sync_mail", "function": "declared::sync_mail",
                "crate": "cargo-bgtask", "crate_version": version, "macros": version,
                "description": "Gets the mail.",
                "trigger": "time(15)", "condition": "internet && unmetered", "timeout": "20s",
            },
            {
                "name": "photos.backup", "function": "declared::private::backup",
                "crate": "cargo-bgtask", "crate_version": version, "macros": version,
                "trigger": "cron(\"0 3 * * *\", tz = \"Europe/Berlin\")",
                "host": "process(\"media\")", "memory": "512MiB", "priority": -2,
            },
        ])
    );
}
