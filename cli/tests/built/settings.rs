//! Whatever the profile and the linker are.

use std::{fs, process::Command};

use crate::workspace::{Workspace, succeed};

const PROFILES: [&str; 8] = [
    "dev",
    "release",
    "cgu1",
    "size",
    "thin",
    "fat",
    "minimal",
    "incremental",
];

/// What cargo is asked to hand to the linker, and the linker that shows.
const LINKERS: [&str; 2] = ["", "-fuse-ld=bfd"];

/// The pairs of profile and linker to build: all with `BGTASK_MATRIX=full`, else those that are as
/// far apart as can be.
fn selection() -> Vec<(&'static str, &'static str)> {
    let [default, gnu] = LINKERS;
    match std::env::var("BGTASK_MATRIX").as_deref() {
        Ok("full") => PROFILES
            .iter()
            .flat_map(|profile| LINKERS.map(|linker| (*profile, linker)))
            .collect(),
        Ok(other) => panic!("BGTASK_MATRIX is `{other}`; it can be `full`"),
        Err(_) => vec![("dev", default), ("dev", gnu), ("minimal", default)],
    }
}

const WORKSPACE: &str = r#"
//- app/Cargo.toml
[package]
name = "app"
edition = "2024"
[dependencies]
bgtask.workspace = true
report.workspace = true
called.path = "../called"
mentioned.path = "../mentioned"
unmentioned.path = "../unmentioned"
//- app/build.rs
fn main() {
    println!("cargo::rerun-if-env-changed=LINKER");
    if let Ok(linker) = std::env::var("LINKER") {
        println!("cargo::rustc-link-arg={linker}");
    }
}
//- app/src/main.rs
use bgtask::{background_condition, background_task, ConditionReporter, TaskContext};
use mentioned as _;
mod private {
    #[bgtask::background_task(trigger = time(15))]
    fn in_a_module_that_nothing_refers_to() {}
    #[bgtask::background_task(trigger = startup)]
    fn r#type() {}
    #[bgtask::background_task(trigger = startup)]
    fn größe() {}
}
#[path = "elsewhere.rs"]
mod moved;
include!("included.rs");
macro_rules! made {
    ($name:ident) => {
        #[background_task(trigger = startup)]
        fn $name() {}
    };
}
made!(by_a_macro);
#[cfg_attr(all(), background_task(trigger = startup))]
fn by_cfg_attr() {}
#[cfg(any())]
#[background_task(trigger = startup)]
fn cut() {}
#[allow(dead_code)]
fn never_called<T>(_: T) {
    #[background_task(trigger = startup)]
    fn in_a_generic_function() {}
}
const MINUTES: u32 = 7 * 15;
#[background_condition]
async fn quiet(report: ConditionReporter) {
    report.set(true);
}
/// Says "hello", and a \ backslash.
#[background_task(name = "every \"field\" \\ and Größe", trigger = time(MINUTES), condition = internet && !self::quiet, host = process("media"), memory = "512MiB", timeout = "10m", priority = -2)]
#[background_task(name = "twice", trigger = application)]
async fn stated(task: TaskContext) -> String {
    called::called();
    task.task().to_owned()
}
#[cfg(test)]
#[background_task(trigger = startup)]
fn in_tests() {}
{main}
//- app/src/elsewhere.rs
#[bgtask::background_task(trigger = startup)]
fn at_another_path() {}
//- app/src/included.rs
#[background_task(trigger = startup)]
fn included() {}
//- app/src/bin/second.rs
mod private {
    #[bgtask::background_task(trigger = time(15))]
    fn only_here() {}
}
{main}
//- called/Cargo.toml
[package]
name = "called"
edition = "2024"
[dependencies]
bgtask.workspace = true
//- called/src/lib.rs
pub fn called() {}
mod private {
    mod deeper {
        #[bgtask::background_task(trigger = time(15))]
        fn quiet() {}
    }
}
//- mentioned/Cargo.toml
[package]
name = "mentioned"
edition = "2024"
[dependencies]
bgtask.workspace = true
//- mentioned/src/lib.rs
mod private {
    #[bgtask::background_task(trigger = time(15))]
    fn quiet() {}
}
//- unmentioned/Cargo.toml
[package]
name = "unmentioned"
edition = "2024"
[dependencies]
bgtask.workspace = true
//- unmentioned/src/lib.rs
mod private {
    #[bgtask::background_task(trigger = time(15))]
    fn quiet() {}
}
"#;

const IN_APP: [&str; 12] = [
    "app::by_a_macro",
    "app::by_cfg_attr",
    "app::in_a_generic_function",
    "app::included",
    "app::moved::at_another_path",
    "app::private::größe",
    "app::private::in_a_module_that_nothing_refers_to",
    "app::private::r#type",
    "called::private::deeper::quiet",
    "every \"field\" \\ and Größe",
    "mentioned::private::quiet",
    "twice",
];

#[test]
#[expect(clippy::print_stdout, reason = "a long run shows how far it is")]
fn every_build_lists_what_its_program_registers() {
    let workspace = Workspace::new("settings", WORKSPACE);
    for (profile, linker) in selection() {
        let mut build = workspace.bgtask_build(&["--profile", profile]);
        if !linker.is_empty() {
            build.env("LINKER", linker);
        }
        println!("{profile} {linker}");
        succeed(&mut build);
        let dir = if profile == "dev" { "debug" } else { profile };
        let dir = workspace.path("target").join(dir);

        let app = dir.join("app");
        assert_eq!(workspace.agreed(&app), IN_APP, "{profile} {linker}");
        let bytes = fs::read(&app).unwrap();
        let lld = b"Linker: LLD";
        let by_lld = bytes.windows(lld.len()).any(|bytes| bytes == lld);
        assert!(linker.is_empty() || !by_lld, "{profile} {linker}");
        assert_eq!(
            workspace.agreed(&dir.join("second")),
            ["second::private::only_here"]
        );

        let stripped = dir.join("stripped/app");
        fs::create_dir_all(dir.join("stripped")).unwrap();
        fs::copy(&app, &stripped).unwrap();
        succeed(Command::new("strip").arg("-s").arg(&stripped));
        assert_eq!(workspace.listed(&stripped), workspace.listed(&app));
        let headless = dir.join("headless/app");
        fs::create_dir_all(dir.join("headless")).unwrap();
        fs::write(&headless, without_section_headers(bytes)).unwrap();
        assert_eq!(workspace.listed(&headless), workspace.listed(&app));
    }
}

/// What `--strip-sections` leaves of an ELF file
/// (<https://refspecs.linuxfoundation.org/elf/gabi4+/ch4.eheader.html>).
fn without_section_headers(mut elf: Vec<u8>) -> Vec<u8> {
    assert_eq!(elf[4], 2, "a 64-bit file");
    let [offset, count_and_names] = [0x28..0x30, 0x3c..0x40];
    elf[offset].fill(0);
    elf[count_and_names].fill(0);
    elf
}
