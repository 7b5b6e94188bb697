//! The manifest of the running program: the entries that its registrations refer to.

use super::{Entry, Manifest};
use crate::{Result, body::Linked};

impl Manifest {
    /// The tasks linked into the running program, from the same bytes that
    /// [`read_executable`](super::read_executable) finds in its file.
    ///
    /// # Errors
    ///
    /// [`Code::DuplicateName`](crate::Code::DuplicateName): two tasks have one name;
    /// [`Code::Manifest`](crate::Code::Manifest): an entry was made by another version of bgtask.
    pub fn of_this_program() -> Result<Self> {
        let linked = inventory::iter::<Linked>.into_iter();
        let entries = linked.map(|linked| Entry::from_frame(linked.entry));
        let path = std::env::current_exe().unwrap_or_default();
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        Self::new(name, entries.collect::<Result<_>>()?)
    }
}
