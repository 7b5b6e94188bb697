//! Little packages, made and built to be measured.

use std::{
    fs, io,
    path::{Path, PathBuf},
    process::{Command, Stdio},
    time::Duration,
};

use nix::sys::resource::{UsageWho, getrusage};

/// A workspace below the target folder, kept from one run to the next, so that what its packages
/// depend on is built once.
pub(crate) struct Workspace {
    folder: PathBuf,
}

impl Workspace {
    /// `dependencies` are lines of `[workspace.dependencies]` beside `bgtask`.
    pub(crate) fn new(name: &str, dependencies: &str) -> io::Result<Self> {
        let repository = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
        let folder = repository.join("target").join(name);
        fs::create_dir_all(&folder)?;
        let runtime = repository.join("runtime").canonicalize()?;
        let manifest = format!(
            "[workspace]\nresolver = \"3\"\nmembers = [\"*\"]\nexclude = [\"target\"]\n\n\
             [workspace.dependencies]\nbgtask.path = {runtime:?}\n{dependencies}"
        );
        write(&folder.join("Cargo.toml"), &manifest)?;
        // The same versions as here.
        if !folder.join("Cargo.lock").exists() {
            fs::copy(repository.join("Cargo.lock"), folder.join("Cargo.lock"))?;
        }
        Ok(Self { folder })
    }

    /// Makes a package of these source files; `dependencies` are lines of `[dependencies]`.
    pub(crate) fn package(
        &self,
        name: &str,
        dependencies: &str,
        sources: &[(String, String)],
    ) -> io::Result<()> {
        let folder = self.folder.join(name);
        let manifest = format!(
            "[package]\nname = \"{name}\"\nversion = \"0.1.0\"\nedition = \"2024\"\n\n\
             [dependencies]\n{dependencies}"
        );
        write(&folder.join("Cargo.toml"), &manifest)?;
        for (file, text) in sources {
            write(&folder.join("src").join(file), text)?;
        }
        Ok(())
    }

    /// Makes cargo believe that a source file has changed.
    pub(crate) fn touch(&self, package: &str, file: &str) -> io::Result<()> {
        let file = self.folder.join(package).join("src").join(file);
        fs::write(&file, fs::read(&file)?)
    }

    pub(crate) fn edit(&self, package: &str, file: &str, text: &str) -> io::Result<()> {
        fs::write(self.folder.join(package).join("src").join(file), text)
    }

    /// The CPU time of one cargo command and of all that it starts.
    pub(crate) fn cargo(&self, arguments: &[&str], incremental: bool) -> io::Result<Duration> {
        let before = spent()?;
        let output = Command::new("cargo")
            .args(arguments)
            .current_dir(&self.folder)
            .env("CARGO_INCREMENTAL", if incremental { "1" } else { "0" })
            .env_remove("CARGO_TARGET_DIR")
            .stdin(Stdio::null())
            .output()?;
        if !output.status.success() {
            let told = String::from_utf8_lossy(&output.stderr);
            return Err(io::Error::other(format!("cargo {arguments:?}:\n{told}")));
        }
        Ok(spent()?.saturating_sub(before))
    }

    /// What `cargo build` made of a package.
    pub(crate) fn executable(&self, package: &str, profile: &str) -> PathBuf {
        self.folder.join("target").join(profile).join(package)
    }
}

/// Leaves a file as it is if it says this already, so that cargo builds nothing anew.
fn write(path: &Path, text: &str) -> io::Result<()> {
    if fs::read(path).is_ok_and(|there| there == text.as_bytes()) {
        return Ok(());
    }
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder)?;
    }
    fs::write(path, text)
}

/// CPU time of all ended children and of theirs.
fn spent() -> io::Result<Duration> {
    let usage = getrusage(UsageWho::RUSAGE_CHILDREN)?;
    let time = |time: nix::sys::time::TimeVal| {
        let micros = time.tv_sec() * 1_000_000 + time.tv_usec();
        Duration::from_micros(u64::try_from(micros).unwrap_or_default())
    };
    Ok(time(usage.user_time()) + time(usage.system_time()))
}
