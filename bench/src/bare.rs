//! The limit of a host: this executable again, and one byte over a socket.

use std::{
    io::{Read, Write},
    os::{fd::OwnedFd, unix::net::UnixStream},
    process::{Command, ExitCode, Stdio},
    time::Instant,
};

use crate::figures::Figures;

/// Asks for the child's part.
pub(crate) const ARGUMENT: &str = "--bare-child";

/// Writes one byte to its standard input, which is a socket, and ends.
pub(crate) fn child() -> ExitCode {
    use std::os::fd::AsFd;
    let written = std::io::stdin()
        .as_fd()
        .try_clone_to_owned()
        .and_then(|socket| UnixStream::from(socket).write_all(&[1]));
    written.map_or(ExitCode::FAILURE, |()| ExitCode::SUCCESS)
}

/// Spawn to first byte.
pub(crate) fn measure(rounds: u32) -> std::io::Result<Figures> {
    let mut figures = Figures::default();
    for _ in 0..rounds {
        let start = Instant::now();
        let (mut ours, theirs) = UnixStream::pair()?;
        let mut child = Command::new("/proc/self/exe")
            .arg(ARGUMENT)
            .stdin(Stdio::from(OwnedFd::from(theirs)))
            .spawn()?;
        ours.read_exact(&mut [0])?;
        figures.add(start.elapsed());
        child.wait()?;
    }
    Ok(figures)
}
