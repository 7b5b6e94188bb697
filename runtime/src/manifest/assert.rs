//! A manifest under version control, compared in a test.

use std::path::Path;

use super::{Entry, Manifest};

/// `overwrite` writes the file instead of comparing it.
const VARIABLE: &str = "BGTASK_MANIFEST";

/// Fails a test of yours if the tasks linked into it are not those that a file lists, so that a
/// review shows each task that a change adds, removes or declares otherwise.
///
/// The file, a manifest as JSON, is named from the folder of the package's `Cargo.toml`. It is
/// written, and accepted as it is, by a run with `BGTASK_MANIFEST=overwrite`:
///
/// ```sh
/// BGTASK_MANIFEST=overwrite cargo test
/// ```
///
/// Compared is what the tasks say: names, functions, crates, descriptions and arguments. Versions
/// of crates are not, so that a release changes no file; nor is the executable's name, because a
/// test is an executable of its own. Its tasks are those that it links: in a unit test those of the
/// crate and of its dependencies, in a file of `tests/` those of the libraries that it mentions:
/// `use my_app as _;`.
///
/// # Panics
///
/// If the file is missing, is no manifest, or lists other tasks: with each difference, and the
/// command that accepts them.
///
/// # Examples
///
/// ```no_run
/// #[test]
/// fn the_tasks_are_those_that_were_reviewed() {
///     bgtask::assert_manifest!("bgtask.json");
/// }
/// ```
#[macro_export]
macro_rules! assert_manifest {
    ($file:expr $(,)?) => {
        $crate::manifest::assert_manifest(
            ::core::env!("CARGO_MANIFEST_DIR"),
            ::core::env!("CARGO_PKG_NAME"),
            ::core::convert::AsRef::<::std::path::Path>::as_ref(&$file),
        )
    };
}

/// The function behind [`assert_manifest!`](crate::assert_manifest). Not public API.
#[doc(hidden)]
#[track_caller]
pub fn assert_manifest(folder: &str, package: &str, file: &Path) {
    let overwrite = std::env::var_os(VARIABLE).is_some_and(|value| value == "overwrite");
    if let Err(problem) = compare(&Path::new(folder).join(file), package, overwrite) {
        panic!("{problem}");
    }
}

fn compare(path: &Path, package: &str, overwrite: bool) -> Result<(), String> {
    let ours = Manifest::of_this_program().map_err(|error| error.to_string())?;
    compare_with(&ours, path, package, overwrite)
}

fn compare_with(
    ours: &Manifest,
    path: &Path,
    package: &str,
    overwrite: bool,
) -> Result<(), String> {
    let told = |error: crate::Error| error.to_string();
    let file = path.display();
    if overwrite {
        let named = Manifest::new(package, ours.tasks().to_vec()).map_err(told)?;
        return named.write_if_different(path).map(drop).map_err(told);
    }
    let help = format!(
        "help: `{VARIABLE}=overwrite cargo test` writes what is linked into this test; review the \
         change of the file, and commit it"
    );
    let Some(theirs) = Manifest::read(path).map_err(|error| format!("{error}\n{help}"))? else {
        return Err(format!("`{file}` is missing\n{help}"));
    };
    let differences = unversioned(ours)?.differences(&unversioned(&theirs)?);
    if differences.is_empty() {
        return Ok(());
    }
    let mut problem = format!("`{file}` does not list the tasks of this program");
    for difference in differences {
        problem.push_str(&format!("\n  {difference}"));
    }
    Err(format!("{problem}\n{help}"))
}

/// The manifest without versions.
fn unversioned(manifest: &Manifest) -> Result<Manifest, String> {
    let tasks = manifest.tasks().iter().map(|entry| Entry {
        crate_version: String::new(),
        macros: String::new(),
        ..entry.clone()
    });
    let tasks = tasks.collect();
    Manifest::new(manifest.executable(), tasks).map_err(|error| error.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::manifest::samples;

    #[test]
    fn a_file_is_compared_or_written() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("bgtask.json");
        let ours = Manifest::new("test-0a1b2c", samples::all()).unwrap();
        let compare = |ours: &Manifest, overwrite| compare_with(ours, &path, "app", overwrite);

        let told = compare(&ours, false).unwrap_err();
        assert!(
            told.contains("is missing\nhelp: `BGTASK_MANIFEST=overwrite"),
            "{told}"
        );
        compare(&ours, true).unwrap();
        compare(&ours, false).unwrap();
        let written = Manifest::read(&path).unwrap().unwrap();
        assert_eq!(
            (written.executable(), written.tasks()),
            ("app", ours.tasks())
        );

        let mut released = samples::all();
        for entry in &mut released {
            entry.crate_version = "9.9.9".to_owned();
            entry.macros = "9.9.9".to_owned();
        }
        compare(&Manifest::new("test", released.clone()).unwrap(), false).unwrap();

        released.pop();
        released[0].declaration.options.priority = 7;
        let told = compare(&Manifest::new("test", released).unwrap(), false).unwrap_err();
        let lines: Vec<&str> = told.lines().collect();
        assert!(
            lines[0].ends_with("does not list the tasks of this program"),
            "{told}"
        );
        assert!(
            lines[1].contains("declared differently: priority is 7"),
            "{told}"
        );
        assert!(
            lines[2].ends_with("is no longer in the executable"),
            "{told}"
        );
        assert_eq!(lines.len(), 4, "{told}");

        std::fs::write(&path, "{}").unwrap();
        assert!(compare(&ours, false).unwrap_err().contains("help: "));
    }
}
