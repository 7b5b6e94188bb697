//! The proof that each committed row of an outbox has one recorded outcome, and a rolled back one
//! none, whenever the app is killed.
//!
//! This program plays two parts. As the *judge* it starts itself as the *victim* again and again;
//! at the end it lets one finish what is left, and compares the history with the caller's own
//! table. The victim writes orders, each with a request in its transaction, and kills itself with
//! `kill -9` at the point that it was told: after a commit, before the broker has the rows, between
//! the store's commit and the deletion, after it. One is killed by the judge at any moment.
//!
//! - `BGTASK_OUTBOX_KILLS`: how many victims are killed; 10 unless stated.
//! - `BGTASK_SEED`: the number that the random counts follow from; always printed.
#![expect(
    clippy::print_stdout,
    reason = "the judge speaks to people on standard output"
)]

mod judge;
#[path = "../kill/random.rs"]
mod random;
mod victim;

use std::{env, error::Error, process::ExitCode};

use libtest_mimic::{Arguments, Failed, Trial};

type Result<T, E = Box<dyn Error + Send + Sync>> = std::result::Result<T, E>;

fn main() -> ExitCode {
    if env::var_os(victim::DIRECTORY).is_some() {
        return victim::main();
    }
    let exact =
        || judge::each_row_has_one_outcome().map_err(|error| Failed::from(error.to_string()));
    let test = Trial::test("a_committed_row_has_one_outcome_and_another_none", exact);
    libtest_mimic::run(&Arguments::from_args(), vec![test]).exit_code()
}
