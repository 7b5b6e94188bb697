//! What goes wrong with the database, as the runtime's errors: each says what to do.

use std::{fmt, path::Path};

use rusqlite::ErrorCode;

use crate::{Code, Error};

/// Why a statement, or a row that was read, could not be used.
#[derive(Debug)]
pub(super) enum Fault {
    /// The engine's own error.
    Engine(rusqlite::Error),
    /// A file beside the database could not be used.
    File(std::io::Error),
    /// A stored value is not what this version writes.
    Value(String),
    /// The caller's data, refused before anything was written.
    Refused(Error),
}

/// The result of a statement.
pub(super) type Sql<T> = Result<T, Fault>;

impl From<rusqlite::Error> for Fault {
    fn from(error: rusqlite::Error) -> Self {
        Self::Engine(error)
    }
}

impl From<std::io::Error> for Fault {
    fn from(error: std::io::Error) -> Self {
        Self::File(error)
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Engine(error) => error.fmt(f),
            Self::File(error) => error.fmt(f),
            Self::Value(what) => f.write_str(what),
            Self::Refused(error) => f.write_str(error.rule()),
        }
    }
}

impl Fault {
    /// The runtime's error, for the store at `path`.
    pub(super) fn into_error(self, path: &Path) -> Error {
        match self {
            Self::Engine(error) => of_engine(error, path),
            Self::File(error) => of_file(error, path),
            Self::Value(what) => corrupt(path).source(what),
            Self::Refused(error) => error,
        }
    }
}

/// The file is damaged. Nothing was changed in it.
pub(super) fn corrupt(path: &Path) -> Error {
    Error::new(
        Code::StoreCorrupt,
        format!("the store {} is damaged", path.display()),
    )
    .remedy(format!(
        "it was left as it is: copy it together with its `-wal` file, try `sqlite3 {0} .recover`, \
         or move all of `{0}*` away to begin with an empty store",
        path.display()
    ))
}

fn of_engine(error: rusqlite::Error, path: &Path) -> Error {
    match error.sqlite_error_code() {
        Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase) => corrupt(path).source(error),
        Some(ErrorCode::DiskFull) => full(path).source(error),
        Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => Error::new(
            Code::Store,
            format!("another program holds the store {} locked", path.display()),
        )
        .remedy("close programs that have it open for writing, such as the `sqlite3` shell")
        .source(error),
        Some(ErrorCode::PermissionDenied | ErrorCode::CannotOpen | ErrorCode::ReadOnly) => {
            unusable(path)
                .remedy("check that it and its directory belong to you and can be written")
                .source(error)
        }
        _ if matches!(
            error,
            rusqlite::Error::FromSqlConversionFailure(..)
                | rusqlite::Error::IntegralValueOutOfRange(..)
                | rusqlite::Error::InvalidColumnType(..)
                | rusqlite::Error::Utf8Error(..)
        ) =>
        {
            corrupt(path).source(error)
        }
        _ => unusable(path)
            .remedy("what was acknowledged is kept; check the disk, then start again")
            .source(error),
    }
}

fn of_file(error: std::io::Error, path: &Path) -> Error {
    if error.kind() == std::io::ErrorKind::StorageFull {
        return full(path).source(error);
    }
    unusable(path)
        .remedy("check that it and its directory belong to you and can be written")
        .source(error)
}

fn full(path: &Path) -> Error {
    Error::new(
        Code::StoreFull,
        format!("no space is left for the store {}", path.display()),
    )
    .remedy("free some space; what was acknowledged is kept, and the store goes on by itself")
}

fn unusable(path: &Path) -> Error {
    Error::new(
        Code::Store,
        format!("the store {} cannot be used", path.display()),
    )
}
