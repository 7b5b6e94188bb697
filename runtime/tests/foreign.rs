//! Programs for other systems and processors, made by a real linker: the one that comes with the
//! Rust toolchain links all of them. Their tasks are those that were put in, also after the usual
//! tools went over the program.

use std::{
    ffi::OsStr,
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use bgtask::manifest::{Entry, Manifest, read_executable};
use object::{
    Architecture, BinaryFormat, Endianness, SectionKind, SymbolFlags, SymbolKind, SymbolScope,
    write::{Object, StandardSection, Symbol, SymbolSection},
};

/// A program to be made: how the linker is called, and for what.
struct Program {
    name: &'static str,
    format: BinaryFormat,
    architecture: Architecture,
    endian: Endianness,
    linker: &'static [&'static str],
}

const fn elf(name: &'static str, architecture: Architecture, endian: Endianness) -> Program {
    Program {
        name,
        format: BinaryFormat::Elf,
        architecture,
        endian,
        linker: &["-flavor", "gnu", "-e", "start", "-o"],
    }
}

const fn macho(
    name: &'static str,
    architecture: Architecture,
    linker: &'static [&'static str],
) -> Program {
    Program {
        name,
        format: BinaryFormat::MachO,
        architecture,
        endian: Endianness::Little,
        linker,
    }
}

const fn pe(name: &'static str, architecture: Architecture) -> Program {
    Program {
        name,
        format: BinaryFormat::Coff,
        architecture,
        endian: Endianness::Little,
        linker: &[
            "-flavor",
            "link",
            "/entry:start",
            "/subsystem:console",
            "/nodefaultlib",
            "/safeseh:no",
        ],
    }
}

const PROGRAMS: &[Program] = &[
    elf("elf-x86_64", Architecture::X86_64, Endianness::Little),
    elf("elf-aarch64", Architecture::Aarch64, Endianness::Little),
    elf("elf-riscv64", Architecture::Riscv64, Endianness::Little),
    elf("elf-i386", Architecture::I386, Endianness::Little),
    elf("elf-arm", Architecture::Arm, Endianness::Little),
    elf("elf-powerpc64", Architecture::PowerPc64, Endianness::Big),
    elf("elf-powerpc", Architecture::PowerPc, Endianness::Big),
    elf("elf-s390x", Architecture::S390x, Endianness::Big),
    macho("macho-aarch64", Architecture::Aarch64, &MACHO_AARCH64),
    macho("macho-x86_64", Architecture::X86_64, &MACHO_X86_64),
    pe("pe-x86_64.exe", Architecture::X86_64),
    pe("pe-aarch64.exe", Architecture::Aarch64),
    pe("pe-i386.exe", Architecture::I386),
];

const MACHO_AARCH64: [&str; 11] = darwin("arm64");
const MACHO_X86_64: [&str; 11] = darwin("x86_64");

const fn darwin(architecture: &'static str) -> [&'static str; 11] {
    [
        "-flavor",
        "darwin",
        "-arch",
        architecture,
        "-platform_version",
        "macos",
        "11.0",
        "11.0",
        "-e",
        "_start",
        "-o",
    ]
}

/// A program of the toolchain, beside its libraries.
fn tool(name: &str) -> PathBuf {
    let rustc = |arguments: &[&str]| {
        let output = Command::new("rustc")
            .args(arguments)
            .output()
            .expect("rustc runs");
        assert!(output.status.success(), "rustc {arguments:?}");
        String::from_utf8(output.stdout).expect("rustc writes text")
    };
    let version = rustc(&["--version", "--verbose"]);
    let host = version
        .lines()
        .find_map(|line| line.strip_prefix("host: "))
        .expect("rustc names its host");
    let path = Path::new(rustc(&["--print", "sysroot"]).trim())
        .join(format!("lib/rustlib/{host}/bin"))
        .join(name);
    assert!(
        path.exists(),
        "there is no `{}`: this test needs a toolchain of rustup, which comes with it",
        path.display()
    );
    path
}

fn run(program: &Path, arguments: &[&OsStr]) {
    let output = Command::new(program)
        .args(arguments)
        .output()
        .expect("a tool runs");
    let told = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{program:?} {arguments:?}: {told}");
}

fn tasks() -> Vec<Entry> {
    let triggers = [
        "time(15)",
        "every(\"10s\")",
        "cron(\"0 3 * * Mon-Fri\", tz = \"Europe/Berlin\")",
        "system(internet_available)",
        "application",
    ];
    let tasks = triggers.iter().enumerate().map(|(number, trigger)| {
        let json = serde_json::json!({
            "name": format!("task_{number}"),
            "function": "sample::größe",
            "crate": "sample",
            "crate_version": "1.2.3",
            "macros": env!("CARGO_PKG_VERSION"),
            "description": "Line one.\nLine \"two\" \\",
            "trigger": trigger,
        });
        Entry::from_json(json.to_string().as_bytes()).expect("an entry")
    });
    tasks.collect()
}

/// An object file with a function to start at, and the entries with space between them.
fn object_of(program: &Program) -> Vec<u8> {
    let mut object = Object::new(program.format, program.architecture, program.endian);
    let text = object.section_id(StandardSection::Text);
    object.append_section_data(text, &[0; 64], 16);
    object.add_symbol(Symbol {
        name: b"start".to_vec(),
        value: 0,
        size: 0,
        kind: SymbolKind::Text,
        scope: SymbolScope::Dynamic,
        weak: false,
        section: SymbolSection::Section(text),
        flags: SymbolFlags::None,
    });
    let debug = object.add_section(Vec::new(), b".debug_str".to_vec(), SectionKind::Debug);
    object.append_section_data(debug, &[b'x'; 4096], 1);
    let (segment, name): (&[u8], &[u8]) = match program.format {
        BinaryFormat::MachO => (b"__DATA", b"__bgtask"),
        _ => (b"", b".bgtask"),
    };
    let id = object.add_section(segment.to_vec(), name.to_vec(), SectionKind::ReadOnlyData);
    for task in tasks() {
        object.append_section_data(id, &task.to_frame(), 16);
    }
    object.write().expect("an object file")
}

fn link(program: &Program, dir: &Path) -> PathBuf {
    let object = dir.join(format!("{}.o", program.name));
    let linked = dir.join(program.name);
    fs::write(&object, object_of(program)).unwrap();
    let out = format!("/out:{}", linked.display());
    let mut arguments: Vec<&OsStr> = program.linker.iter().map(OsStr::new).collect();
    match program.format {
        BinaryFormat::Coff => arguments.push(out.as_ref()),
        _ => arguments.push(linked.as_ref()),
    }
    arguments.push(object.as_ref());
    run(&tool("rust-lld"), &arguments);
    linked
}

fn assert_tasks(path: &Path) {
    let manifest = read_executable(path).unwrap();
    assert_eq!(
        manifest,
        Manifest::new(manifest.executable(), tasks()).unwrap()
    );
}

/// Runs `rust-objcopy` and gives what it made.
fn copy(option: &str, program: &Path) -> PathBuf {
    let copy = program.with_extension("copy");
    let arguments: [&OsStr; 3] = [option.as_ref(), program.as_ref(), copy.as_ref()];
    run(&tool("rust-objcopy"), &arguments);
    copy
}

#[test]
fn programs_of_every_system_give_their_tasks() {
    let dir = tempfile::tempdir().unwrap();
    for program in PROGRAMS {
        let linked = link(program, dir.path());
        assert_tasks(&linked);
        assert_tasks(&copy("--strip-all", &linked));
    }
}

#[test]
fn a_universal_program_gives_its_tasks_once() {
    let dir = tempfile::tempdir().unwrap();
    let parts = ["macho-aarch64", "macho-x86_64"].map(|name| {
        let program = PROGRAMS.iter().find(|program| program.name == name);
        fs::read(link(program.unwrap(), dir.path())).unwrap()
    });
    // `fat_header` and `fat_arch` of Apple's <mach-o/fat.h>, as `lipo -create` writes them.
    let mut file = Vec::new();
    let mut fields = vec![0xcafe_babe_u32, 2];
    let mut offset = 0x4000;
    for (processor, part) in [0x0100_000c, 0x0100_0007].into_iter().zip(&parts) {
        let size = part.len() as u32;
        fields.extend([processor, 0, offset, size, 14]);
        offset += size.next_multiple_of(0x4000);
    }
    file.extend(fields.iter().flat_map(|field| field.to_be_bytes()));
    for part in &parts {
        file.resize(file.len().next_multiple_of(0x4000), 0);
        file.extend(part);
    }
    let path = dir.path().join("universal");
    fs::write(&path, file).unwrap();
    assert_tasks(&path);
}

#[test]
fn what_tools_leave_of_a_program_is_told_apart() {
    let dir = tempfile::tempdir().unwrap();
    for program in PROGRAMS
        .iter()
        .filter(|program| program.format == BinaryFormat::Elf)
    {
        let linked = link(program, dir.path());
        assert_tasks(&copy("--compress-debug-sections=zlib", &linked));
        // No table of sections is left: the file is searched.
        assert_tasks(&copy("--strip-sections", &linked));

        let error = read_executable(copy("--only-keep-debug", &linked)).unwrap_err();
        assert!(
            error.rule().ends_with("its task section is empty"),
            "{error}"
        );
        assert_eq!(error.help(), Some("name the program that belongs to it"));

        // As a packer leaves it: no table of sections, and nothing to be found.
        let bare = copy("--strip-sections", &linked);
        let mut bytes = fs::read(&bare).unwrap();
        for byte in &mut bytes[64..] {
            *byte = byte.wrapping_add(1);
        }
        fs::write(&bare, bytes).unwrap();
        let error = read_executable(&bare).unwrap_err();
        assert!(
            error.rule().ends_with("it may be packed, or have none"),
            "{error}"
        );

        let without = copy("--remove-section=.bgtask", &linked);
        assert_eq!(read_executable(without).unwrap().tasks(), []);
    }
}
