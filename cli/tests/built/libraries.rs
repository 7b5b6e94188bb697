//! Libraries that are linked by others than cargo.

use std::{
    fs,
    path::{Path, PathBuf},
};

use bgtask::manifest::Manifest;

use crate::workspace::{Workspace, make_executable, names, succeed, told};

const PLUGIN: &str = r#"
//- plugin/Cargo.toml
[package]
name = "plugin"
edition = "2024"
[lib]
crate-type = ["{kind}"]
[dependencies]
bgtask.workspace = true
//- plugin/src/lib.rs
mod private {
    mod deeper {
        #[bgtask::background_task(trigger = time(15))]
        fn quiet() {}
    }
    #[bgtask::background_task(name = "stated", trigger = time(15))]
    fn stated() {}
}
#[unsafe(no_mangle)]
pub extern "C" fn print_registered() {
    let manifest = bgtask::manifest::Manifest::of_this_program().unwrap();
    print!("{}", manifest.to_json());
}
"#;

const TASKS: [&str; 2] = ["plugin::private::deeper::quiet", "stated"];

/// Compiles a C program, its source and arguments of the linker after it.
fn compile(workspace: &Workspace, name: &str, source: &str, arguments: &[&str]) -> PathBuf {
    let file = workspace.path("target").join(format!("{name}.c"));
    fs::write(&file, source).unwrap();
    let program = workspace.path("target").join(name);
    let mut cc = workspace.command("cc");
    cc.arg("-o").arg(&program).arg(&file).args(arguments);
    succeed(&mut cc);
    program
}

/// A manifest's text under the name of another file.
fn renamed(manifest: &str, file: &Path) -> String {
    let tasks = Manifest::from_json(manifest.as_bytes()).unwrap();
    let name = file.file_name().unwrap().to_str().unwrap();
    Manifest::new(name, tasks.tasks().to_vec())
        .unwrap()
        .to_json()
}

#[test]
fn a_cdylib_lists_what_it_registers_when_it_is_loaded() {
    let workspace = Workspace::new("libraries-cdylib", &PLUGIN.replace("{kind}", "cdylib"));
    workspace.build(&[]);
    let library = workspace.path("target/debug/libplugin.so");
    let source = r#"
        #include <dlfcn.h>
        int main(int count, char **arguments) {
            void *library = dlopen(arguments[1], RTLD_NOW);
            ((void (*)(void))dlsym(library, "print_registered"))();
        }
    "#;
    let program = compile(&workspace, "host", source, &["-ldl"]);
    let output = succeed(workspace.command(&program).arg(&library));
    let registered = String::from_utf8(output.stdout).unwrap();

    assert_eq!(names(&registered), TASKS);
    let listed = workspace.listed(&library);
    assert_eq!(listed, renamed(&registered, &library));
    let file = Manifest::path_for(&library);
    assert_eq!(fs::read_to_string(file).unwrap(), listed);
    // They are the library's, not the program's.
    assert_eq!(names(&workspace.listed(&program)), [""; 0]);
}

#[test]
fn a_staticlib_brings_all_its_tasks_only_as_a_whole_archive() {
    let workspace = Workspace::new("libraries-static", &PLUGIN.replace("{kind}", "staticlib"));
    workspace.build(&[]);
    let archive = workspace.path("target/debug/libplugin.a");
    assert_eq!(names(&workspace.listed(&archive)), TASKS);

    let archive = archive.to_str().unwrap();
    let source = "void print_registered(void); int main(void) { print_registered(); }";
    let libraries = ["-lm", "-lpthread", "-ldl"];
    let whole = ["-Wl,--whole-archive", archive, "-Wl,--no-whole-archive"];
    let some = [archive, "-Wl,--gc-sections"];
    for (name, arguments) in [("whole", &whole[..]), ("some", &some)] {
        let arguments = [arguments, &libraries].concat();
        let program = compile(&workspace, name, source, &arguments);
        let registered = workspace.registered(&program);
        // Whatever the linker took, it took the entry and the registration.
        assert_eq!(workspace.listed(&program), registered, "{name}");
        assert_eq!(names(&registered) == TASKS, name == "whole");
    }
}

const LOADED: &str = r#"
//- app/Cargo.toml
[package]
name = "app"
edition = "2024"
[dependencies]
library.path = "../library"
//- app/src/main.rs
use library::bgtask;
#[bgtask::background_task(trigger = time(15), crate = ::library::bgtask)]
fn own() {}
fn main() {
    let manifest = bgtask::manifest::Manifest::of_this_program().unwrap();
    print!("{}", manifest.to_json());
}
//- library/Cargo.toml
[package]
name = "library"
edition = "2024"
[lib]
crate-type = ["dylib"]
[dependencies]
bgtask.workspace = true
//- library/src/lib.rs
pub use bgtask;
#[bgtask::background_task(trigger = time(15))]
fn loaded() {}
"#;

/// Rust's own dynamic libraries need the standard library as one, too.
const DYNAMIC: &str = "#!/bin/sh
exec \"$@\" -C prefer-dynamic
";

#[test]
fn tasks_in_a_dylib_are_registered_and_listed_there_and_told() {
    let workspace = Workspace::new("libraries-dylib", LOADED);
    let wrapper = workspace.path("dynamic");
    workspace.write("dynamic", DYNAMIC);
    make_executable(&wrapper);
    let mut build = workspace.bgtask_build(&[]);
    let output = succeed(build.env("RUSTC_WORKSPACE_WRAPPER", &wrapper));

    let app = workspace.path("target/debug/app");
    let library = workspace.path("target/debug/liblibrary.so");
    let told = told(&output);
    let part = format!(
        "warning: tasks of `library` are in a dynamic library, not in `app`: library::loaded\n  \
         help: a run that loads it registers them, and only `bgtask manifest {}` lists them",
        library.display()
    );
    assert!(told.contains(&part), "{told}");
    let mut listed = names(&workspace.listed(&app));
    assert_eq!(listed, ["app::own"]);
    listed.extend(names(&workspace.listed(&library)));

    let mut rustc = workspace.command("rustc");
    let std = succeed(rustc.args(["--print", "target-libdir"])).stdout;
    let std = String::from_utf8(std).unwrap();
    let mut run = workspace.command(&app);
    run.env(
        "LD_LIBRARY_PATH",
        format!("{}:{}", library.parent().unwrap().display(), std.trim()),
    );
    let registered = String::from_utf8(succeed(&mut run).stdout).unwrap();
    assert_eq!(names(&registered), listed);
}
