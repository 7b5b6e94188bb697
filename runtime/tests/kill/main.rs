//! The proof that nothing accepted is lost at `kill -9`.
//!
//! This program plays four parts. As the *judge* it starts itself as the *victim*, kills it at a
//! random moment, starts it again on the same store, and so on; at the end it lets the victim
//! finish what is left and compares the history with what the victim had acknowledged outside the
//! store. The victim starts itself as a *host*, and hosts are killed too. So are *callers*: other
//! processes that fire tasks over the control socket.
//!
//! - `BGTASK_KILLS`: how many victims are killed; 100 unless stated.
//! - `BGTASK_SEED`: the number that the random moments follow from; always printed.
//! - `BGTASK_KILL_CONTROL=1`: the victim acknowledges before it has asked. The proof must fail.
#![expect(
    clippy::print_stdout,
    reason = "the victim speaks to the judge, and the judge to people, on standard output"
)]

mod caller;
mod faults;
mod judge;
mod ledger;
mod random;
mod stage;
mod victim;

use std::{env, error::Error, process::ExitCode};

use libtest_mimic::{Arguments, Failed, Trial};

use judge::Figures;
use stage::Stage;

type Result<T, E = Box<dyn Error + Send + Sync>> = std::result::Result<T, E>;

fn main() -> ExitCode {
    if env::var_os(caller::CALLER).is_some() {
        let caller = number(caller::CALLER, 0).and_then(caller::main);
        println!("{caller:?}");
        return ExitCode::FAILURE;
    }
    if env::var_os(victim::DIRECTORY).is_some() {
        return victim::main();
    }
    let tests = vec![
        Trial::test("nothing_accepted_is_lost_at_kill_9", || {
            failed(nothing_is_lost())
        }),
        Trial::test("an_acknowledgement_before_the_acceptance_is_found", || {
            failed(too_early_is_found())
        }),
        Trial::test("the_judge_finds_each_kind_of_fault", || {
            failed(faults::each_kind_is_found())
        }),
    ];
    libtest_mimic::run(&Arguments::from_args(), tests).exit_code()
}

fn failed(result: Result<()>) -> Result<(), Failed> {
    result.map_err(|error| Failed::from(error.to_string()))
}

fn nothing_is_lost() -> Result<()> {
    let kills = number("BGTASK_KILLS", 100)?;
    let seed = number("BGTASK_SEED", 20_260_101)?;
    println!("BGTASK_SEED={seed} BGTASK_KILLS={kills}");
    let mut stage = Stage::new(seed)?;
    stage.kill(kills)?;
    let (figures, faults) = stage.judge()?;
    println!("{}; {figures}", stage.told());
    if !faults.is_empty() {
        return Err(listed(&faults).into());
    }
    // Otherwise there was nothing to lose.
    let Figures {
        acknowledged,
        called,
        executed_again,
        ..
    } = figures;
    if acknowledged < kills || called == 0 || executed_again == 0 {
        return Err("too little happened to prove anything".into());
    }
    Ok(())
}

/// The negative control: were the proof blind, it would pass.
fn too_early_is_found() -> Result<()> {
    let mut stage = Stage::new(1)?.with_control();
    stage.kill(2)?;
    let (figures, faults) = stage.judge()?;
    let (lost, others): (Vec<_>, Vec<_>) =
        faults.into_iter().partition(|fault| fault.contains("lost"));
    let early = figures.requested();
    println!("control: {} of {early} found lost", lost.len());
    if early == 0 || lost.len() as u64 != early {
        return Err("not all that was acknowledged too early was found lost".into());
    }
    if !others.is_empty() {
        return Err(listed(&others).into());
    }
    Ok(())
}

fn number(name: &str, otherwise: u64) -> Result<u64> {
    match env::var(name) {
        Ok(text) => text
            .parse()
            .map_err(|error| format!("{name}={text}: {error}").into()),
        Err(_) => Ok(otherwise),
    }
}

fn listed(faults: &[String]) -> String {
    let shown = faults.iter().take(20).map(String::as_str);
    let shown: Vec<_> = shown.collect();
    format!("{} faults:\n  {}", faults.len(), shown.join("\n  "))
}
