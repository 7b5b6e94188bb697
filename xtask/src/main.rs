//! `cargo xtask test` runs everything that has to hold before a change is merged, and
//! `cargo xtask soak` runs the long proofs at full length.
#![allow(clippy::print_stdout, reason = "this program's output is for people")]

mod fuzz;
mod msrv;
mod oldest;
mod packages;
mod soak;
mod step;
mod test;

use std::process::ExitCode;

const HELP: &str = "\
Tests and proofs of this repository.

Usage: cargo xtask <COMMAND>

Commands:
  test   Format, lints, minimum Rust version, both ends of a range of dependencies,
         all tests, hostile input, documentation; ends at the first failure
  soak   The long proofs at full length
         [--kills <N>]        how often the kill proof kills; 200 unless stated
         [--endings <N>]      how many runs end in random ways; 1000 unless stated
         [--races <N>]        how often processes race to register one name; 10,000 unless
                              stated
         [--fuzz-minutes <N>] how long hostile input is tried; 10 unless stated
         [--repeat <N>]       the run of that number again; a new one unless stated

`test` needs some Debian packages and installs them where it may (root, or sudo without a
password); elsewhere it says which ones to install.";

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let done = match &words[..] {
        ["test"] => test::run(),
        ["soak", rest @ ..] => soak::run(rest),
        ["--help" | "-h" | "help"] => {
            println!("{HELP}");
            Ok(())
        }
        _ => {
            println!("{HELP}");
            return ExitCode::from(2);
        }
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(problem) => {
            println!("\n{problem}");
            ExitCode::FAILURE
        }
    }
}
