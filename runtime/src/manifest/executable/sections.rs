//! Where a file says that its task sections lie.
//!
//! Only the headers of sections are looked at: the symbol table of a large program is larger than
//! all the rest that is of interest here.

use object::{
    Endianness, FileKind, ReadRef,
    elf::{FileHeader32, FileHeader64},
    macho::{MachHeader32, MachHeader64},
    pe::{
        AnonObjectHeaderBigobj, ImageDosHeader, ImageFileHeader, ImageNtHeaders32, ImageNtHeaders64,
    },
    read::{
        coff::CoffHeader,
        elf::{FileHeader, SectionHeader},
        macho::{MachHeader, Section, Segment},
        pe::ImageNtHeaders,
    },
};

use super::super::refusal::damaged;
use crate::{Error, Result};

/// No larger section is read.
const LARGEST_SECTION: u64 = 64 * 1024 * 1024;

/// An offset and a size in a file, or a section that has bytes only where the program runs.
type Place = Option<(u64, u64)>;

/// The bytes of the task sections; `None` if there are no section headers to look in.
pub(super) fn task_sections<'data, R: ReadRef<'data>>(
    data: R,
    kind: FileKind,
) -> Result<Option<Vec<&'data [u8]>>> {
    let places = match kind {
        FileKind::Elf32 => elf::<FileHeader32<Endianness>, R>(data),
        FileKind::Elf64 => elf::<FileHeader64<Endianness>, R>(data),
        FileKind::MachO32 => macho::<MachHeader32<Endianness>, R>(data).map(Some),
        FileKind::MachO64 => macho::<MachHeader64<Endianness>, R>(data).map(Some),
        FileKind::Pe32 => pe::<ImageNtHeaders32, R>(data).map(Some),
        FileKind::Pe64 => pe::<ImageNtHeaders64, R>(data).map(Some),
        FileKind::CoffBig => coff::<AnonObjectHeaderBigobj, R>(data).map(Some),
        _ => coff::<ImageFileHeader, R>(data).map(Some),
    };
    let places = places.map_err(broken)?;
    places.map(|places| read(data, &places)).transpose()
}

/// Whether [`task_sections`] reads files of this kind.
pub(super) fn has_sections(kind: FileKind) -> bool {
    matches!(
        kind,
        FileKind::Coff
            | FileKind::CoffBig
            | FileKind::Elf32
            | FileKind::Elf64
            | FileKind::MachO32
            | FileKind::MachO64
            | FileKind::Pe32
            | FileKind::Pe64
    )
}

fn elf<'data, H: FileHeader, R: ReadRef<'data>>(data: R) -> object::Result<Option<Vec<Place>>> {
    let header = H::parse(data)?;
    let endian = header.endian()?;
    let sections = header.sections(endian, data)?;
    if sections.is_empty() {
        return Ok(None);
    }
    let mut places = Vec::new();
    for section in sections.iter() {
        if sections.section_name(endian, section)? == b".bgtask" {
            let empty = section.sh_size(endian).into() == 0;
            places.push(section.file_range(endian).or(empty.then_some((0, 0))));
        }
    }
    Ok(Some(places))
}

fn macho<'data, H: MachHeader, R: ReadRef<'data>>(data: R) -> object::Result<Vec<Place>> {
    let header = H::parse(data, 0)?;
    let endian = header.endian()?;
    let mut commands = header.load_commands(endian, data, 0)?;
    let mut places = Vec::new();
    while let Some(command) = commands.next()? {
        let Some((segment, sections)) = H::Segment::from_command(command)? else {
            continue;
        };
        for section in segment.sections(endian, sections)? {
            if section.name() == b"__bgtask" {
                let offset = section.offset(endian).into();
                let place = section.file_range(endian, offset);
                // A file of debugging information repeats the headers of the program.
                places.push(place.filter(|(offset, size)| *offset > 0 || *size == 0));
            }
        }
    }
    Ok(places)
}

fn pe<'data, H: ImageNtHeaders, R: ReadRef<'data>>(data: R) -> object::Result<Vec<Place>> {
    let mut offset = ImageDosHeader::parse(data)?.nt_headers_offset().into();
    let (headers, _) = H::parse(data, &mut offset)?;
    let sections = headers.sections(data, offset)?;
    let ours = sections
        .iter()
        .filter(|section| section.raw_name() == b".bgtask");
    let place = |(offset, size): (u32, u32)| (offset.into(), size.into());
    Ok(ours
        .map(|section| Some(place(section.pe_file_range())))
        .collect())
}

fn coff<'data, H: CoffHeader, R: ReadRef<'data>>(data: R) -> object::Result<Vec<Place>> {
    let mut offset = 0;
    let sections = H::parse(data, &mut offset)?.sections(data, offset)?;
    let ours = sections
        .iter()
        .filter(|section| section.raw_name() == b".bgtask");
    let place = |(offset, size): (u32, u32)| (offset.into(), size.into());
    Ok(ours
        .map(|section| section.coff_file_range().map(place))
        .collect())
}

fn read<'data>(data: impl ReadRef<'data>, places: &[Place]) -> Result<Vec<&'data [u8]>> {
    let mut left = LARGEST_SECTION;
    let mut sections = Vec::new();
    for place in places {
        let Some((offset, size)) = *place else {
            let rule = "it has only debugging information: its task section is empty";
            return Err(damaged(rule).remedy("name the program that belongs to it"));
        };
        left = left.checked_sub(size).ok_or_else(|| {
            damaged(format!(
                "its task section is larger than {LARGEST_SECTION} bytes"
            ))
        })?;
        let section = data.read_bytes_at(offset, size).map_err(|()| {
            damaged("its task section lies outside the file, or the file asks for too much")
        })?;
        sections.push(section);
    }
    Ok(sections)
}

pub(super) fn broken(error: object::Error) -> Error {
    damaged("it is damaged or cut off")
        .source(error)
        .remedy("build it anew, or copy it again")
}
