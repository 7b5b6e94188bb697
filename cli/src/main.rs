//! The command as `bgtask`.

use std::process::ExitCode;

fn main() -> ExitCode {
    bgtask_cli::run("bgtask", std::env::args_os().skip(1))
}
