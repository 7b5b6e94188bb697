//! The entries of one file, in bounded number and length.

use super::{
    Entry,
    refusal::{damaged, too_many},
};
use crate::Result;

/// No program has more tasks.
pub(super) const MOST_ENTRIES: usize = 10_000;
/// No program's entries are longer in all: what they become in memory is some times that.
const MOST_BYTES: usize = 16 * 1024 * 1024;

/// The entries that were found so far.
#[derive(Debug, Default)]
pub(super) struct Collected {
    pub(super) entries: Vec<Entry>,
    bytes: usize,
}

impl Collected {
    /// Adds an entry whose JSON has that many bytes.
    pub(super) fn add(&mut self, entry: Entry, bytes: usize) -> Result<()> {
        if self.entries.len() == MOST_ENTRIES {
            return Err(too_many());
        }
        self.bytes += bytes;
        if self.bytes > MOST_BYTES {
            let rule = format!("its task entries have more than {MOST_BYTES} bytes");
            return Err(damaged(rule).remedy("shorten the descriptions"));
        }
        self.entries.push(entry);
        Ok(())
    }
}
