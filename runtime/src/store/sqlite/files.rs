//! The files of a store: their names, who may read them, and the turn of its writers.

use std::{
    fs::{File, OpenOptions},
    io::{Seek, SeekFrom, Write},
    path::{Path, PathBuf},
    sync::Arc,
};

use super::fault::{self, Fault, Sql};
use crate::{Code, Error};

/// Where the files of a store are.
#[derive(Clone, Debug)]
pub(super) struct Files {
    pub(super) database: PathBuf,
    pub(super) log: PathBuf,
    turn: PathBuf,
    pub(super) bell: PathBuf,
}

impl Files {
    pub(super) fn of(directory: &Path) -> Self {
        Self {
            database: directory.join("store.db"),
            log: directory.join("store.db-wal"),
            turn: directory.join("store.turn"),
            bell: directory.join("store.bell"),
        }
    }

    /// Makes what is missing, readable by its owner only. The engine gives its own files the
    /// mode of the database.
    pub(super) fn prepare(&self) -> Sql<(Turn, Bell)> {
        private_file(&self.database)?;
        let turn = Turn(Arc::new(private_file(&self.turn)?));
        let bell = Bell(private_file(&self.bell)?);
        Ok((turn, bell))
    }

    /// Refuses what the engine would take for a new database, and begin anew, though it is not.
    pub(super) fn refuse_beheaded(&self) -> Sql<()> {
        let refused = |what: &str| Err(Fault::Refused(fault::corrupt(&self.database).source(what)));
        let length = |path: &Path| path.metadata().map_or(0, |file| file.len());
        match length(&self.database) {
            0 if length(&self.log) > 0 => refused("it is empty, but its log is not"),
            // <https://sqlite.org/fileformat.html#page_size>
            1..512 => refused("it is shorter than any database"),
            _ => Ok(()),
        }
    }
}

/// Refuses a directory in which others could put files in place of ours. What is in ours is safe
/// from others' eyes by their own mode.
pub(super) fn check_directory(directory: &Path) -> crate::Result<()> {
    let refused = |rule: &str| {
        Error::new(
            Code::Directory,
            format!("the store's directory {} {rule}", directory.display()),
        )
    };
    let found = directory.metadata().map_err(|error| {
        refused("cannot be read")
            .source(error)
            .remedy("make it, for its owner only")
    })?;
    if !found.is_dir() {
        return Err(refused("is not a directory").remedy("move that file away"));
    }
    #[cfg(unix)]
    {
        use std::os::unix::fs::MetadataExt;
        if found.mode() & 0o022 != 0 {
            return Err(refused("can be changed by others")
                .remedy(format!("`chmod 700 {}`", directory.display())));
        }
        if found.uid() != rustix::process::geteuid().as_raw() {
            return Err(
                refused("belongs to another user").remedy("run the app as the user that owns it")
            );
        }
    }
    Ok(())
}

fn private_file(path: &Path) -> std::io::Result<File> {
    let mut options = OpenOptions::new();
    options.read(true).write(true).create(true).truncate(false);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let file = options.open(path)?;
    #[cfg(unix)]
    {
        use std::{fs::Permissions, os::unix::fs::PermissionsExt};
        if file.metadata()?.permissions().mode() & 0o077 != 0 {
            file.set_permissions(Permissions::from_mode(0o600))?;
        }
    }
    Ok(file)
}

/// Whose turn it is to write, among all processes. Writers queue up here, because the engine's
/// own lock is tried again after a sleep, and a busy writer starves the others.
#[derive(Debug)]
pub(super) struct Turn(Arc<File>);

impl Turn {
    /// Waits for the turn; it lasts until the value is dropped.
    pub(super) fn take(&self) -> std::io::Result<Taken> {
        self.0.lock()?;
        Ok(Taken(self.0.clone()))
    }
}

/// The turn, while it is ours.
#[derive(Debug)]
pub(super) struct Taken(Arc<File>);

impl Drop for Taken {
    fn drop(&mut self) {
        if let Err(error) = self.0.unlock() {
            tracing::warn!(%error, "the turn of the store's writers was not given back");
        }
    }
}

/// What tells other processes that something was committed. Their own logs and databases change
/// before a commit can be seen, so watching those would always be one commit late.
#[derive(Debug)]
pub(super) struct Bell(File);

impl Bell {
    pub(super) fn ring(&mut self) -> std::io::Result<()> {
        self.0.seek(SeekFrom::Start(0))?;
        self.0.write_all(b"!")
    }
}
