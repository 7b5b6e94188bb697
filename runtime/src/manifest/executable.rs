//! Reads the entries out of an executable, without running it and without mapping it.

use std::{
    fs::File,
    io::{Read, Seek},
    path::Path,
};

use object::{
    FileKind, ReadRef,
    read::{
        archive::ArchiveFile,
        macho::{FatArch, MachOFatFile32, MachOFatFile64},
    },
};

use self::{
    scan::scan,
    sections::{broken, has_sections, task_sections},
    source::Source,
};
use super::{
    Entry, Manifest,
    collected::Collected,
    entry::read_section,
    refusal::{damaged, in_file, unreadable},
};
use crate::Result;

mod scan;
mod sections;
mod source;

/// No larger file is read.
const LARGEST_FILE: u64 = 2 * 1024 * 1024 * 1024;
/// No archive has more members.
const MOST_MEMBERS: usize = 100_000;
/// No universal file has more parts: there are a handful of processors.
const MOST_PARTS: usize = 16;

/// Reads the task manifest out of an executable, a dynamic library, an object file or an archive
/// such as an `.rlib`: ELF, Mach-O (universal ones too) or PE. A file of these kinds whose program
/// has no task gives a manifest without tasks, not an error.
///
/// The section is looked up by name, so stripped files are read as well. An ELF file whose section
/// headers were removed is searched for entries instead; if none is found there, nobody knows
/// whether it has tasks, and that is an error. So is an archive of intermediate code alone
/// (`-C linker-plugin-lto`), in which no entry can be found.
///
/// Files over 2 GiB are refused, and so is a program with more than 10,000 tasks. Whatever the
/// file says, less than 512 MiB of memory are used, and mostly very much less: the headers, their
/// names, and the entries, which have at most 16 MiB.
///
/// # Errors
///
/// [`Code::Manifest`](crate::Code::Manifest): the file cannot be read, is of another kind, is
/// damaged, or holds entries of another version;
/// [`Code::DuplicateName`](crate::Code::DuplicateName): two tasks have one name.
pub fn read_executable(path: impl AsRef<Path>) -> Result<Manifest> {
    let path = path.as_ref();
    let file = open(path)?;
    let name = path.file_name().unwrap_or(path.as_os_str());
    entries_of(file)
        .and_then(|entries| Manifest::new(name.to_string_lossy(), entries))
        .map_err(|error| in_file(path, error))
}

fn open(path: &Path) -> Result<File> {
    let metadata = std::fs::metadata(path).map_err(|error| unreadable(path, error))?;
    // Opening anything else, a pipe for one, could wait for ever.
    if !metadata.is_file() {
        return Err(in_file(path, damaged("it is not a file")));
    }
    if metadata.len() > LARGEST_FILE {
        let rule = format!("it is larger than {LARGEST_FILE} bytes and not read");
        let error = damaged(rule).remedy("name the program without its debugging information");
        return Err(in_file(path, error));
    }
    File::open(path).map_err(|error| unreadable(path, error))
}

pub(super) fn entries_of(file: impl Read + Seek) -> Result<Vec<Entry>> {
    let source = Source::new(file);
    let whole = source.whole();
    match FileKind::parse(whole) {
        Ok(FileKind::Archive) => archive(&source),
        Ok(FileKind::MachOFat32) => {
            let fat = MachOFatFile32::parse(whole).map_err(broken)?;
            universal(&source, fat.arches())
        }
        Ok(FileKind::MachOFat64) => {
            let fat = MachOFatFile64::parse(whole).map_err(broken)?;
            universal(&source, fat.arches())
        }
        Ok(kind) if has_sections(kind) => match task_sections(whole, kind)? {
            Some(sections) => read_sections(&sections),
            None => search(source.into_inner()),
        },
        _ => Err(damaged("it is no executable of a known kind")
            .remedy("name an ELF, Mach-O or PE file that a build made")),
    }
}

fn search(file: impl Read + Seek) -> Result<Vec<Entry>> {
    let entries = scan(file)?;
    if entries.is_empty() {
        let rule = "it has no section headers, and a search found no task: \
                    it may be packed, or have none";
        return Err(damaged(rule).remedy("name the program as the build made it"));
    }
    Ok(entries)
}

fn read_sections(sections: &[&[u8]]) -> Result<Vec<Entry>> {
    let mut collected = Collected::default();
    for section in sections {
        read_section(section, &mut collected)?;
    }
    Ok(collected.entries)
}

/// One program for several processors: all parts have to declare the same tasks.
fn universal<R: Read + Seek>(source: &Source<R>, arches: &[impl FatArch]) -> Result<Vec<Entry>> {
    if arches.is_empty() || arches.len() > MOST_PARTS {
        return Err(damaged(format!("it has {} parts", arches.len()))
            .remedy(format!("a universal file has 1 to {MOST_PARTS}")));
    }
    let mut first: Option<Vec<Entry>> = None;
    for arch in arches {
        let part = source.part(arch.file_range());
        let kind = FileKind::parse(part)
            .ok()
            .filter(|kind| has_sections(*kind));
        let kind = kind.ok_or_else(|| damaged("a part of it is of an unknown kind"))?;
        let sections = task_sections(part, kind)?;
        let sections = sections.ok_or_else(|| damaged("a part of it has no section headers"))?;
        let entries = read_sections(&sections)?;
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
fn archive<R: Read + Seek>(source: &Source<R>) -> Result<Vec<Entry>> {
    let archive = ArchiveFile::parse(source.whole()).map_err(broken)?;
    let mut collected = Collected::default();
    let mut is_readable = true;
    for (index, member) in archive.members().enumerate() {
        if index == MOST_MEMBERS {
            return Err(damaged(format!("it has more than {MOST_MEMBERS} members")));
        }
        let part = source.part(member.map_err(broken)?.file_range());
        let kind = FileKind::parse(part)
            .ok()
            .filter(|kind| has_sections(*kind));
        let Some(kind) = kind else {
            is_readable &= !is_intermediate(part);
            continue;
        };
        for section in task_sections(part, kind)?.unwrap_or_default() {
            read_section(section, &mut collected)?;
        }
    }
    if !is_readable && collected.entries.is_empty() {
        let rule = "it holds intermediate code, in which tasks cannot be found";
        return Err(damaged(rule).remedy(
            "read the program that is linked from it, or build the library without `lto`",
        ));
    }
    Ok(collected.entries)
}

/// What LLVM keeps for optimisation when the program is linked
/// (<https://llvm.org/docs/BitCodeFormat.html>).
fn is_intermediate<'data>(member: impl ReadRef<'data>) -> bool {
    member.read_bytes_at(0, 4) == Ok(b"BC\xc0\xde")
}

#[cfg(test)]
mod tests;
