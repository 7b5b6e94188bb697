//! The proof that what was acknowledged survives a power cut.
//!
//! A victim asks for runs and says on standard output what was accepted and what has ended, while
//! [`strace`](https://strace.io) records what it writes and what it syncs. From the recording come
//! the disks that a power cut could have left: what was synced is there, and of the rest any part,
//! torn at sectors. On each the app is started again, and must know all that had been said by then.
//!
//! - `BGTASK_POWER_CUTS`: how many disks are tried; 40 unless stated.
//! - `BGTASK_SEED`: the number that the random moments follow from; always printed.
#![expect(
    clippy::print_stdout,
    reason = "the victim speaks on standard output, and the judge to people"
)]

#[cfg(target_os = "linux")]
mod disk;
#[cfg(target_os = "linux")]
mod judge;
#[cfg(target_os = "linux")]
#[path = "../kill/random.rs"]
mod random;
#[cfg(target_os = "linux")]
mod recording;
#[cfg(target_os = "linux")]
mod victim;

type Result<T, E = Box<dyn std::error::Error + Send + Sync>> = std::result::Result<T, E>;

#[cfg(not(target_os = "linux"))]
fn main() {
    println!("what a program syncs is recorded on Linux only");
}

#[cfg(target_os = "linux")]
fn main() -> std::process::ExitCode {
    use libtest_mimic::{Arguments, Failed, Trial};

    if std::env::var_os(victim::DIRECTORY).is_some() {
        return victim::main();
    }
    let failed = |result: Result<()>| result.map_err(|error| Failed::from(error.to_string()));
    let tests = vec![
        Trial::test("what_was_acknowledged_survives_a_power_cut", move || {
            failed(judge::nothing_is_lost())
        }),
        Trial::test("a_log_that_is_not_synced_is_found", move || {
            failed(judge::no_sync_is_found())
        }),
    ];
    libtest_mimic::run(&Arguments::from_args(), tests).exit_code()
}
