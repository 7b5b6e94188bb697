//! Hostile input: libFuzzer tries changes of what is in `runtime/fuzz/corpus`.

use std::{
    fs, io,
    path::{Path, PathBuf},
    process::Command,
};

use crate::step::{Tests, cargo, root, succeed};

/// A program of `runtime/fuzz/fuzz_targets`.
struct Target {
    name: &'static str,
    /// A file of `runtime/fuzz/dictionaries`.
    dictionary: &'static str,
    /// Some seconds' worth of inputs.
    inputs: u64,
    /// No input has more bytes.
    longest: u64,
}

const TARGETS: [Target; 4] = [
    Target {
        name: "executable",
        dictionary: "executable",
        inputs: 50_000,
        longest: 16 * 1024,
    },
    Target {
        name: "manifest_file",
        dictionary: "words",
        inputs: 30_000,
        longest: 16 * 1024,
    },
    Target {
        name: "declaration",
        dictionary: "words",
        inputs: 5_000,
        longest: 2 * 1024,
    },
    Target {
        name: "grammar",
        dictionary: "words",
        inputs: 10_000,
        longest: 2 * 1024,
    },
];

/// What `cargo fuzz` passes without a sanitizer, which is all that a stable compiler has:
/// <https://clang.llvm.org/docs/SanitizerCoverage.html>. And no warning is let through.
const FLAGS: [&str; 8] = [
    "--cfg=fuzzing",
    "--deny=warnings",
    "-Cpasses=sancov-module",
    "-Cllvm-args=-sanitizer-coverage-level=4",
    "-Cllvm-args=-sanitizer-coverage-inline-8bit-counters",
    "-Cllvm-args=-sanitizer-coverage-pc-table",
    "-Cllvm-args=-sanitizer-coverage-trace-compares",
    "-Cllvm-args=-simplifycfg-branch-fold-threshold=0",
];

/// How much is tried.
#[derive(Clone, Copy)]
pub(crate) enum Length {
    /// So many inputs for each target that it takes seconds.
    Inputs,
    /// That long for all targets together.
    Minutes(u64),
}

/// `BGTASK_SEED`, which repeats a run, as in the kill proof.
pub(crate) fn number() -> Result<u64, String> {
    match std::env::var("BGTASK_SEED") {
        Ok(text) => text
            .parse()
            .map_err(|error| format!("BGTASK_SEED: {error}")),
        Err(_) => Ok(20_260_101),
    }
}

/// Tries inputs on every target. The same `number` gives nearly the same ones: addresses and the
/// keys of hashes have a little say too. What repeats a failure is the input that is kept.
pub(crate) fn run(length: Length, number: u64) -> Result<Option<Tests>, String> {
    let programs = build()?;
    for target in &TARGETS {
        try_inputs(target, &programs, length, number)?;
    }
    Ok(None)
}

/// The folder of the built targets.
fn build() -> Result<PathBuf, String> {
    let host = host()?;
    let mut build = cargo();
    build
        .args([
            "build",
            "--locked",
            "--manifest-path=runtime/fuzz/Cargo.toml",
        ])
        // With a target stated, the flags are not for build scripts and procedural macros.
        .args(["--target", &host, "--target-dir"])
        .arg(work())
        .env("CARGO_ENCODED_RUSTFLAGS", FLAGS.join("\u{1f}"));
    succeed(build)?;
    Ok(work().join(host).join("debug"))
}

fn host() -> Result<String, String> {
    let output = Command::new("rustc")
        .args(["--version", "--verbose"])
        .output();
    let output = output.map_err(|error| format!("rustc cannot be run: {error}"))?;
    let text = String::from_utf8_lossy(&output.stdout);
    let host = text.lines().find_map(|line| line.strip_prefix("host: "));
    host.map(str::to_owned).ok_or("rustc names no host".into())
}

/// Where all of this is kept, apart from the usual build.
fn work() -> PathBuf {
    root().join("target/fuzz")
}

fn try_inputs(target: &Target, programs: &Path, length: Length, number: u64) -> Result<(), String> {
    let name = target.name;
    let known = root().join("runtime/fuzz");
    // New ones, so that what an earlier run found changes nothing.
    let found = fresh(&work().join("found").join(name))?;
    let failed = fresh(&work().join("failed").join(name))?;
    let program = programs.join(name);
    let mut command = Command::new(&program);
    command
        .arg(found)
        .arg(known.join("corpus").join(name))
        .arg(format!("-artifact_prefix={}/", failed.display()))
        .arg(format!("-seed={}", seed(number)))
        .arg(format!("-max_len={}", target.longest))
        .args(["-timeout=20", "-rss_limit_mb=1024"]);
    let dictionary = known.join("dictionaries").join(target.dictionary);
    command.arg(format!("-dict={}", dictionary.display()));
    command.arg(match length {
        Length::Inputs => format!("-runs={}", target.inputs),
        Length::Minutes(minutes) => {
            format!("-max_total_time={}", minutes * 60 / TARGETS.len() as u64)
        }
    });
    let output = command.output();
    let output = output.map_err(|error| format!("{command:?} cannot be run: {error}"))?;
    let told = String::from_utf8_lossy(&output.stderr);
    // `#5000 DONE cov: …`: how many inputs, and what of the code they reached.
    let done = told.lines().rfind(|line| line.contains("DONE"));
    if let (true, Some(done)) = (output.status.success(), done) {
        println!("{name}: {done}");
        return Ok(());
    }
    println!("{told}");
    Err(match first_in(&failed) {
        Some(input) => format!(
            "`{name}` fails with the input {input}\n  again: {program} {input}\n  \
             when mended: keep it in runtime/fuzz/corpus/{name}/, and as a test",
            input = input.display(),
            program = program.display(),
        ),
        None => format!("{command:?} ended with {}", output.status),
    })
}

/// libFuzzer takes 32 bits, and zero for a number of its own choice.
fn seed(number: u64) -> u32 {
    (number as u32).max(1)
}

fn fresh(folder: &Path) -> Result<PathBuf, String> {
    let made = match fs::remove_dir_all(folder) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => fs::create_dir_all(folder),
    };
    made.map_err(|error| format!("{}: {error}", folder.display()))?;
    Ok(folder.to_owned())
}

fn first_in(folder: &Path) -> Option<PathBuf> {
    Some(fs::read_dir(folder).ok()?.next()?.ok()?.path())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_target_has_inputs_to_start_from_and_words() {
        let fuzz = root().join("runtime/fuzz");
        for target in &TARGETS {
            assert!(first_in(&fuzz.join("corpus").join(target.name)).is_some());
            assert!(fuzz.join("dictionaries").join(target.dictionary).is_file());
        }
        let targets = fs::read_dir(fuzz.join("fuzz_targets")).unwrap();
        assert_eq!(targets.count(), TARGETS.len());
    }

    #[test]
    fn no_number_lets_libfuzzer_choose() {
        assert_eq!(seed(7), 7);
        assert_eq!(seed(1 << 32), 1);
    }
}
