//! `bgtask access`, as its users run it.

use std::{
    fs,
    os::unix::fs::{PermissionsExt, symlink},
    path::{Path, PathBuf},
    process::{Command, Output},
};

use serde_json::Value;

fn run(home: &Path, arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_bgtask"))
        .arg("access")
        .args(arguments)
        .env_remove("BGTASK_STATE_DIR")
        .env_remove("XDG_STATE_HOME")
        .env_remove("BGTASK_CONFIG_DIR")
        .env_remove("XDG_CONFIG_HOME")
        .env("XDG_RUNTIME_DIR", home)
        .env("HOME", home)
        .output()
        .unwrap()
}

fn out(output: &Output) -> String {
    assert!(output.status.success(), "{}", err(output));
    String::from_utf8(output.stdout.clone()).unwrap()
}

fn err(output: &Output) -> String {
    String::from_utf8(output.stderr.clone()).unwrap()
}

fn file(home: &Path) -> PathBuf {
    home.join(".config/bgtask/access.toml")
}

fn app(home: &Path, id: &str) {
    let mut dir = home.join(".local/state");
    for level in ["bgtask", id] {
        dir.push(level);
        fs::create_dir_all(&dir).unwrap();
        fs::set_permissions(&dir, fs::Permissions::from_mode(0o700)).unwrap();
    }
}

#[test]
fn every_app_is_shown_with_who_says_so() {
    let home = tempfile::tempdir().unwrap();
    let home = home.path();
    let none = "no app runs, none has left a store, and no policy names one\n";
    assert_eq!(out(&run(home, &[])), none);
    app(home, "mail");
    app(home, "photos");
    let shown = run(home, &["photos", "deny"]);
    let place = file(home).display().to_string();
    assert_eq!(
        out(&shown),
        format!("APP     ACCESS  FROM\nphotos  deny    {place}:4\n")
    );
    assert_eq!(err(&shown), "");
    // Before the app was ever started.
    let shown = run(home, &["com.example.new", "ask"]);
    assert_eq!(
        err(&shown),
        "note: no app `com.example.new` runs, and none has left a store\n"
    );
    assert_eq!(
        out(&run(home, &[])),
        format!(
            "APP              ACCESS  FROM\n\
             com.example.new  ask     {place}:7\n\
             mail             allow   nothing says otherwise\n\
             photos           deny    {place}:4\n"
        )
    );
    let shown: Value = serde_json::from_str(&out(&run(home, &["--json"]))).unwrap();
    assert_eq!(shown["files"]["system"], "/etc/bgtask/access.toml");
    assert_eq!(shown["files"]["user"], place);
    let photos = &shown["apps"][2];
    assert_eq!(
        (&photos["app"], &photos["access"]),
        (&"photos".into(), &"deny".into())
    );
    assert_eq!(photos["from"]["line"], 4);
    assert_eq!(photos["from"]["system"], false);
    assert_eq!(photos["unknown_metering"], "deny");
    assert_eq!(shown["apps"][1]["from"], Value::Null);
    let one: Value = serde_json::from_str(&out(&run(home, &["mail", "always", "--json"]))).unwrap();
    assert_eq!(one["apps"][0]["access"], "always");
    assert_eq!(one["apps"].as_array().unwrap().len(), 1);
    assert_eq!(
        out(&run(home, &["photos", "unset"])),
        "APP     ACCESS  FROM\nphotos  allow   nothing says otherwise\n"
    );
}

#[test]
fn the_file_stays_the_users_own() {
    let home = tempfile::tempdir().unwrap();
    let home = home.path();
    let own = home.join("dotfiles.toml");
    let text = "# all of them\n[default]\naccess = \"ask\" # for now\n";
    fs::write(&own, text).unwrap();
    fs::set_permissions(&own, fs::Permissions::from_mode(0o640)).unwrap();
    fs::create_dir_all(file(home).parent().unwrap()).unwrap();
    symlink(&own, file(home)).unwrap();
    out(&run(home, &["mail", "allow"]));
    assert!(fs::symlink_metadata(file(home)).unwrap().is_symlink());
    let added = "\n[app.mail]\naccess = \"allow\"\n";
    assert_eq!(fs::read_to_string(&own).unwrap(), format!("{text}{added}"));
    let mode = fs::metadata(&own).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode, 0o640);
    let left: Vec<_> = fs::read_dir(home)
        .unwrap()
        .map(|one| one.unwrap().file_name())
        .collect();
    let count = left
        .iter()
        .filter(|name| name.to_string_lossy().contains("tmp"))
        .count();
    assert_eq!(count, 0, "{left:?}");
}

#[test]
fn what_is_not_understood_is_told_and_not_written_over() {
    let home = tempfile::tempdir().unwrap();
    let home = home.path();
    fs::create_dir_all(file(home).parent().unwrap()).unwrap();
    let text = "[default]\naccess = \"denny\"\n";
    fs::write(file(home), text).unwrap();
    for arguments in [&[][..], &["mail", "allow"]] {
        let output = run(home, arguments);
        assert_eq!(output.status.code(), Some(1));
        let told = err(&output);
        let expected = format!(
            "error: the file `{}`, line 2: unknown value \"denny\" of `access` [access-policy]\n  help: did you mean `deny`?\n",
            file(home).display()
        );
        assert_eq!(told, expected);
    }
    assert_eq!(fs::read_to_string(file(home)).unwrap(), text);
}

#[test]
fn an_answer_without_an_app_and_an_unknown_answer_are_mistakes() {
    let home = tempfile::tempdir().unwrap();
    let home = home.path();
    let output = run(home, &["deny"]);
    assert_eq!(output.status.code(), Some(1));
    assert!(
        err(&output).contains("write `bgtask access APP deny`"),
        "{}",
        err(&output)
    );
    let output = run(home, &["mail", "denny"]);
    assert_eq!(output.status.code(), Some(2));
    assert!(err(&output).contains("'deny'"), "{}", err(&output));
    assert!(!file(home).exists());
}

#[test]
fn answers_given_at_once_are_all_kept() {
    let home = tempfile::tempdir().unwrap();
    let home = home.path();
    std::thread::scope(|scope| {
        for number in 0..8 {
            let id = format!("app{number}");
            scope.spawn(move || out(&run(home, &[&id, "deny"])));
        }
    });
    let shown: Value = serde_json::from_str(&out(&run(home, &["--json"]))).unwrap();
    assert_eq!(shown["apps"].as_array().unwrap().len(), 8);
}
