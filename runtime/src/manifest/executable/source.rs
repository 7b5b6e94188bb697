//! A file as the parsers of executables see it.

use std::{cell::Cell, ops::Range};

use object::{
    ReadRef,
    read::{ReadCache, ReadCacheOps, ReadCacheRange},
};

/// What may be asked for in all: headers, tables of names and symbols, and the section.
const MOST_READ: u64 = 256 * 1024 * 1024;
/// What keeping one piece costs beside its bytes.
const PIECE: u64 = 128;

/// A file that is read piece by piece. Each piece is kept, and a damaged header can ask for
/// anything, so what may be asked for is bounded.
#[derive(Debug)]
pub(super) struct Source<R: ReadCacheOps> {
    pieces: ReadCache<R>,
    left: Cell<u64>,
}

/// A range of a [`Source`], which bounds all its parts together.
#[derive(Debug)]
pub(super) struct Part<'s, R: ReadCacheOps> {
    range: ReadCacheRange<'s, R>,
    left: &'s Cell<u64>,
}

impl<R: ReadCacheOps> Source<R> {
    pub(super) fn new(file: R) -> Self {
        Self {
            pieces: ReadCache::new(file),
            left: Cell::new(MOST_READ),
        }
    }

    pub(super) fn whole(&self) -> Part<'_, R> {
        let length = (&self.pieces).len().unwrap_or(0);
        self.part((0, length))
    }

    pub(super) fn part(&self, (offset, size): (u64, u64)) -> Part<'_, R> {
        Part {
            range: self.pieces.range(offset, size),
            left: &self.left,
        }
    }

    pub(super) fn into_inner(self) -> R {
        self.pieces.into_inner()
    }
}

impl<R: ReadCacheOps> Part<'_, R> {
    fn spend(self, bytes: u64) -> Result<(), ()> {
        let left = self.left.get().checked_sub(bytes.saturating_add(PIECE));
        self.left.set(left.unwrap_or(0));
        left.map(drop).ok_or(())
    }
}

impl<R: ReadCacheOps> Clone for Part<'_, R> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<R: ReadCacheOps> Copy for Part<'_, R> {}

impl<'s, R: ReadCacheOps> ReadRef<'s> for Part<'s, R> {
    fn len(self) -> Result<u64, ()> {
        self.range.len()
    }

    fn read_bytes_at(self, offset: u64, size: u64) -> Result<&'s [u8], ()> {
        // Before anything is read: room for the piece is made first.
        self.spend(size)?;
        self.range.read_bytes_at(offset, size)
    }

    fn read_bytes_at_until(self, range: Range<u64>, delimiter: u8) -> Result<&'s [u8], ()> {
        let bytes = self.range.read_bytes_at_until(range, delimiter)?;
        self.spend(bytes.len() as u64)?;
        Ok(bytes)
    }
}
