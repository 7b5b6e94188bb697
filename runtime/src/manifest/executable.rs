//! Reads the entries out of an executable, without running it and without mapping it.

use std::{
    fs::File,
    io::{self, BufReader, Read, Seek, SeekFrom},
    path::Path,
};

use object::{
    FileKind, Object, ObjectSection, ReadRef,
    read::{
        ReadCache,
        archive::ArchiveFile,
        elf::{FileHeader, SectionHeader},
        macho::{FatArch, MachOFatFile32, MachOFatFile64},
    },
};

use super::{
    Entry, Manifest,
    entry::{LONGEST_ENTRY, MOST_ENTRIES, Next, damaged, next_frame, read_section},
};
use crate::{Error, Result};

/// No larger file is read.
const LARGEST_FILE: u64 = 2 * 1024 * 1024 * 1024;
/// No larger section is read.
const LARGEST_SECTION: u64 = 64 * 1024 * 1024;
/// What may be read of a file beside a scan: headers, symbol tables and the section.
const MOST_READ: u64 = 512 * 1024 * 1024;
/// No archive has more members that are looked at.
const MOST_MEMBERS: usize = 100_000;

/// Reads the task manifest out of an executable, a dynamic library, an object file or an archive
/// such as an `.rlib`: ELF, Mach-O (universal ones too) or PE. No task is found in a file of these
/// kinds whose program has none; that is a manifest without tasks, not an error.
///
/// The section is looked up by name, so stripped files are read as well. An ELF file whose section
/// headers were removed is searched for entries instead. Files over 2 GiB are refused.
///
/// # Errors
///
/// [`Code::Manifest`](crate::Code::Manifest): the file cannot be read, is of another kind, is
/// damaged, or holds entries of another version;
/// [`Code::DuplicateName`](crate::Code::DuplicateName): two tasks have one name.
pub fn read_executable(path: impl AsRef<Path>) -> Result<Manifest> {
    let path = path.as_ref();
    let entries = open(path)
        .and_then(|file| entries_of(file).map_err(Failure::Of))
        .map_err(|failure| match failure {
            Failure::Io(error) => {
                damaged(format!("`{}` cannot be read", path.display())).source(error)
            }
            Failure::Of(error) => in_file(path, error),
        })?;
    let name = path.file_name().unwrap_or(path.as_os_str());
    Manifest::new(name.to_string_lossy(), entries)
}

enum Failure {
    Io(io::Error),
    Of(Error),
}

/// Says which file an error is about.
fn in_file(path: &Path, error: Error) -> Error {
    let mut named = Error::new(
        error.code(),
        format!("`{}`: {}", path.display(), error.rule()),
    );
    if let Some(task) = error.task_name() {
        named = named.task(task);
    }
    if let Some(help) = error.help() {
        named = named.remedy(help);
    }
    match std::error::Error::source(&error) {
        Some(source) => named.source(source.to_string()),
        None => named,
    }
}

fn open(path: &Path) -> Result<File, Failure> {
    let metadata = std::fs::metadata(path).map_err(Failure::Io)?;
    // Opening anything else, a pipe for one, could wait for ever.
    if !metadata.is_file() {
        return Err(Failure::Of(damaged("it is not a file")));
    }
    if metadata.len() > LARGEST_FILE {
        return Err(Failure::Of(damaged(format!(
            "it is larger than {LARGEST_FILE} bytes and not read"
        ))));
    }
    File::open(path).map_err(Failure::Io)
}

/// What a part of a file holds.
enum Found {
    /// The task sections' bytes, one after the other.
    Sections(Vec<u8>),
    /// There are no section headers to look in.
    NoHeaders,
}

fn entries_of(file: impl Read + Seek) -> Result<Vec<Entry>> {
    let cache = ReadCache::new(Limited {
        inner: BufReader::new(file),
        left: MOST_READ,
    });
    let found = match kind_of(&cache) {
        Some(FileKind::Archive) => return archive(&cache),
        Some(FileKind::MachOFat32) => {
            let fat = MachOFatFile32::parse(&cache).map_err(unreadable)?;
            return universal(&cache, fat.arches());
        }
        Some(FileKind::MachOFat64) => {
            let fat = MachOFatFile64::parse(&cache).map_err(unreadable)?;
            return universal(&cache, fat.arches());
        }
        Some(kind) => sections_of(&cache, kind)?,
        None => {
            return Err(damaged("it is no executable of a known kind")
                .remedy("name an ELF, Mach-O or PE file that a build made"));
        }
    };
    match found {
        Found::Sections(bytes) => read_section(&bytes),
        Found::NoHeaders => scan(cache.into_inner().inner),
    }
}

/// The kind of file, or `None` for one that cannot hold entries.
fn kind_of<'data>(data: impl ReadRef<'data>) -> Option<FileKind> {
    FileKind::parse(data).ok().filter(|kind| {
        matches!(
            kind,
            FileKind::Archive
                | FileKind::Coff
                | FileKind::CoffBig
                | FileKind::Elf32
                | FileKind::Elf64
                | FileKind::MachO32
                | FileKind::MachO64
                | FileKind::MachOFat32
                | FileKind::MachOFat64
                | FileKind::Pe32
                | FileKind::Pe64
        )
    })
}

fn sections_of<'data, R: ReadRef<'data>>(data: R, kind: FileKind) -> Result<Found> {
    match kind {
        FileKind::Elf32 => elf::<object::elf::FileHeader32<object::Endianness>, R>(data),
        FileKind::Elf64 => elf::<object::elf::FileHeader64<object::Endianness>, R>(data),
        _ => other(data),
    }
}

/// Looks at section headers only: the symbol table of a large program is larger than all the rest
/// that is of interest here.
fn elf<'data, H: FileHeader<Endian = object::Endianness>, R: ReadRef<'data>>(
    data: R,
) -> Result<Found> {
    let header = H::parse(data).map_err(unreadable)?;
    let endian = header.endian().map_err(unreadable)?;
    let sections = header.sections(endian, data).map_err(unreadable)?;
    if sections.is_empty() {
        return Ok(Found::NoHeaders);
    }
    let mut bytes = Vec::new();
    for section in sections.iter() {
        let name = sections.section_name(endian, section).map_err(unreadable)?;
        if name == b".bgtask"
            && let Some(range) = section.file_range(endian)
        {
            take(data, range, &mut bytes)?;
        }
    }
    Ok(Found::Sections(bytes))
}

fn other<'data, R: ReadRef<'data>>(data: R) -> Result<Found> {
    let file = object::File::parse(data).map_err(unreadable)?;
    let mut bytes = Vec::new();
    for section in file.sections() {
        let name = section.name_bytes().map_err(unreadable)?;
        if (name == b".bgtask" || name == b"__bgtask")
            && let Some(range) = section.file_range()
        {
            take(data, range, &mut bytes)?;
        }
    }
    Ok(Found::Sections(bytes))
}

fn take<'data>(data: impl ReadRef<'data>, range: (u64, u64), bytes: &mut Vec<u8>) -> Result<()> {
    let (offset, size) = range;
    if size.saturating_add(bytes.len() as u64) > LARGEST_SECTION {
        return Err(damaged(format!(
            "its task section is larger than {LARGEST_SECTION} bytes"
        )));
    }
    let section = data
        .read_bytes_at(offset, size)
        .map_err(|()| damaged("its task section does not lie inside the file"))?;
    bytes.extend_from_slice(section);
    Ok(())
}

/// One program for several processors: all parts have to declare the same tasks.
fn universal<R: Read + Seek>(cache: &ReadCache<R>, arches: &[impl FatArch]) -> Result<Vec<Entry>> {
    let mut first: Option<Vec<Entry>> = None;
    // There are a handful of processors, whatever the header says.
    for arch in arches.iter().take(16) {
        let (offset, size) = arch.file_range();
        let part = cache.range(offset, size);
        let kind = kind_of(part).ok_or_else(|| damaged("a part of it is of an unknown kind"))?;
        let Found::Sections(bytes) = sections_of(part, kind)? else {
            return Err(damaged("a part of it has no section headers"));
        };
        let entries = read_section(&bytes)?;
        match &first {
            None => first = Some(entries),
            Some(before) if *before == entries => {}
            Some(_) => {
                return Err(damaged(
                    "its parts for different processors have different tasks",
                ));
            }
        }
    }
    Ok(first.unwrap_or_default())
}

/// Members that are no object files are the compiler's own, or hold intermediate code.
fn archive<R: Read + Seek>(cache: &ReadCache<R>) -> Result<Vec<Entry>> {
    let archive = ArchiveFile::parse(cache).map_err(unreadable)?;
    let mut entries = Vec::new();
    for member in archive.members().take(MOST_MEMBERS) {
        let (offset, size) = member.map_err(unreadable)?.file_range();
        let part = cache.range(offset, size);
        let Some(kind) = kind_of(part) else { continue };
        if matches!(
            kind,
            FileKind::Archive | FileKind::MachOFat32 | FileKind::MachOFat64
        ) {
            continue;
        }
        if let Found::Sections(bytes) = sections_of(part, kind)? {
            entries.extend(read_section(&bytes)?);
        }
        if entries.len() > MOST_ENTRIES {
            return Err(damaged(format!("there are more than {MOST_ENTRIES} tasks")));
        }
    }
    Ok(entries)
}

/// Searches the whole file. What looks like the start of an entry and is none may be a constant
/// of a program that reads entries, so it is passed over.
fn scan(mut file: impl Read + Seek) -> Result<Vec<Entry>> {
    const PIECE: usize = 1024 * 1024;
    let failed = |error: io::Error| damaged("it cannot be searched").source(error);
    file.seek(SeekFrom::Start(0)).map_err(failed)?;
    let mut entries = Vec::new();
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
                    match Entry::from_json(json) {
                        Ok(entry) => {
                            entries.push(entry);
                            from += end;
                        }
                        // Another entry may start inside of what was none.
                        Err(_) => from += 1 + start_of(&window[from..]),
                    }
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
            return Ok(entries);
        }
        if entries.len() > MOST_ENTRIES {
            return Err(damaged(format!("there are more than {MOST_ENTRIES} tasks")));
        }
        window.drain(..from);
    }
}

fn start_of(bytes: &[u8]) -> usize {
    bytes.iter().position(|byte| *byte == 2).unwrap_or(0)
}

fn unreadable(error: object::Error) -> Error {
    damaged("it is damaged or cut off").source(error)
}

/// Ends reading when a damaged header asks for more than any program needs.
struct Limited<R> {
    inner: R,
    left: u64,
}

impl<R: Read> Read for Limited<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.inner.read(buffer)?;
        self.left = self
            .left
            .checked_sub(read as u64)
            .ok_or_else(|| io::Error::other("too much was asked for"))?;
        Ok(read)
    }
}

impl<R: Seek> Seek for Limited<R> {
    fn seek(&mut self, position: SeekFrom) -> io::Result<u64> {
        self.inner.seek(position)
    }
}

#[cfg(test)]
mod tests;
