use std::io::{Cursor, Read, Seek};

use object::{
    Architecture, BinaryFormat, Endianness, SectionKind,
    write::{Object, StandardSection},
};

use super::*;
use crate::{Code, manifest::samples};

fn section() -> Vec<u8> {
    samples::all().iter().flat_map(Entry::to_frame).collect()
}

fn object_file(format: BinaryFormat, architecture: Architecture, endian: Endianness) -> Vec<u8> {
    let mut object = Object::new(format, architecture, endian);
    let (segment, name): (&[u8], &[u8]) = match format {
        BinaryFormat::MachO => (b"__DATA", b"__bgtask"),
        _ => (b"", b".bgtask"),
    };
    let text = object.section_id(StandardSection::Text);
    object.append_section_data(text, &[0x90; 64], 16);
    let id = object.add_section(segment.to_vec(), name.to_vec(), SectionKind::ReadOnlyData);
    object.append_section_data(id, &section(), 1);
    object.write().unwrap()
}

fn all_formats() -> Vec<Vec<u8>> {
    use Architecture::{Aarch64, I386, PowerPc64, X86_64};
    use Endianness::{Big, Little};
    [
        (BinaryFormat::Elf, X86_64, Little),
        (BinaryFormat::Elf, I386, Little),
        (BinaryFormat::Elf, PowerPc64, Big),
        (BinaryFormat::MachO, Aarch64, Little),
        (BinaryFormat::MachO, X86_64, Little),
        (BinaryFormat::Coff, X86_64, Little),
    ]
    .map(|(format, architecture, endian)| object_file(format, architecture, endian))
    .to_vec()
}

/// The form of `ar`, whose members start on even places.
fn archive_of(members: &[&[u8]]) -> Vec<u8> {
    let mut archive = b"!<arch>\n".to_vec();
    for (index, member) in members.iter().enumerate() {
        let name = format!("m{index}.o/");
        let header = format!(
            "{name:<16}{:<12}{:<6}{:<6}{:<8}{:<10}`\n",
            0,
            0,
            0,
            644,
            member.len()
        );
        archive.extend(header.as_bytes());
        archive.extend(*member);
        if archive.len() % 2 == 1 {
            archive.push(b'\n');
        }
    }
    archive
}

fn universal_of(parts: &[&[u8]]) -> Vec<u8> {
    let mut file = Vec::new();
    file.extend(0xcafe_babe_u32.to_be_bytes());
    file.extend((parts.len() as u32).to_be_bytes());
    let mut offset = 4096_u32;
    for part in parts {
        for field in [0x0100_000c, 0, offset, part.len() as u32, 12] {
            file.extend(field.to_be_bytes());
        }
        offset += 4096 * (part.len() as u32).div_ceil(4096);
    }
    for part in parts {
        file.resize(file.len().next_multiple_of(4096), 0);
        file.extend(*part);
    }
    file
}

fn read(bytes: &[u8]) -> Result<Vec<Entry>> {
    entries_of(Cursor::new(bytes))
}

#[test]
fn every_format_gives_its_tasks() {
    for bytes in all_formats() {
        assert_eq!(read(&bytes).unwrap(), samples::all());
    }
}

#[test]
fn an_archive_gives_the_tasks_of_its_members() {
    let elf = &all_formats()[0];
    let archive = archive_of(&[b"rust metadata", elf, b"BC\xc0\xde", elf]);
    let twice = [samples::all(), samples::all()].concat();
    assert_eq!(read(&archive).unwrap(), twice);
    for cut in (0..archive.len()).step_by(11) {
        if let Ok(entries) = read(&archive[..cut]) {
            assert!(entries.len() <= samples::all().len());
        }
    }
}

#[test]
fn an_archive_of_intermediate_code_alone_is_no_archive_without_tasks() {
    let archive = archive_of(&[b"rust metadata", b"BC\xc0\xde and more"]);
    let error = read(&archive).unwrap_err();
    assert!(error.rule().contains("intermediate code"), "{error}");
    assert!(error.help().unwrap().contains("without `lto`"), "{error}");
    assert_eq!(read(&archive_of(&[b"rust metadata"])).unwrap(), []);
}

#[test]
fn the_parts_of_a_universal_file_must_agree() {
    let formats = all_formats();
    let file = universal_of(&[&formats[3], &formats[4]]);
    assert_eq!(read(&file).unwrap(), samples::all());
    let empty = Object::new(
        BinaryFormat::MachO,
        Architecture::X86_64,
        Endianness::Little,
    );
    let file = universal_of(&[&formats[3], &empty.write().unwrap()]);
    assert!(read(&file).unwrap_err().rule().contains("different tasks"));
}

#[test]
fn without_section_headers_the_file_is_searched() {
    let mut bytes = all_formats()[0].clone();
    // Where the header of a 64-bit ELF file says how many section headers there are, and where.
    bytes[0x28..0x30].fill(0);
    bytes[0x3c..0x40].fill(0);
    assert_eq!(read(&bytes).unwrap(), samples::all());

    // Starts of entries that are none, as constants of a program that reads entries.
    let mut noisy = bytes[..64].to_vec();
    noisy.extend(b"\x02BGTASK\x02BGTASK1\x02\x02BGTASK9\x02 \x02BGTASK1\x02{}\x03\n\x02");
    // An entry that lies across two pieces of the search.
    noisy.resize(1024 * 1024 - 30, b'x');
    noisy.extend(section());
    noisy.extend(b"\x02BGTASK1\x02{");
    assert_eq!(read(&noisy).unwrap(), samples::all());
}

#[test]
fn a_cut_file_is_refused_or_has_fewer_tasks() {
    for bytes in all_formats() {
        for cut in (0..bytes.len()).step_by(5) {
            match read(&bytes[..cut]) {
                Ok(entries) => assert!(entries.len() <= samples::all().len()),
                Err(error) => assert_eq!(error.code(), Code::Manifest),
            }
        }
    }
}

#[test]
fn other_files_are_refused_with_their_name() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("thing");
    for content in [&b""[..], b"#!/bin/sh\nexit 0\n", b"\x7fELF", &[0xa5; 300]] {
        std::fs::write(&path, content).unwrap();
        let error = read_executable(&path).unwrap_err();
        assert_eq!(error.code(), Code::Manifest);
        assert!(error.rule().contains("thing"), "{error}");
    }
    let error = read_executable(dir.path()).unwrap_err();
    assert!(error.rule().contains("not a file"), "{error}");
    let error = read_executable(dir.path().join("missing")).unwrap_err();
    assert!(error.to_string().contains("cannot be read"), "{error}");
    // Longer than anything that is read, without taking any place on the disk.
    let file = std::fs::File::create(&path).unwrap();
    file.set_len(LARGEST_FILE + 1).unwrap();
    let error = read_executable(&path).unwrap_err();
    assert!(error.rule().contains("larger than"), "{error}");
}

#[test]
fn this_program_is_read_and_its_duplicates_are_refused() {
    // The test program itself has section headers, so its own constants are not taken for tasks.
    let own = read_executable(std::env::current_exe().unwrap()).unwrap();
    assert!(own.tasks().iter().all(|task| task.crate_name != "sample"));

    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("twice.rlib");
    let elf = &all_formats()[0];
    std::fs::write(&path, archive_of(&[elf, elf])).unwrap();
    let error = read_executable(&path).unwrap_err();
    assert_eq!(error.code(), Code::DuplicateName);
}

#[test]
fn links_are_followed_and_what_is_no_file_is_not_opened() {
    use rustix::fs::{CWD, FileType, Mode, mknodat};

    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("program");
    let link = dir.path().join("link");
    std::fs::write(&path, &all_formats()[0]).unwrap();
    std::os::unix::fs::symlink("program", &link).unwrap();
    assert_eq!(read_executable(&link).unwrap().tasks(), samples::all());

    std::fs::remove_file(&path).unwrap();
    let error = read_executable(&link).unwrap_err();
    assert!(error.to_string().contains("cannot be read"), "{error}");
    std::os::unix::fs::symlink("link", &path).unwrap();
    let error = read_executable(&link).unwrap_err();
    assert!(error.to_string().contains("cannot be read"), "{error}");

    // Opening a pipe that nobody writes to would wait for ever.
    std::fs::remove_file(&path).unwrap();
    mknodat(CWD, &path, FileType::Fifo, Mode::RUSR, 0).unwrap();
    for special in [&path, Path::new("/dev/zero")] {
        let error = read_executable(special).unwrap_err();
        assert!(error.rule().ends_with("it is not a file"), "{error}");
        let error = Manifest::read(special).unwrap_err();
        assert!(error.to_string().contains("it is not a file"), "{error}");
    }
}

/// A file that becomes shorter while it is read.
struct Shrinking {
    file: Cursor<Vec<u8>>,
    reads_left: usize,
}

impl Read for Shrinking {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        match self.reads_left.checked_sub(1) {
            Some(left) => self.reads_left = left,
            None => return Ok(0),
        }
        self.file.read(buffer)
    }
}

impl Seek for Shrinking {
    fn seek(&mut self, position: std::io::SeekFrom) -> std::io::Result<u64> {
        self.file.seek(position)
    }
}

#[test]
fn a_file_that_shrinks_while_it_is_read_is_refused() {
    for bytes in all_formats() {
        let read = |reads_left| {
            let file = Cursor::new(bytes.clone());
            entries_of(Shrinking { file, reads_left })
        };
        let enough = (0..100).find(|reads| read(*reads).is_ok()).unwrap();
        assert!(enough > 2, "{enough}");
        for reads in 0..enough {
            assert_eq!(read(reads).unwrap_err().code(), Code::Manifest);
        }
        assert_eq!(read(enough).unwrap(), samples::all());
    }
}

proptest::proptest! {
    #[test]
    fn damaged_files_never_panic(
        format in 0..6_usize,
        at in proptest::collection::vec((0..400_usize, proptest::num::u8::ANY), 1..8),
    ) {
        let mut bytes = all_formats()[format].clone();
        for (at, byte) in at {
            bytes[at] = byte;
        }
        if let Err(error) = read(&bytes) {
            proptest::prop_assert!(matches!(error.code(), Code::Manifest | Code::DuplicateName));
        }
    }
}
