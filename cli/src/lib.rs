//! The `bgtask` command.
//!
//! It reads the task manifest of executables, writes it beside what a build made, and looks into
//! apps: through the broker of a running one, or in the store of one that does not run.
//!
//! Exit codes: 0 it was done; 1 there is a problem, which is told on standard error as
//! [`bgtask::Error`] tells it; 2 the command line is not understood. Results go to standard
//! output, and nothing else does.

mod access;
mod app;
mod build;
mod cancel;
mod capabilities;
mod doctor;
mod fire;
mod graph;
mod history;
mod ignore;
mod linked;
mod list;
mod log;
mod manifest;
mod output;
mod push;
mod raise;
mod registration;
mod since;
mod why;

use std::{ffi::OsString, process::ExitCode};

use bgtask::inspect::Order;
use clap::{CommandFactory, FromArgMatches, Parser, Subcommand};

use output::{Failure, tell};

const EXIT_CODES: &str = "\
Exit codes:
  0  done
  1  there is a problem; standard error tells it
  2  the command line is not understood";

/// Looks into background tasks declared with bgtask.
#[derive(Debug, Parser)]
#[command(version, after_help = EXIT_CODES, arg_required_else_help = true)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    Manifest(manifest::Manifest),
    Build(build::Build),
    List(list::List),
    Why(why::Why),
    Fire(fire::Fire),
    Raise(raise::Raise),
    Push(push::Push),
    Cancel(cancel::Cancel),
    /// Lets a task fire, and holds what fired until it is resumed
    ///
    /// The time that is told is in UTC.
    Pause(registration::Registration),
    /// Ends a pause
    Resume(registration::Registration),
    /// Keeps a task from firing until it is enabled
    ///
    /// The time that is told is in UTC.
    Disable(registration::Registration),
    /// Lets a disabled task fire again
    Enable(registration::Registration),
    Unregister(registration::Unregister),
    History(history::History),
    Log(log::Log),
    Access(access::Access),
    Doctor(doctor::Doctor),
    Capabilities(capabilities::Capabilities),
}

/// Runs the command with these arguments, its own name not among them. `name` is how the user
/// called it.
#[must_use]
pub fn run(name: &'static str, arguments: impl IntoIterator<Item = OsString>) -> ExitCode {
    let arguments = std::iter::once(OsString::from(name)).chain(arguments);
    let parsed = Arguments::command()
        .name(name)
        .bin_name(name)
        .try_get_matches_from(arguments)
        .and_then(|matches| Arguments::from_arg_matches(&matches));
    let command = match parsed {
        Ok(parsed) => parsed.command,
        Err(error) => {
            // A closed pipe is no reason to complain, and there is no other place to complain to.
            let _ = error.print();
            return ExitCode::from(u8::try_from(error.exit_code()).unwrap_or(2));
        }
    };
    let done = match command {
        Command::Manifest(command) => command.run(),
        Command::Build(command) => command.run(),
        Command::List(command) => app::block_on(command.run()),
        Command::Why(command) => app::block_on(command.run()),
        Command::Fire(command) => app::block_on(command.run()),
        Command::Raise(command) => app::block_on(command.run()),
        Command::Push(command) => app::block_on(command.run()),
        Command::Cancel(command) => app::block_on(command.run()),
        Command::Pause(command) => app::block_on(command.order(Order::Pause)),
        Command::Resume(command) => app::block_on(command.order(Order::Resume)),
        Command::Disable(command) => app::block_on(command.order(Order::Disable)),
        Command::Enable(command) => app::block_on(command.order(Order::Enable)),
        Command::Unregister(command) => app::block_on(command.run()),
        Command::History(command) => app::block_on(command.run()),
        Command::Log(command) => app::block_on(command.run()),
        Command::Access(command) => command.run(),
        Command::Doctor(command) => app::block_on(command.run()),
        Command::Capabilities(command) => app::block_on(command.run()),
    };
    match done {
        Ok(()) | Err(Failure::ClosedPipe) => ExitCode::SUCCESS,
        Err(Failure::Told) => ExitCode::FAILURE,
        Err(Failure::Error(error)) => {
            tell(format_args!("error: {error}"));
            ExitCode::FAILURE
        }
    }
}
