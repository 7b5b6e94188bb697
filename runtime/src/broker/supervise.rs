//! From `main` to the process's end: signals, lingering, exit code.

use std::{
    future::Future,
    process::{ExitCode, Termination},
    time::Duration,
};

use tokio::signal::unix::{Signal, SignalKind, signal};

use super::Command;
use crate::{App, CancelReason};

/// How long `main` may take to return once everything has stopped.
const LAST_WORDS: Duration = Duration::from_secs(5);

/// Runs `main`; ends the app when it returns or when a signal asks for it.
///
/// The first Ctrl-C or SIGTERM cancels the runs with `Terminating` and their grace, and SIGHUP,
/// which the end of a session sends, with `LoggingOff`; a second one ends the process at once.
pub(crate) async fn supervise<M>(app: App, main: M) -> ExitCode
where
    M: Future,
    M::Output: Termination,
{
    let mut signals = Signals::new();
    let mut closed = app.inner.closed.clone();
    let mut main_returned = false;
    tokio::pin!(main);
    let code = tokio::select! {
        output = &mut main => {
            let linger = app.inner.linger;
            let _ = app.inner.commands.send(Command::Close { linger });
            main_returned = true;
            Some(output.report())
        }
        number = signals.next() => {
            let reason = reason(number);
            let _ = app.inner.commands.send(Command::Shutdown { reason });
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
    // Runs that outlive `main` keep the process, in the background; a signal now ends them too.
    let lingers = async {
        if main_returned {
            app.enter_background().await;
        }
        ended(&mut closed.clone()).await;
    };
    tokio::select! {
        () = lingers => {}
        number = signals.next() => {
            let reason = reason(number);
            let _ = app.inner.commands.send(Command::Shutdown { reason });
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

const HANGUP: i32 = 1;
const INTERRUPT: i32 = 2;
const TERMINATE: i32 = 15;

/// What a signal means for the runs.
fn reason(number: i32) -> CancelReason {
    match number {
        HANGUP => CancelReason::LoggingOff,
        _ => CancelReason::Terminating,
    }
}

/// Ctrl-C, SIGTERM, and SIGHUP unless it was ignored when the program started.
struct Signals {
    hangup: Option<Signal>,
    interrupt: Option<Signal>,
    terminate: Option<Signal>,
}

impl Signals {
    fn new() -> Self {
        // Whoever ignored it for this program, as `nohup` does, wants it to survive its session.
        let hangup = (!is_ignored(HANGUP)).then(SignalKind::hangup);
        Self {
            hangup: hangup.and_then(|kind| signal(kind).ok()),
            interrupt: signal(SignalKind::interrupt()).ok(),
            terminate: signal(SignalKind::terminate()).ok(),
        }
    }

    async fn next(&mut self) -> i32 {
        tokio::select! {
            () = received(&mut self.hangup) => HANGUP,
            () = received(&mut self.interrupt) => INTERRUPT,
            () = received(&mut self.terminate) => TERMINATE,
        }
    }
}

/// Whether this process ignores a signal. Where that cannot be told, it is left as it is.
fn is_ignored(number: i32) -> bool {
    std::fs::read_to_string("/proc/self/status")
        .ok()
        .and_then(|status| ignored(&status))
        .is_none_or(|ignored| ignored & (1 << (number - 1)) != 0)
}

/// The ignored signals as the kernel shows them: one bit for each, the first for signal 1.
fn ignored(status: &str) -> Option<u64> {
    let mask = status
        .lines()
        .find_map(|line| line.strip_prefix("SigIgn:"))?;
    u64::from_str_radix(mask.trim(), 16).ok()
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ignored_signals_are_read_from_what_the_kernel_shows() {
        let status = "SigBlk:\t0000000000000000\nSigIgn:\t0000000000001001\nSigCgt:\t4\n";
        assert_eq!(ignored(status), Some(0x1001));
        assert_eq!(ignored("Name:\tx\n"), None);
    }
}
