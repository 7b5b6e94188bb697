//! The oldest `rusqlite` of the range that we state. Only one `libsqlite3-sys` can be in a build, so
//! the range is wide. Everything else is built with its newest, which the lock file names.

use std::{fs, io, os::unix::fs::symlink, path::Path};

use crate::step::{cargo, root, succeed};

/// The first version of the range, its first release, and the newest that the lock file has.
const RANGE: [&str; 3] = ["0.32", "0.32.1", "0.41"];

/// The folders of the workspace.
const PARTS: [&str; 7] = [
    "macros", "runtime", "cli", "examples", "ui-tests", "bench", "xtask",
];

/// Builds the library with it, in `target/oldest`.
pub(crate) fn check() -> Result<(), String> {
    let texts = ["runtime/Cargo.toml", "Cargo.toml", "Cargo.lock"].map(|name| {
        let path = root().join(name);
        fs::read_to_string(&path).map_err(|error| format!("{}: {error}", path.display()))
    });
    let [library, workspace, lock] = texts;
    let (library, workspace, lock) = (library?, workspace?, lock?);
    ends(&library, &lock)?;

    let target = root().join("target/oldest");
    let folder = target.join("workspace");
    let made = make(&folder, &workspace, &lock);
    made.map_err(|error| format!("{}: {error}", folder.display()))?;
    let mut update = cargo();
    update
        .current_dir(&folder)
        .args(["update", "--quiet", "--package=rusqlite"])
        .arg(format!("--precise={}", RANGE[1]));
    succeed(update)?;
    let mut check = cargo();
    check
        .current_dir(&folder)
        .args(["check", "--package=bgtask", "--lib", "--locked"])
        .arg("--target-dir")
        .arg(target);
    succeed(check).map(drop)
}

/// The same workspace under a lock file of its own: its folders are links.
fn make(folder: &Path, workspace: &str, lock: &str) -> io::Result<()> {
    if folder.exists() {
        fs::remove_dir_all(folder)?;
    }
    fs::create_dir_all(folder)?;
    for part in PARTS {
        symlink(root().join(part), folder.join(part))?;
    }
    fs::write(folder.join("Cargo.toml"), workspace)?;
    fs::write(folder.join("Cargo.lock"), lock)
}

/// Refuses a range or a lock file that has other ends than are built.
fn ends(library: &str, lock: &str) -> Result<(), String> {
    let [first, _, newest] = RANGE;
    let stated = library
        .lines()
        .find(|line| line.starts_with("rusqlite = "))
        .ok_or("`runtime/Cargo.toml` does not depend on `rusqlite`")?;
    if !stated.contains(&format!("\">={first}, <")) {
        return Err(format!("the range does not begin with {first}: {stated}"));
    }
    let mut lines = lock
        .lines()
        .skip_while(|line| *line != "name = \"rusqlite\"");
    let locked = lines.nth(1).unwrap_or_default();
    if !locked.starts_with(&format!("version = \"{newest}.")) {
        return Err(format!("the lock file does not have {newest}: {locked}"));
    }
    let after = newest.rsplit_once('.').and_then(|(major, minor)| {
        let minor: u32 = minor.parse().ok()?;
        Some(format!(", <{major}.{}\"", minor + 1))
    });
    match after {
        Some(after) if stated.contains(&after) => Ok(()),
        _ => Err(format!("the range does not end with {newest}: {stated}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIBRARY: &str = "[dependencies]\nrusqlite = { version = \">=0.32, <0.42\" }\n";
    const LOCK: &str = "[[package]]\nname = \"rusqlite\"\nversion = \"0.41.1\"\n";

    #[test]
    fn both_ends_are_those_that_are_built() {
        assert_eq!(ends(LIBRARY, LOCK), Ok(()));
        for (library, lock, part) in [
            (LIBRARY.replace("0.32", "0.31"), LOCK.to_owned(), "begin"),
            (LIBRARY.replace("0.42", "0.43"), LOCK.to_owned(), "end"),
            (
                LIBRARY.to_owned(),
                LOCK.replace("0.41", "0.40"),
                "lock file",
            ),
            (String::new(), LOCK.to_owned(), "does not depend"),
        ] {
            let refused = ends(&library, &lock).unwrap_err();
            assert!(refused.contains(part), "{refused}");
        }
    }
}
