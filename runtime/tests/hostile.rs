//! Files that ask for much: what each is told, and that none of them makes the reader hold more
//! memory than the documentation of `read_executable` says.

use std::{alloc::System, fs::File, os::unix::fs::FileExt, path::Path, process::Command};

use bgtask::manifest::{Entry, Manifest, read_executable};
use cap::Cap;

#[global_allocator]
static MEMORY: Cap<System> = Cap::new(System, usize::MAX);

const MIB: u64 = 1024 * 1024;
/// What the documentation says of an executable.
const EXECUTABLE_HOLDS: u64 = 512 * MIB;
/// A manifest file itself, and little more: none of these has more than 21 MiB.
const FILE_HOLDS: u64 = 40 * MIB;

/// A file that takes no place on the disk where nothing is written.
struct Sparse(File);

impl Sparse {
    fn new(path: &Path, length: u64) -> Self {
        let file = File::create(path).unwrap();
        file.set_len(length).unwrap();
        Self(file)
    }

    fn with(self, offset: u64, bytes: &[u8]) -> Self {
        self.0.write_all_at(bytes, offset).unwrap();
        self
    }
}

/// The header of a 64-bit ELF file; see the System V ABI, chapter 4.
fn elf(sections_at: u64, sections: u16, names: u16) -> Vec<u8> {
    let mut header = b"\x7fELF\x02\x01\x01".to_vec();
    header.resize(16, 0);
    header.extend([2, 0, 62, 0, 1, 0, 0, 0]);
    header.extend([0; 16]);
    header.extend(sections_at.to_le_bytes());
    header.extend([0, 0, 0, 0, 64, 0, 56, 0, 0, 0, 64, 0]);
    header.extend(sections.to_le_bytes());
    header.extend(names.to_le_bytes());
    header
}

fn elf_section(name: u32, kind: u32, offset: u64, size: u64) -> Vec<u8> {
    let mut section = name.to_le_bytes().to_vec();
    section.extend(kind.to_le_bytes());
    section.extend([0; 16]);
    section.extend(offset.to_le_bytes());
    section.extend(size.to_le_bytes());
    section.resize(64, 0);
    section
}

/// An ELF file whose task sections are those ranges.
fn elf_of(path: &Path, length: u64, ranges: &[(u64, u64)]) {
    let mut sections = elf_section(0, 0, 0, 0);
    sections.extend(elf_section(0, 3, 64, 16));
    for (offset, size) in ranges {
        sections.extend(elf_section(1, 1, *offset, *size));
    }
    let count = u16::try_from(ranges.len() + 2).unwrap();
    Sparse::new(path, length)
        .with(0, &elf(128, count, 1))
        .with(64, b"\0.bgtask\0")
        .with(128, &sections);
}

fn entry(number: usize) -> Entry {
    let json = format!(
        "{{\"name\":\"task_{number}\",\"function\":\"x::task\",\"crate\":\"x\",\
         \"crate_version\":\"1.0.0\",\"macros\":\"0.1.0\",\"trigger\":\"application\"}}"
    );
    Entry::from_json(json.as_bytes()).unwrap()
}

/// An entry with as many facts as a condition may have.
fn with_facts(number: usize) -> Entry {
    let facts = vec!["internet"; 500].join("||");
    let json = entry(number).to_json();
    let json = json.replacen('{', &format!("{{\"condition\":\"{facts}\","), 1);
    Entry::from_json(json.as_bytes()).unwrap()
}

/// Makes a file, and says what is told about it; nothing is a manifest without tasks.
type Case = (&'static str, fn(&Path), &'static str);

const EXECUTABLES: &[Case] = &[
    (
        "longer than is read",
        |path| drop(Sparse::new(path, 3 * 1024 * MIB)),
        "is larger than 2147483648 bytes",
    ),
    (
        "a section that claims nearly all",
        |path| elf_of(path, 1900 * MIB, &[(4096, 1800 * MIB)]),
        "its task section is larger than 67108864 bytes",
    ),
    (
        "the largest section",
        |path| elf_of(path, 100 * MIB, &[(4096, 64 * MIB)]),
        "",
    ),
    (
        "one byte more",
        |path| elf_of(path, 100 * MIB, &[(4096, 64 * MIB + 1)]),
        "its task section is larger than",
    ),
    (
        "many sections of the same bytes",
        |path| elf_of(path, 100 * MIB, &[(MIB, 60 * MIB); 100]),
        "its task section is larger than",
    ),
    (
        "a section whose end overflows",
        |path| elf_of(path, MIB, &[(u64::MAX - 10, 1000)]),
        "its task section lies outside the file",
    ),
    (
        "sizes whose sum overflows",
        |path| elf_of(path, MIB, &[(4096, u64::MAX), (4096, u64::MAX)]),
        "its task section is larger than",
    ),
    (
        "thirty million section headers",
        |path| {
            Sparse::new(path, 2000 * MIB)
                .with(0, &elf(64, 0, 0))
                .with(64, &elf_section(0, 0, 0, 30_000_000));
        },
        "is damaged or cut off",
    ),
    (
        "two hundred thousand long names, one inside of the other",
        |path| {
            let count = 200_000;
            let mut sections = elf_section(0, 0, 0, count);
            // The number of sections is in the first one, as is that of the section of names.
            sections[40..44].copy_from_slice(&1_u32.to_le_bytes());
            sections.extend(elf_section(0, 3, 64, 3 * MIB));
            for number in 2..count {
                sections.extend(elf_section(number as u32, 1, 0, 0));
            }
            let mut names = Vec::new();
            for _ in 0..3 * MIB / 4096 {
                names.extend([b'x'; 4095]);
                names.push(0);
            }
            Sparse::new(path, 0)
                .with(0, &elf(4 * MIB, 0, 0xffff))
                .with(64, &names)
                .with(4 * MIB, &sections);
        },
        "is damaged or cut off",
    ),
    (
        "a Mach-O file with load commands of 1.9 GiB",
        |path| {
            let mut header = Vec::new();
            for field in [0xfeed_facf_u32, 0x0100_000c, 0, 2, 1000, 1900 << 20, 0, 0] {
                header.extend(field.to_le_bytes());
            }
            Sparse::new(path, 2000 * MIB).with(0, &header);
        },
        "is damaged or cut off",
    ),
    (
        "an object file with a hundred million symbols",
        |path| {
            let mut header = vec![0x64, 0x86, 0, 0, 0, 0, 0, 0];
            header.extend(64_u32.to_le_bytes());
            header.extend(100_000_000_u32.to_le_bytes());
            header.extend([0; 4]);
            Sparse::new(path, 2000 * MIB).with(0, &header);
        },
        "",
    ),
    (
        "an archive with names of 1.9 GiB",
        |path| {
            Sparse::new(path, 2000 * MIB)
                .with(0, b"!<arch>\n")
                .with(8, &member("//", 1900 * MIB));
        },
        "is damaged or cut off",
    ),
    (
        "an archive with too many members",
        |path| {
            let mut archive = b"!<arch>\n".to_vec();
            for _ in 0..=100_000 {
                archive.extend(member("a/", 0));
            }
            std::fs::write(path, archive).unwrap();
        },
        "it has more than 100000 members",
    ),
    (
        "a universal file with parts that overlap",
        |path| {
            elf_of(path, 200 * MIB, &[(4096, 40 * MIB)]);
            let program = std::fs::read(path).unwrap();
            let mut fields = vec![0xcafe_babe_u32, 10];
            for _ in 0..10 {
                fields.extend([7, 3, 4096, 199 << 20, 0]);
            }
            let header: Vec<u8> = fields
                .iter()
                .flat_map(|field| field.to_be_bytes())
                .collect();
            Sparse::new(path, 200 * MIB)
                .with(0, &header)
                .with(4096, &program[..4096]);
        },
        "the file asks for too much",
    ),
    (
        "a universal file with too many parts",
        |path| {
            let header = [0xcafe_babe_u32, 40].map(u32::to_be_bytes).concat();
            Sparse::new(path, MIB).with(0, &header);
        },
        "it has 40 parts",
    ),
    (
        "starts of entries, and none that ends",
        |path| {
            let starts = b"\x02BGTASK1\x02".repeat(200_000);
            Sparse::new(path, 16 * MIB)
                .with(0, &elf(0, 0, 0))
                .with(64, &starts);
        },
        "a search found no task",
    ),
    (
        "marks before long entries that are none",
        |path| {
            let mut bytes = elf(0, 0, 0);
            for _ in 0..20 {
                bytes.extend([2; 100_000]);
                bytes.extend(b"\x02BGTASK1\x02{\"name\":");
                bytes.extend(b"[0,".repeat(80_000));
                bytes.extend(b"\x03\n");
            }
            std::fs::write(path, bytes).unwrap();
        },
        "a search found no task",
    ),
    (
        "an entry with a hundred thousand fields",
        |path| {
            let fields: String = (0..20_000).map(|n| format!("\"f{n}\":1,")).collect();
            let frame = format!("\u{2}BGTASK1\u{2}{{{fields}\"name\":\"a\"}}\u{3}\n");
            elf_of(path, MIB, &[(4096, frame.len() as u64)]);
            Sparse(File::options().write(true).open(path).unwrap()).with(4096, frame.as_bytes());
        },
        "there are more than 64 fields",
    ),
    (
        "entries that become large, in two parts of a universal file",
        |path| {
            let frames: Vec<u8> = (0..1_300).flat_map(|n| with_facts(n).to_frame()).collect();
            elf_of(path, 20 * MIB, &[(4096, frames.len() as u64)]);
            let program = std::fs::read(path).unwrap();
            let mut fields = vec![0xcafe_babe_u32, 3];
            for offset in [4096, 4096, 0] {
                fields.extend([7, 3, offset, program.len() as u32, 0]);
            }
            let header: Vec<u8> = fields
                .iter()
                .flat_map(|field| field.to_be_bytes())
                .collect();
            Sparse::new(path, 4096 + program.len() as u64)
                .with(0, &header)
                .with(4096, &program)
                .with(8192, &frames);
        },
        "a part of it is of an unknown kind",
    ),
    (
        "twenty megabytes of entries that are searched for",
        |path| {
            let mut long = entry(0);
            long.declaration.description = Some("x".repeat(200_000));
            let file = Sparse::new(path, 2000 * MIB).with(0, &elf(0, 0, 0));
            let mut offset = 64;
            for number in 0..100 {
                long.declaration.name = format!("task_{number}");
                let frame = long.to_frame();
                file.0.write_all_at(&frame, offset).unwrap();
                offset += frame.len() as u64;
            }
        },
        "its task entries have more than 16777216 bytes",
    ),
    (
        "ten thousand and one entries",
        |path| {
            let frames: Vec<u8> = (0..10_001).flat_map(|n| entry(n).to_frame()).collect();
            elf_of(path, 4 * MIB, &[(4096, frames.len() as u64)]);
            Sparse(File::options().write(true).open(path).unwrap()).with(4096, &frames);
        },
        "there are more than 10000 tasks",
    ),
];

const FILES: &[Case] = &[
    (
        "longer than is read",
        |path| drop(Sparse::new(path, 33 * MIB)),
        "it is larger than",
    ),
    (
        "a list of ten million numbers",
        |path| file_of(path, &format!("{}0", "0,".repeat(10_000_000))),
        "expected a list of at most 10000 tasks",
    ),
    (
        "one task of twenty million bytes",
        |path| file_of(path, &format!("[{}0]", "[],".repeat(7_000_000))),
        "a task entry is longer than 262144 bytes",
    ),
    (
        "three million fields",
        |path| {
            let fields = "\"f\":0,".repeat(3_000_000);
            std::fs::write(path, format!("{{{fields}\"version\":1}}")).unwrap();
        },
        "unknown field `f`",
    ),
    (
        "twenty million brackets",
        |path| std::fs::write(path, "[".repeat(20_000_000)).unwrap(),
        "must be a JSON object, not a list",
    ),
];

fn member(name: &str, size: u64) -> Vec<u8> {
    let zero = 0;
    format!("{name:<16}{zero:<12}{zero:<6}{zero:<6}{zero:<8}{size:<10}`\n").into_bytes()
}

fn file_of(path: &Path, tasks: &str) {
    let text = format!("{{\"version\":1,\"executable\":\"x\",\"tasks\":[{tasks}]}}");
    std::fs::write(path, text).unwrap();
}

/// One test, because the allocator counts for the whole program. Each case is made in a process of
/// its own, so that what its making takes is not counted here.
#[test]
fn no_file_makes_the_reader_hold_much() {
    if let Ok(wanted) = std::env::var("MAKE_HOSTILE_FILE") {
        let path = std::env::var("HOSTILE_FILE").unwrap();
        let make = |cases: &[Case]| {
            let case = cases.iter().find(|case| case.0 == wanted);
            case.inspect(|case| case.1(Path::new(&path))).is_some()
        };
        assert!(make(if path.ends_with("json") {
            FILES
        } else {
            EXECUTABLES
        }));
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    // The smaller one first: the allocator tells the most that was ever held.
    let file = dir.path().join("program.bgtask.json");
    check(FILES, &file, FILE_HOLDS, |path| {
        Manifest::read(path).map(|manifest| assert_eq!(manifest, None))
    });
    let program = dir.path().join("program");
    check(EXECUTABLES, &program, EXECUTABLE_HOLDS, |path| {
        read_executable(path).map(|manifest| assert_eq!(manifest.tasks(), []))
    });
}

fn check(cases: &[Case], path: &Path, most: u64, read: fn(&Path) -> bgtask::Result<()>) {
    for (name, _, told) in cases {
        let made = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "no_file_makes_the_reader_hold_much"])
            .env("MAKE_HOSTILE_FILE", name)
            .env("HOSTILE_FILE", path)
            .output()
            .unwrap();
        assert!(made.status.success(), "{name}: {made:?}");
        match read(path) {
            Ok(()) => assert!(told.is_empty(), "{name}: was read"),
            Err(error) => {
                let text = error.to_string();
                assert!(!told.is_empty() && text.contains(told), "{name}: {text}");
                assert!(text.contains(path.to_str().unwrap()), "{name}: {text}");
                assert!(text.len() < 2000, "{name}: {text}");
            }
        }
        let held = MEMORY.max_allocated() as u64;
        assert!(held < most, "{name}: {held} bytes");
        std::fs::remove_file(path).unwrap();
    }
}
