//! The module of the manifest, as bgtask has it, and nothing else of bgtask: no store, no runtime.

#![allow(dead_code, reason = "the rest of bgtask uses what is not used here")]

use std::alloc::System;

use cap::Cap;

#[path = "../../src/error.rs"]
mod error;

#[path = "../../src/manifest"]
mod manifest {
    mod collected;
    mod difference;
    mod entry;
    mod executable;
    mod file;
    mod refusal;

    pub use entry::Entry;
    pub use file::Manifest;

    /// The entries in the bytes of an executable.
    pub fn read_executable(bytes: &[u8]) -> crate::Result<Vec<Entry>> {
        executable::entries_of(std::io::Cursor::new(bytes))
    }
}

pub use error::{Code, Error, Result};
pub use manifest::{Entry, Manifest, read_executable};

/// Ends a target that holds more at once than any input may make it hold.
#[global_allocator]
static ALLOCATOR: Cap<System> = Cap::new(System, 512 * 1024 * 1024);
