//! What no safe interface offers: the only place with `unsafe`.
#![allow(unsafe_code)]
#![deny(clippy::undocumented_unsafe_blocks)]

use std::{fs, io, os::fd::RawFd};
#[cfg(target_os = "linux")]
use std::{
    os::fd::{FromRawFd, OwnedFd},
    sync::atomic::{AtomicBool, Ordering},
};

/// Closes what this program was started with, except for its standard streams.
///
/// What is opened in a program closes itself with the next program (`FD_CLOEXEC`), as the standard
/// library and others with care do; what does not was passed on by the one before, most likely by
/// accident. To be called first of all, when nothing here can own such a descriptor yet.
pub(crate) fn close_inherited() -> io::Result<()> {
    let listed = if cfg!(target_os = "linux") {
        "/proc/self/fd"
    } else {
        "/dev/fd"
    };
    let listed = fs::read_dir(listed)?;
    // All of them first: the list is itself open while it is read.
    let open: Vec<RawFd> = listed
        .filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok())
        .filter(|fd| *fd > libc::STDERR_FILENO)
        .collect();
    for fd in open {
        // SAFETY: reads a flag, and fails on a number that is not open.
        let flags = unsafe { libc::fcntl(fd, libc::F_GETFD) };
        if flags >= 0 && flags & libc::FD_CLOEXEC == 0 {
            // SAFETY: it was open before this program began, so nothing in it owns it.
            unsafe { libc::close(fd) };
        }
    }
    Ok(())
}

/// Moves the disk work of this thread, and of those that it starts, behind everybody else's
/// (<https://man7.org/linux/man-pages/man2/ioprio_set.2.html>).
#[cfg(target_os = "linux")]
pub(crate) fn idle_io() -> io::Result<()> {
    const WHO_PROCESS: libc::c_long = 1;
    const THIS_THREAD: libc::c_long = 0;
    const CLASS_IDLE: libc::c_long = 3 << 13;
    // SAFETY: takes three numbers and changes no memory.
    let done = unsafe { libc::syscall(libc::SYS_ioprio_set, WHO_PROCESS, THIS_THREAD, CLASS_IDLE) };
    match done {
        0 => Ok(()),
        _ => Err(io::Error::last_os_error()),
    }
}

/// The sockets that the service manager passed to this program, and their names, for who asks first
/// (<https://www.freedesktop.org/software/systemd/man/latest/sd_listen_fds.html>).
///
/// # Errors
/// What the environment says of them is not so.
#[cfg(target_os = "linux")]
pub(crate) fn passed() -> io::Result<Vec<(OwnedFd, String)>> {
    static TAKEN: AtomicBool = AtomicBool::new(false);
    if TAKEN.swap(true, Ordering::AcqRel) {
        return Ok(Vec::new());
    }
    // Each is known to be open, and closes itself in other programs from here on.
    let passed = sd_notify::listen_fds_with_names()?;
    let own = |(fd, name)| {
        // SAFETY: it was open before this program began, whose id `LISTEN_PID` names, so nothing in it
        // owns it; and nobody was given it before.
        (unsafe { OwnedFd::from_raw_fd(fd) }, name)
    };
    Ok(passed.map(own).collect())
}
