//! The command as `cargo bgtask`: cargo starts `cargo-bgtask` with `bgtask` as its first argument.

use std::process::ExitCode;

fn main() -> ExitCode {
    let mut arguments = std::env::args_os().skip(1).peekable();
    arguments.next_if(|first| first == "bgtask");
    bgtask_cli::run("cargo bgtask", arguments)
}
