//! `bgtask capabilities`, as its users run it, on a machine without a system bus.

use std::{
    collections::BTreeSet,
    fs,
    path::Path,
    process::{Command, Output},
};

use bgtask::{Capabilities, Support, model::grammar};

fn command(home: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_bgtask"));
    command
        .arg("capabilities")
        .env_remove("BGTASK_CONFIG_DIR")
        .env_remove("XDG_CONFIG_HOME")
        .env_remove("NO_COLOR")
        .env_remove("CLICOLOR_FORCE")
        .env("DBUS_SYSTEM_BUS_ADDRESS", "unix:path=/nonexistent/bus")
        .env("HOME", home);
    command
}

fn run(home: &Path, arguments: &[&str]) -> Output {
    command(home).args(arguments).output().unwrap()
}

fn out(output: &Output) -> String {
    let error = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(0), "{error}");
    String::from_utf8(output.stdout.clone()).unwrap()
}

fn json(home: &Path, arguments: &[&str]) -> Capabilities {
    let arguments = [&["--json"], arguments].concat();
    serde_json::from_str(&out(&run(home, &arguments))).unwrap()
}

#[test]
fn every_word_of_the_grammar_is_told() {
    let home = tempfile::tempdir().unwrap();
    let report = json(home.path(), &[]);
    assert_eq!(report.version, 1);
    let told = report.capabilities.iter();
    let told: BTreeSet<_> = told
        .map(|one| (one.family.clone(), one.word.clone()))
        .collect();
    let words = grammar::words().into_iter();
    let words: BTreeSet<_> = words
        .flat_map(|(family, words)| {
            words
                .into_iter()
                .map(move |word| (family.to_owned(), word.to_owned()))
        })
        .collect();
    assert_eq!(told, words);
    let shown = out(&run(home.path(), &[]));
    for (family, word) in words {
        let is_told = shown
            .lines()
            .any(|line| line.split(' ').next() == Some(&word));
        assert!(is_told, "{family} {word}\n{shown}");
    }
}

#[test]
fn what_is_missing_is_told_with_its_remedy() {
    let home = tempfile::tempdir().unwrap();
    let shown = out(&run(home.path(), &[]));
    let line = |word: &str| {
        let mut lines = shown.lines();
        lines
            .find(|line| line.split(' ').next() == Some(word))
            .unwrap()
    };
    for part in ["unsupported", "voip", "use another trigger"] {
        assert!(line("voip").contains(part), "{shown}");
    }
    assert!(line("application").contains("guaranteed"), "{shown}");
    #[cfg(target_os = "linux")]
    {
        assert!(
            line("user_present").contains("there is no system bus"),
            "{shown}"
        );
        assert!(line("internet").contains("best effort  netlink"), "{shown}");
    }
}

#[cfg(target_os = "linux")]
#[test]
fn what_the_user_lets_pass_is_that_of_the_app_which_is_named() {
    let home = tempfile::tempdir().unwrap();
    let folder = home.path().join(".config/bgtask");
    fs::create_dir_all(&folder).unwrap();
    let text = "[app.mail]\nunknown_metering = \"allow\"\n";
    fs::write(folder.join("access.toml"), text).unwrap();
    for (arguments, works) in [
        (&["--app", "mail"][..], true),
        (&["--app", "other"], false),
        (&[], false),
    ] {
        let report = json(home.path(), arguments);
        let found = report.find("condition", "unmetered").unwrap();
        let unsupported = matches!(found.support, Support::Unsupported { .. });
        assert_eq!(unsupported, !works, "{found:?}");
    }
}

#[test]
fn colours_are_for_terminals_and_for_who_insists() {
    let home = tempfile::tempdir().unwrap();
    let plain = out(&run(home.path(), &[]));
    assert!(!plain.contains('\u{1b}'), "{plain:?}");
    let forced = command(home.path()).env("CLICOLOR_FORCE", "1").output();
    let forced = out(&forced.unwrap());
    assert!(forced.contains("\u{1b}[32mtime "), "{forced:?}");
}

#[test]
fn what_goes_wrong_has_its_exit_code() {
    let home = tempfile::tempdir().unwrap();
    let unknown = run(home.path(), &["--colour"]);
    assert_eq!(unknown.status.code(), Some(2));
    let folder = home.path().join(".config/bgtask");
    fs::create_dir_all(&folder).unwrap();
    fs::write(folder.join("access.toml"), "[default]\naccess = 1\n").unwrap();
    let broken = run(home.path(), &["--json"]);
    assert_eq!(broken.status.code(), Some(1));
    let told = String::from_utf8_lossy(&broken.stderr);
    assert!(
        told.starts_with("error: ") && told.contains("line 2"),
        "{told}"
    );
    assert!(broken.stdout.is_empty());
}
