//! The child side: this program as a host. It runs bodies for the app that started it, never opens
//! the store, and ends when the app does.

use std::{
    fs::File,
    io,
    os::{fd::BorrowedFd, unix::net::UnixStream},
};

use rustix::{net::AddressFamily, process::Signal};

use super::{
    descendants::{self, Mark},
    handshake,
};
use crate::{Code, Error, Result, sys};

/// Set in a host's environment.
pub(super) const MARKER: &str = "BGTASK_HOST";

/// A host's connection to its app, after both have said hello.
#[derive(Debug)]
pub(crate) struct Connection {
    pub(crate) socket: UnixStream,
    pub(super) app_id: String,
    pub(super) group: String,
    /// The threads on which bodies run.
    pub(super) workers: usize,
}

/// The connection to the app, if this process was started as its host. Takes the settings of the
/// process, so it comes before its first thread and before all user code.
///
/// The marker alone is not enough: what a host starts inherits its environment, but has another
/// parent than the mark tells, and another standard input.
///
/// # Errors
///
/// [`Code::Host`]: the app said no hello, or the process cannot take its settings. It is no host
/// then, and no app either: it must end.
pub(crate) fn connect() -> Result<Option<Connection>> {
    let Some(mark) = std::env::var_os(MARKER) else {
        return Ok(None);
    };
    let stdin = rustix::stdio::stdin();
    match rustix::net::getsockname(stdin) {
        Ok(address) if address.address_family() == AddressFamily::UNIX => {}
        _ => return Ok(None),
    }
    if !Mark::is_for(rustix::process::getppid(), &mark) {
        // A host whose app has ended already, or an app that a host started. The app's socket may
        // be closed a little later than its children have another parent.
        return if has_hung_up(stdin) || Mark::is_of_ended(&mark) {
            vanish()
        } else {
            Ok(None)
        };
    }
    greet(stdin).map(Some).map_err(|why| {
        Error::new(
            Code::Host,
            format!("this process cannot serve background tasks: {why}"),
        )
    })
}

/// Whether the other end of a socket is closed.
fn has_hung_up(socket: BorrowedFd<'_>) -> bool {
    use rustix::event::{PollFd, PollFlags, Timespec, poll};

    let mut polled = [PollFd::new(&socket, PollFlags::empty())];
    let now = Timespec::default();
    poll(&mut polled, Some(&now)).is_ok() && polled[0].revents().contains(PollFlags::HUP)
}

fn greet(stdin: BorrowedFd<'_>) -> Result<Connection, String> {
    let failed = |what: &str, error: io::Error| format!("{what}: {error}");
    // First, so that nothing of ours is open yet.
    sys::close_inherited().map_err(|error| failed("descriptors cannot be closed", error))?;
    let socket = take(stdin).map_err(|error| failed("its connection cannot be taken", error))?;
    // Before a sandbox, and before anybody is started.
    descendants::adopt_orphans();
    handshake::answer(socket)
}

/// Takes the socket away from standard input.
fn take(stdin: BorrowedFd<'_>) -> io::Result<UnixStream> {
    let socket = stdin.try_clone_to_owned()?;
    rustix::stdio::dup2_stdin(File::open("/dev/null")?)?;
    Ok(UnixStream::from(socket))
}

/// Ends this process and what its bodies started: the app is gone, and nobody waits for a result.
/// By signal, because exit handlers could wait for a body.
pub(super) fn vanish() -> ! {
    use rustix::process::{getpgrp, getpid, kill_current_process_group, kill_process};

    descendants::kill_own();
    if getpgrp() == getpid() {
        let _ = kill_current_process_group(Signal::KILL);
    }
    let _ = kill_process(getpid(), Signal::KILL);
    std::process::abort()
}
