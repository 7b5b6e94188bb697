//! From `main` to the process's end: signals, lingering, exit code.

use std::{
    future::Future,
    process::{ExitCode, Termination},
    time::Duration,
};

use tokio::signal::unix::{Signal, SignalKind, signal};

use super::Command;
use crate::App;

/// How long `main` may take to return once everything has stopped.
const LAST_WORDS: Duration = Duration::from_secs(5);

/// Runs `main`; ends the app when it returns or when a signal asks for it.
///
/// The first Ctrl-C or SIGTERM cancels the runs with `Terminating` and their grace; a second one
/// ends the process at once.
pub(crate) async fn supervise<M>(app: App, main: M) -> ExitCode
where
    M: Future,
    M::Output: Termination,
{
    let mut signals = Signals::new();
    let mut closed = app.inner.closed.clone();
    tokio::pin!(main);
    let code = tokio::select! {
        output = &mut main => {
            let linger = app.inner.linger;
            let _ = app.inner.commands.send(Command::Close { linger });
            Some(output.report())
        }
        number = signals.next() => {
            let _ = app.inner.commands.send(Command::Shutdown);
            tokio::select! {
                output = &mut main => Some(output.report()),
                () = ended(&mut closed) => tokio::time::timeout(LAST_WORDS, &mut main)
                    .await
                    .ok()
                    .map(Termination::report),
                _ = signals.next() => return interrupted(number),
            }
            .or_else(|| Some(interrupted(number)))
        }
    };
    // Runs that outlive `main` keep the process; a signal now ends them too.
    tokio::select! {
        () = ended(&mut closed) => {}
        number = signals.next() => {
            let _ = app.inner.commands.send(Command::Shutdown);
            tokio::select! {
                () = ended(&mut closed) => {}
                _ = signals.next() => return interrupted(number),
            }
        }
    }
    code.unwrap_or(ExitCode::SUCCESS)
}

async fn ended(closed: &mut tokio::sync::watch::Receiver<bool>) {
    // An error means that the broker is gone, which is what is waited for.
    let _ = closed.wait_for(|closed| *closed).await;
}

/// The shell's convention: 128 and the signal's number.
fn interrupted(number: i32) -> ExitCode {
    ExitCode::from(u8::try_from(128 + number).unwrap_or(u8::MAX))
}

/// Ctrl-C and SIGTERM.
struct Signals {
    interrupt: Option<Signal>,
    terminate: Option<Signal>,
}

impl Signals {
    fn new() -> Self {
        Self {
            interrupt: signal(SignalKind::interrupt()).ok(),
            terminate: signal(SignalKind::terminate()).ok(),
        }
    }

    async fn next(&mut self) -> i32 {
        tokio::select! {
            () = received(&mut self.interrupt) => 2,
            () = received(&mut self.terminate) => 15,
        }
    }
}

async fn received(signal: &mut Option<Signal>) {
    let received = match signal {
        Some(signal) => signal.recv().await,
        None => None,
    };
    // Without a handler, or once its driver is gone, none will come.
    if received.is_none() {
        std::future::pending().await
    }
}
