//! The command as its users run it.
#![allow(
    unsafe_code,
    reason = "an entry in this program's own section, as the attribute makes it"
)]

use std::{
    fs,
    os::unix::fs::PermissionsExt,
    path::Path,
    process::{Command, Output, Stdio},
};

macro_rules! entry {
    ($name:ident, $text:literal) => {
        #[used]
        #[cfg_attr(target_vendor = "apple", unsafe(link_section = "__DATA,__bgtask"))]
        #[cfg_attr(not(target_vendor = "apple"), unsafe(link_section = ".bgtask"))]
        static $name: [u8; $text.len()] = *$text;
    };
}
entry!(
    FIRST,
    b"\x02BGTASK1\x02{\"name\":\"b.nightly\",\"function\":\"command::nightly\",\"crate\":\"mail\",\
      \"crate_version\":\"1.2.3\",\"trigger\":\"cron(\\\"0 3 * * *\\\")\",\
      \"condition\":\"ac_power && unmetered\",\"host\":\"process(\\\"media\\\")\",\"macros\":\"0.1.0\"}\x03\n"
);
entry!(
    SECOND,
    b"\x02BGTASK1\x02{\"name\":\"a.sync\",\"function\":\"command::sync\",\"crate\":\"mail\",\
      \"crate_version\":\"1.2.3\",\"trigger\":\"time(15)\",\"macros\":\"0.1.0\"}\x03\n"
);

fn command(home: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_bgtask"));
    command
        .env_remove("BGTASK_STATE_DIR")
        .env_remove("XDG_STATE_HOME")
        .env("XDG_RUNTIME_DIR", home)
        .env("HOME", home);
    command
}

fn run(home: &Path, arguments: &[&str]) -> Output {
    command(home).args(arguments).output().unwrap()
}

fn out(output: &Output) -> &str {
    std::str::from_utf8(&output.stdout).unwrap()
}

fn err(output: &Output) -> &str {
    std::str::from_utf8(&output.stderr).unwrap()
}

fn own() -> String {
    std::env::current_exe()
        .unwrap()
        .to_str()
        .unwrap()
        .to_owned()
}

fn app_dir(home: &Path, app: &str) {
    let mut dir = home.join(".local/state");
    for level in ["bgtask", app] {
        dir.push(level);
        fs::create_dir_all(&dir).unwrap();
        fs::set_permissions(&dir, fs::Permissions::from_mode(0o700)).unwrap();
    }
}

#[test]
fn the_tasks_of_a_linked_program_are_shown_by_name() {
    let home = tempfile::tempdir().unwrap();
    let output = run(home.path(), &["manifest", &own()]);
    assert!(output.status.success(), "{}", err(&output));
    assert_eq!(
        out(&output),
        format!(
            "{}: 2 tasks\n\
             NAME       TRIGGER            CONDITION              HOST              FROM\n\
             a.sync     time(15)           -                      in_process        mail 1.2.3\n\
             b.nightly  cron(\"0 3 * * *\")  ac_power && unmetered  process(\"media\")  mail 1.2.3\n",
            own()
        )
    );
    let output = run(home.path(), &["manifest", &own(), "--json"]);
    let manifest: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(manifest["version"], 1);
    assert_eq!(manifest["tasks"][0]["name"], "a.sync");
    assert_eq!(manifest["tasks"][1]["host"], "process(\"media\")");
    // The text is the file's text.
    bgtask::manifest::Manifest::from_json(&output.stdout).unwrap();
}

#[test]
fn a_stripped_program_still_has_its_tasks() {
    let home = tempfile::tempdir().unwrap();
    let stripped = home.path().join("stripped");
    fs::copy(own(), &stripped).unwrap();
    let strip = Command::new("strip").arg(&stripped).status();
    assert!(
        strip.is_ok_and(|status| status.success()),
        "`strip` is part of binutils"
    );
    let output = run(home.path(), &["manifest", stripped.to_str().unwrap()]);
    assert!(
        out(&output).contains("stripped: 2 tasks"),
        "{}",
        err(&output)
    );
}

#[test]
fn a_program_without_tasks_says_so() {
    let home = tempfile::tempdir().unwrap();
    let output = run(home.path(), &["manifest", "/bin/true"]);
    assert_eq!(output.status.code(), Some(0));
    assert_eq!(out(&output), "/bin/true: 0 tasks\n");
    assert!(err(&output).contains("use my_tasks as _;"));
}

#[test]
fn what_is_no_program_is_told_as_an_error() {
    let home = tempfile::tempdir().unwrap();
    let path = home.path().join("thing");
    let whole = fs::read(own()).unwrap();
    for (content, part) in [
        (&b""[..], "no executable of a known kind"),
        (b"#!/bin/sh\n", "no executable of a known kind"),
        (&[0x5a; 4096], "no executable of a known kind"),
        (&whole[..whole.len() / 2], "damaged or cut off"),
        (&whole[..40], "damaged or cut off"),
    ] {
        fs::write(&path, content).unwrap();
        let output = run(home.path(), &["manifest", path.to_str().unwrap()]);
        assert_eq!(output.status.code(), Some(1));
        assert_eq!(out(&output), "");
        assert!(err(&output).starts_with("error: `"), "{}", err(&output));
        assert!(err(&output).contains(part), "{}", err(&output));
        assert!(err(&output).contains("[manifest]"), "{}", err(&output));
    }
    let output = run(home.path(), &["manifest", "/nowhere/at/all"]);
    assert_eq!(output.status.code(), Some(1));
    assert!(err(&output).contains("cannot be read"), "{}", err(&output));
}

#[test]
fn a_command_line_that_is_not_understood_ends_with_two() {
    let home = tempfile::tempdir().unwrap();
    for arguments in [
        &["fly"][..],
        &[],
        &["manifest"],
        &["fire", "x", "--args", "{"],
        &["raise"],
        &["raise", "x", "--args", "{"],
        &["push", "x", "--header", "kind"],
        &["history", "--limit", "0"],
        &["log", "--limit", "10001"],
        &["log", "--since", "yesterday"],
        &["cancel"],
        &["cancel", ""],
        &["cancel", "018f", "--reason", "tired"],
    ] {
        let output = run(home.path(), arguments);
        assert_eq!(output.status.code(), Some(2), "{arguments:?}");
        assert_eq!(out(&output), "");
    }
    for arguments in [&["--help"][..], &["--version"], &["build", "--help"]] {
        let output = run(home.path(), arguments);
        assert_eq!(output.status.code(), Some(0), "{arguments:?}");
        assert_eq!(err(&output), "");
    }
}

#[test]
fn as_a_cargo_command_it_is_the_same_command() {
    let home = tempfile::tempdir().unwrap();
    for first in [&["bgtask"][..], &[]] {
        let output = Command::new(env!("CARGO_BIN_EXE_cargo-bgtask"))
            .args(first)
            .args(["manifest", "/bin/true"])
            .env("HOME", home.path())
            .output()
            .unwrap();
        assert_eq!(out(&output), "/bin/true: 0 tasks\n");
    }
}

#[test]
fn without_an_app_every_command_says_what_to_do() {
    let home = tempfile::tempdir().unwrap();
    for arguments in [
        &["list"][..],
        &["why"],
        &["fire", "x"],
        &["raise", "x"],
        &["push", "x"],
        &["cancel", "0"],
        &["history"],
        &["log"],
        &["doctor"],
    ] {
        let output = run(home.path(), arguments);
        assert_eq!(output.status.code(), Some(1));
        assert_eq!(out(&output), "");
        assert_eq!(
            err(&output),
            "error: no app runs, and none has left a store [control]\n  \
             help: start the app; BGTASK_STATE_DIR, XDG_STATE_HOME and HOME say where stores are\n"
        );
    }
    let output = run(home.path(), &["list", "--app", "mail"]);
    assert!(
        err(&output).contains("no app `mail` runs"),
        "{}",
        err(&output)
    );
    let output = run(home.path(), &["list", "--app", "../mail"]);
    assert!(
        err(&output).contains("[invalid-declaration]"),
        "{}",
        err(&output)
    );
    let output = command(home.path())
        .env_remove("HOME")
        .arg("list")
        .output()
        .unwrap();
    assert!(
        err(&output).contains("[no-state-directory]"),
        "{}",
        err(&output)
    );
}

#[test]
fn of_several_apps_one_has_to_be_named() {
    let home = tempfile::tempdir().unwrap();
    app_dir(home.path(), "mail");
    app_dir(home.path(), "photos");
    let output = run(home.path(), &["list"]);
    assert_eq!(output.status.code(), Some(1));
    assert!(
        err(&output).contains("add `--app` with one of: mail, photos"),
        "{}",
        err(&output)
    );
    // A store that others can use is not trusted.
    let dir = home.path().join(".local/state/bgtask/mail");
    fs::set_permissions(&dir, fs::Permissions::from_mode(0o755)).unwrap();
    let output = run(home.path(), &["list", "--app", "mail"]);
    assert!(err(&output).contains("[directory]"), "{}", err(&output));
}

#[test]
fn a_store_is_examined_while_its_app_runs_and_afterwards() {
    let home = tempfile::tempdir().unwrap();
    app_dir(home.path(), "mail");
    let dir = home.path().join(".local/state/bgtask/mail");
    let sound = || {
        let output = run(home.path(), &["doctor"]);
        assert_eq!(err(&output), "");
        assert_eq!(output.status.code(), Some(0));
        assert!(out(&output).starts_with("0 registrations, "), "{output:?}");
        assert!(out(&output).ends_with("mail: what it keeps is sound\n"));
        let output = run(home.path(), &["doctor", "--json"]);
        let told: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
        assert_eq!(told["sound"], true);
        assert_eq!(told["found"][0]["severity"], "info");
    };
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    runtime.block_on(async {
        let app = bgtask::AppBuilder::new("mail")
            .state_dir(&dir)
            .runtime_dir(home.path().join("run"));
        let app = app.start().await.unwrap();
        sound();
        app.shutdown().await;
    });
    sound();

    fs::write(dir.join("store.db"), "no database").unwrap();
    let output = run(home.path(), &["doctor"]);
    assert_eq!(output.status.code(), Some(1));
    assert!(err(&output).contains("[store-corrupt]"), "{output:?}");
}

#[test]
fn a_reader_that_goes_is_no_error() {
    let home = tempfile::tempdir().unwrap();
    let mut child = command(home.path())
        .args(["manifest", &own(), "--json"])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    drop(child.stdout.take());
    let output = child.wait_with_output().unwrap();
    assert_eq!(err(&output), "");
    assert_eq!(output.status.code(), Some(0));
}

/// A project that only needs what cargo can make without the network.
fn project(root: &Path, main: &str) {
    fs::create_dir_all(root.join("src")).unwrap();
    fs::write(
        root.join("Cargo.toml"),
        "[package]\nname = \"sample\"\nversion = \"0.1.0\"\nedition = \"2024\"\n[workspace]\n",
    )
    .unwrap();
    fs::write(root.join("src/main.rs"), main).unwrap();
}

const ONE_TASK: &str = r#"
const TEXT: &str = "\u{2}BGTASK1\u{2}{\"name\":\"one\",\"function\":\"sample::one\",\"crate\":\"sample\",\"crate_version\":\"0.1.0\",\"trigger\":\"time(15)\",\"macros\":\"0.1.0\"}\u{3}\n";
#[used]
#[cfg_attr(target_vendor = "apple", unsafe(link_section = "__DATA,__bgtask"))]
#[cfg_attr(not(target_vendor = "apple"), unsafe(link_section = ".bgtask"))]
static ENTRY: [u8; TEXT.len()] = *TEXT.as_bytes().first_chunk().unwrap();
fn main() {}
"#;

#[test]
fn a_build_writes_the_file_and_check_compares_it() {
    let home = tempfile::tempdir().unwrap();
    let root = home.path().join("sample");
    project(&root, ONE_TASK);
    let build = |arguments: &[&str]| {
        Command::new(env!("CARGO_BIN_EXE_cargo-bgtask"))
            .args(["bgtask", "build"])
            .args(arguments)
            .current_dir(&root)
            .env("CARGO_TARGET_DIR", root.join("target"))
            .output()
            .unwrap()
    };
    let file = root.join("target/debug/sample.bgtask.json");

    let output = build(&["--check"]);
    assert_eq!(output.status.code(), Some(1), "{}", err(&output));
    assert!(err(&output).contains("is missing"), "{}", err(&output));
    assert!(!file.exists());

    let output = build(&["--offline"]);
    assert_eq!(output.status.code(), Some(0), "{}", err(&output));
    assert_eq!(out(&output), format!("{}\n", file.display()));
    let written = fs::read(&file).unwrap();
    let manifest = bgtask::manifest::Manifest::from_json(&written).unwrap();
    assert_eq!(manifest.tasks()[0].name(), "one");
    let output = build(&["--offline", "--check"]);
    assert_eq!(output.status.code(), Some(0));
    assert_eq!(
        out(&output),
        format!("{}: 1 task, as in the executable\n", file.display())
    );

    // The last task goes: the file follows.
    fs::write(root.join("src/main.rs"), "fn main() {}").unwrap();
    let output = build(&["--check"]);
    assert_eq!(output.status.code(), Some(1));
    assert!(
        err(&output).contains("`one` is no longer in the executable"),
        "{}",
        err(&output)
    );
    assert_eq!(fs::read(&file).unwrap(), written);
    assert_eq!(build(&[]).status.code(), Some(0));
    assert!(!fs::read_to_string(&file).unwrap().contains("\"one\""));

    // Two tasks of one name: no file is written.
    let twice = ONE_TASK.replace("fn main", "#[used] #[cfg_attr(target_vendor = \"apple\", unsafe(link_section = \"__DATA,__bgtask\"))] #[cfg_attr(not(target_vendor = \"apple\"), unsafe(link_section = \".bgtask\"))] static MORE: [u8; TEXT.len()] = ENTRY; fn main");
    fs::write(root.join("src/main.rs"), twice).unwrap();
    let output = build(&[]);
    assert_eq!(output.status.code(), Some(1));
    assert!(
        err(&output).contains("two tasks have this name"),
        "{}",
        err(&output)
    );

    fs::write(root.join("src/main.rs"), "fn main() { wrong }").unwrap();
    let output = build(&[]);
    assert_eq!(output.status.code(), Some(1));
    assert!(
        err(&output).contains("cannot find value `wrong`"),
        "{}",
        err(&output)
    );
    let output = build(&["--message-format=short"]);
    assert!(err(&output).contains("leave it out"), "{}", err(&output));
}

#[test]
fn tasks_of_a_dependency_that_nothing_mentions_are_warned_of() {
    let home = tempfile::tempdir().unwrap();
    let package = |name: &str, dependencies: &str, file: &str, source: &str| {
        let root = home.path().join(name);
        fs::create_dir_all(root.join("src")).unwrap();
        let manifest = format!(
            "[package]\nname = \"{name}\"\nversion = \"0.1.0\"\nedition = \"2024\"\n\
             [dependencies]\n{dependencies}\n"
        );
        fs::write(root.join("Cargo.toml"), manifest).unwrap();
        fs::write(root.join("src").join(file), source).unwrap();
    };
    let task = ONE_TASK
        .replace("fn main() {}", "")
        .replace("sample", "quiet-tasks");
    fs::write(
        home.path().join("Cargo.toml"),
        "[workspace]\nresolver = \"3\"\nmembers = [\"app\", \"bgtask\", \"quiet-tasks\"]\n",
    )
    .unwrap();
    // What counts is the name of the package that a package with tasks depends on.
    package("bgtask", "", "lib.rs", "");
    package(
        "quiet-tasks",
        "bgtask.path = \"../bgtask\"",
        "lib.rs",
        &task,
    );
    let needs = "quiet-tasks.path = \"../quiet-tasks\"";
    package("app", needs, "main.rs", "fn main() {}");
    let build = || {
        Command::new(env!("CARGO_BIN_EXE_cargo-bgtask"))
            .args(["bgtask", "build", "--offline"])
            .current_dir(home.path())
            .env("CARGO_TARGET_DIR", home.path().join("target"))
            .output()
            .unwrap()
    };
    let output = build();
    assert_eq!(output.status.code(), Some(0), "{}", err(&output));
    assert!(
        err(&output).contains(
            "warning: tasks of `quiet-tasks` are not linked into `app`: one\n  \
             help: nothing in `app` mentions `quiet_tasks`: add `use quiet_tasks as _;`"
        ),
        "{}",
        err(&output)
    );
    assert_eq!(out(&output), "");

    package(
        "app",
        needs,
        "main.rs",
        "use quiet_tasks as _; fn main() {}",
    );
    let output = build();
    assert!(!err(&output).contains("not linked"), "{}", err(&output));
    let file = home.path().join("target/debug/app.bgtask.json");
    assert_eq!(out(&output), format!("{}\n", file.display()));
}
