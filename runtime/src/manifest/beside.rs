//! Whether the file beside a running executable still says what the executable holds.

use std::path::Path;

use super::file::Manifest;

/// What was found beside the executable, and what became of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Freshness {
    /// The file lists the executable's tasks; or there is none, and this is not a debug build.
    Fresh,
    /// The file was missing or listed other tasks, and was written.
    Rewritten,
    /// The file lists other tasks, or cannot be read or written. The executable rules.
    Stale,
}

/// To be called once at launch: compares the file beside `executable` with `manifest`. A debug
/// build of bgtask writes the file where it is missing or stale; a release build warns, and takes
/// a missing file as it is. Never fails: the executable itself is what counts.
pub fn check_beside(executable: &Path, manifest: &Manifest) -> Freshness {
    check_beside_as(executable, manifest, cfg!(debug_assertions))
}

/// [`check_beside`], told whether to write.
fn check_beside_as(executable: &Path, manifest: &Manifest, write: bool) -> Freshness {
    let path = Manifest::path_for(executable);
    let why = match Manifest::read(&path) {
        Ok(None) if !write => return Freshness::Fresh,
        Ok(None) => String::new(),
        Ok(Some(file)) => {
            let differences = manifest.differences(&file);
            // Which id an executable runs under is the run's own affair, except that a debug run
            // states it in the file.
            let app_is_new = write && manifest.app().is_some() && manifest.app() != file.app();
            if differences.is_empty() && !app_is_new {
                return Freshness::Fresh;
            }
            let lines: Vec<String> = differences.iter().map(ToString::to_string).collect();
            lines.join("; ")
        }
        Err(error) => error.to_string(),
    };
    if !write {
        tracing::warn!(
            file = %path.display(),
            "the manifest file is older than the executable, or from another build: {why}; \
             the executable's own entries are used; write it anew with `cargo bgtask build`"
        );
        return Freshness::Stale;
    }
    match manifest.write_if_different(&path) {
        Ok(true) => Freshness::Rewritten,
        Ok(false) => Freshness::Fresh,
        Err(error) => {
            // A debug build started from a place that cannot be written is nothing unusual.
            tracing::debug!(%error, "the manifest file was not written");
            Freshness::Stale
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::manifest::samples;

    #[test]
    fn a_debug_run_writes_and_a_release_run_only_looks() {
        let dir = tempfile::tempdir().unwrap();
        let exe = dir.path().join("sample");
        let file = Manifest::path_for(&exe);
        let old = Manifest::new("sample", samples::all()[1..].to_vec()).unwrap();
        let new = Manifest::new("sample", samples::all())
            .unwrap()
            .with_app("a");

        assert_eq!(check_beside_as(&exe, &new, false), Freshness::Fresh);
        assert!(!file.exists());
        assert_eq!(check_beside_as(&exe, &old, true), Freshness::Rewritten);
        assert_eq!(check_beside_as(&exe, &new, false), Freshness::Stale);
        assert_eq!(Manifest::read(&file).unwrap(), Some(old.clone()));
        assert_eq!(check_beside_as(&exe, &new, true), Freshness::Rewritten);
        assert_eq!(check_beside_as(&exe, &new, true), Freshness::Fresh);
        assert_eq!(check_beside_as(&exe, &new, false), Freshness::Fresh);

        std::fs::write(&file, [0xff; 10]).unwrap();
        assert_eq!(check_beside_as(&exe, &new, false), Freshness::Stale);
        assert_eq!(check_beside_as(&exe, &new, true), Freshness::Rewritten);
        assert_eq!(Manifest::read(&file).unwrap(), Some(new.clone()));

        let nowhere = dir.path().join("missing").join("sample");
        assert_eq!(check_beside_as(&nowhere, &new, true), Freshness::Stale);
    }
}
