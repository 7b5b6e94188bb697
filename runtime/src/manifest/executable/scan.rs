//! Searches a file that has no table of sections.

use std::io::{Read, Seek, SeekFrom};

use super::super::{
    Entry,
    collected::Collected,
    entry::{LONGEST_ENTRY, Next, next_frame},
    refusal::damaged,
};
use crate::Result;

/// What is searched at a time.
const PIECE: usize = 1024 * 1024;

/// The entries in a file, wherever they are. What looks like the start of an entry and is none may
/// be a constant of a program that reads entries, so it is passed over.
///
/// The time is in proportion to the length: no byte is looked at for more than one entry, except
/// where two pieces meet.
pub(super) fn scan(mut file: impl Read + Seek) -> Result<Vec<Entry>> {
    let failed = |error: std::io::Error| damaged("it cannot be searched").source(error);
    file.seek(SeekFrom::Start(0)).map_err(failed)?;
    let mut collected = Collected::default();
    let mut window = Vec::with_capacity(PIECE + LONGEST_ENTRY);
    loop {
        let read = file
            .by_ref()
            .take(PIECE as u64)
            .read_to_end(&mut window)
            .map_err(failed)?;
        let at_end = read < PIECE;
        let mut from = 0;
        loop {
            match next_frame(&window[from..]) {
                Next::Frame { json, end } => {
                    if let Ok(entry) = Entry::from_json(json) {
                        collected.add(entry, json.len())?;
                    }
                    from += end;
                }
                Next::Broken { start, .. } => from += start + 1,
                Next::Cut(start) if at_end => from += start + 1,
                Next::Cut(start) => {
                    from += start;
                    break;
                }
                Next::Nothing => {
                    from = window.len();
                    break;
                }
            }
        }
        if at_end {
            return Ok(collected.entries);
        }
        window.drain(..from);
    }
}
