//! Programs that must not compile: each makes one mistake, and its `.stderr` is what the compiler
//! says. After a change, `TRYBUILD=overwrite cargo test --test fail`, then read the difference.

use std::{
    ffi::OsStr,
    path::{Path, PathBuf},
};

/// A harness that finds no case passes; this one has to find at least as many.
const CASES: usize = 378;

fn cases(folder: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(folder).unwrap();
    let mut found = Vec::new();
    for path in entries.map(|entry| entry.unwrap().path()) {
        if path.is_dir() {
            found.extend(cases(&path));
        } else {
            found.push(path);
        }
    }
    found
}

#[test]
fn mistakes_are_told() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests");
    let folders = std::fs::read_dir(folder).unwrap();
    let folders = folders.map(|entry| entry.unwrap().path());
    let files: Vec<_> = folders
        .filter(|path| path.is_dir() && path.file_name() != Some(OsStr::new("pass")))
        .flat_map(|path| cases(&path))
        .collect();
    let programs: Vec<_> = files
        .iter()
        .filter(|path| path.extension() == Some(OsStr::new("rs")))
        .collect();
    assert!(programs.len() >= CASES, "{} cases", programs.len());
    let bless = std::env::var_os("TRYBUILD").is_some();
    let harness = trybuild::TestCases::new();
    for program in &programs {
        let told = program.with_extension("stderr");
        assert!(bless || told.exists(), "{} is missing", told.display());
        harness.compile_fail(program);
    }
    for told in files.iter().filter(|path| !programs.contains(path)) {
        let program = told.with_extension("rs");
        assert!(program.exists(), "{} belongs to nothing", told.display());
    }
}
