//! Wherever cargo puts what it makes, and whoever made it.

use std::{fs, path::Path, time::SystemTime};

use bgtask::manifest::Manifest;

use crate::workspace::{MAIN, Workspace, make_executable, shared, succeed};

const WORKSPACE: &str = r#"
//- placed/Cargo.toml
[package]
name = "placed"
edition = "2024"
[dependencies]
report.workspace = true
bgtask.workspace = true
cached.path = "../cached"
//- cached/Cargo.toml
[package]
name = "cached"
edition = "2024"
[dependencies]
bgtask.workspace = true
//- cached/src/lib.rs
mod private {
    #[bgtask::background_task(trigger = time(15))]
    fn quiet() {}
}
"#;

const TASKS: [&str; 2] = ["cached::private::quiet", "placed::own"];

fn workspace(name: &str) -> Workspace {
    let workspace = Workspace::new(name, WORKSPACE);
    let source = "
        use cached as _;
        #[bgtask::background_task(trigger = time(15))]
        fn own() {}
    ";
    workspace.write("placed/src/main.rs", &format!("{source}{MAIN}"));
    workspace
}

#[test]
fn the_file_is_beside_the_executable() {
    let workspace = workspace("places");
    let file = "debug/placed.bgtask.json";

    // One folder for everything, as without any setting.
    let target = shared().join("build");
    let _ = fs::remove_file(target.join(file));
    let mut build = workspace.bgtask_build(&[]);
    build.env_remove("CARGO_BUILD_BUILD_DIR");
    succeed(build.env("CARGO_TARGET_DIR", &target));
    assert_eq!(workspace.agreed(&target.join("debug/placed")), TASKS);
    fs::remove_file(target.join(file)).unwrap();

    // `build.build-dir` elsewhere.
    workspace.build(&[]);
    let target = workspace.path("target");
    assert_eq!(workspace.agreed(&target.join("debug/placed")), TASKS);

    let target = workspace.path("target/another place");
    workspace.build(&["--target-dir", target.to_str().unwrap()]);
    assert_eq!(workspace.agreed(&target.join("debug/placed")), TASKS);
    assert!(!shared().join("build").join(file).exists());
}

/// Keeps what the compiler makes of the crate `cached`, by its arguments and source, and hands it
/// out again without compiling.
const CACHE: &str = r#"#!/bin/sh
set -eu
case " $* " in
*" --crate-name cached "*) ;;
*) exec "$@" ;;
esac
source= out= name= before=
for word; do
    case "$before $word" in
    "--out-dir "*) out=$word ;;
    "-C extra-filename="*) name=${word#extra-filename=} ;;
    *" "*.rs) source=$word ;;
    esac
    before=$word
done
key=$(echo "$*" | cat - "$source" | cksum | tr ' ' -)
kept=$(dirname "$0")/$key
if [ -d "$kept" ]; then
    cp "$kept"/out/* "$out"/
    echo "$key" >>"$(dirname "$0")/hits"
else
    mkdir -p "$kept/out"
    "$@" 2>"$kept/told"
    cp "$out"/*"$name"* "$kept/out"
fi
cat "$kept/told" >&2
"#;

#[test]
fn crates_from_a_cache_bring_their_tasks() {
    let workspace = workspace("places-cache");
    let cache = workspace.path("target/cache");
    fs::create_dir_all(&cache).unwrap();
    let wrapper = cache.join("wrapper");
    fs::write(&wrapper, CACHE).unwrap();
    make_executable(&wrapper);
    let hits = || fs::read_to_string(cache.join("hits")).unwrap_or_default();
    let hits = || hits().lines().count();

    let library = workspace.path("cached/src/lib.rs");
    let app = workspace.path("target/debug/placed");
    for time in 0..2 {
        make_new(&library);
        let mut build = workspace.bgtask_build(&[]);
        build
            .env("RUSTC_WRAPPER", &wrapper)
            .env("CARGO_INCREMENTAL", "0");
        succeed(&mut build);
        assert_eq!(hits(), time);
        assert_eq!(workspace.agreed(&app), TASKS);
        // Nothing of the first time is left but what is in the cache.
        fs::remove_file(Manifest::path_for(&app)).unwrap();
    }
}

/// Cargo compiles a crate again whose source is newer than what was made of it.
fn make_new(source: &Path) {
    let file = fs::File::options().append(true).open(source).unwrap();
    file.set_modified(SystemTime::now()).unwrap();
}
