//! `cargo xtask test`.

use crate::{
    fuzz::{self, Length},
    msrv, oldest, packages,
    step::{Steps, Tests, cargo, succeed, tests},
};

pub(crate) fn run() -> Result<(), String> {
    let mut steps = Steps::default();
    steps.run("packages", || packages::provide().map(none))?;
    steps.run("format", || {
        plain(&["fmt", "--all", "--check"])?;
        plain(&["fmt", "--check", "--manifest-path=runtime/fuzz/Cargo.toml"])
    })?;
    steps.run("clippy", || {
        plain(&[
            "clippy",
            "--workspace",
            "--all-targets",
            "--locked",
            "--",
            "--deny=warnings",
        ])
    })?;
    steps.run("msrv", || msrv::check().map(none))?;
    steps.run("oldest", || oldest::check().map(none))?;
    // The cases that must not compile, the examples and the command, which builds workspaces, are
    // steps of their own, so that a failure is named for what it is.
    steps.run("tests", || {
        counted(&[
            "--workspace",
            "--all-targets",
            "--exclude=bgtask-ui-tests",
            "--exclude=bgtask-examples",
            "--exclude=cargo-bgtask",
        ])
    })?;
    steps.run("doctests", || counted(&["--workspace", "--doc"]))?;
    steps.run("ui-tests", || counted(&["--package=bgtask-ui-tests"]))?;
    steps.run("examples", || {
        counted(&["--package=bgtask-examples", "--all-targets"])
    })?;
    steps.run("command", || {
        counted(&["--package=cargo-bgtask", "--all-targets"])
    })?;
    steps.run("fuzz", || fuzz::run(Length::Inputs, fuzz::number()?))?;
    steps.run("docs", || {
        let mut doc = cargo();
        doc.args(["doc", "--workspace", "--no-deps", "--locked"])
            .env("RUSTDOCFLAGS", "--deny=warnings");
        succeed(doc)
    })?;
    println!("\n{}", steps.summary());
    Ok(())
}

fn none((): ()) -> Option<Tests> {
    None
}

fn plain(arguments: &[&str]) -> Result<Option<Tests>, String> {
    let mut command = cargo();
    command.args(arguments);
    succeed(command)
}

fn counted(arguments: &[&str]) -> Result<Option<Tests>, String> {
    let mut command = cargo();
    command.args(["test", "--locked"]).args(arguments);
    tests(command)
}
