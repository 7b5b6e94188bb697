//! Where there is no bell thread: its sources are Linux's own.

use std::{io, sync::Arc};

/// Cannot be made here.
#[derive(Debug)]
pub(crate) enum Bell {}

impl Bell {
    /// Always [`io::ErrorKind::Unsupported`].
    pub(crate) fn start() -> io::Result<Arc<Self>> {
        Err(io::ErrorKind::Unsupported.into())
    }

    /// Never called: there is no bell.
    pub(crate) fn wakeups(&self) -> u64 {
        match *self {}
    }
}
