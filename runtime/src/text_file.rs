//! A file that a user writes by hand, read whole.

use std::{
    fs::OpenOptions,
    io::{self, Read},
    os::unix::fs::OpenOptionsExt,
    path::Path,
};

/// The text of a file of at most so many KiB. What is no file of text is not waited for.
pub(crate) fn read(path: &Path, largest: u64) -> io::Result<String> {
    // A pipe in its place would block who opens it.
    let flags = rustix::fs::OFlags::NONBLOCK.bits();
    let flags = i32::try_from(flags).unwrap_or_default();
    let file = OpenOptions::new()
        .read(true)
        .custom_flags(flags)
        .open(path)?;
    if !file.metadata()?.is_file() {
        return Err(io::Error::other("it is not a file"));
    }
    let mut bytes = Vec::new();
    file.take(largest * 1024 + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > largest * 1024 {
        return Err(io::Error::other(format!("it is larger than {largest} KiB")));
    }
    String::from_utf8(bytes).map_err(|_| io::Error::other("it is not UTF-8"))
}
