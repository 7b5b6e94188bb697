//! What no safe interface offers: the only place with `unsafe`.
#![allow(unsafe_code)]
#![deny(clippy::undocumented_unsafe_blocks)]

use std::{fs, io, ops::Range, os::fd::RawFd, path::Path};
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

/// Takes those pages of this executable out of the process's memory that are as in its file; what is
/// used again comes back from there, as a rule out of the system's cache
/// (<https://man7.org/linux/man-pages/man2/madvise.2.html>).
#[cfg(target_os = "linux")]
pub(crate) fn forget_executable() -> io::Result<()> {
    let file = fs::read_link("/proc/self/exe")?;
    for addresses in unchanged(&fs::read_to_string("/proc/self/smaps")?, &file) {
        let start = std::ptr::without_provenance_mut(addresses.start);
        // SAFETY: only the executable's file is mapped there, for reading only and without a change:
        // what is read there is the same before and after. Nothing unmaps an executable that runs.
        let done = unsafe { libc::madvise(start, addresses.len(), libc::MADV_DONTNEED) };
        if done != 0 {
            return Err(io::Error::last_os_error());
        }
    }
    Ok(())
}

/// Where a file is mapped for reading only, if none of its pages there was changed: neither by the
/// dynamic linker nor by a debugger (<https://man7.org/linux/man-pages/man5/proc_pid_smaps.5.html>).
#[cfg(target_os = "linux")]
fn unchanged(mapped: &str, file: &Path) -> Vec<Range<usize>> {
    let mut found = Vec::new();
    // With whether none of its changed pages is in memory; they may be swapped out.
    let mut last = None;
    for line in mapped.lines() {
        let mut words = line.split_ascii_whitespace();
        match words.next().and_then(addresses) {
            Some(addresses) => {
                let is_for_reading = matches!(words.next(), Some("r--p" | "r-xp"));
                let path = line.find('/').map(|at| Path::new(&line[at..]));
                last = (is_for_reading && path == Some(file)).then_some((addresses, false));
            }
            None if line.starts_with("Anonymous:") => {
                last = last.map(|(addresses, _)| (addresses, words.next() == Some("0")));
            }
            None if line.starts_with("Swap:") && words.next() == Some("0") => {
                found.extend(last.take().filter(|last| last.1).map(|last| last.0));
            }
            None => {}
        }
    }
    found
}

#[cfg(target_os = "linux")]
fn addresses(word: &str) -> Option<Range<usize>> {
    let (start, end) = word.split_once('-')?;
    let address = |text| usize::from_str_radix(text, 16).ok();
    Some(address(start)?..address(end)?)
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;

    const MAPPED: &str = "\
1000-2000 r--p 00000000 fe:00 7 /srv/an app
Rss:                   4 kB
Anonymous:             0 kB
Swap:                  0 kB
VmFlags: rd mr mw me sd
2000-5000 r-xp 00001000 fe:00 7 /srv/an app
Anonymous:             0 kB
Swap:                  0 kB
5000-6000 r--p 00004000 fe:00 7 /srv/an app
Anonymous:             4 kB
Swap:                  0 kB
6000-7000 rw-p 00005000 fe:00 7 /srv/an app
Anonymous:             0 kB
Swap:                  0 kB
7000-8000 r--p 00000000 00:00 0
Anonymous:             0 kB
Swap:                  0 kB
8000-9000 r-xp 00000000 fe:00 9 /usr/lib/libc.so.6
Anonymous:             0 kB
Swap:                  0 kB
9000-a000 r--p 00004000 fe:00 7 /srv/an app
Anonymous:             0 kB
Swap:                  4 kB
";

    #[test]
    fn what_is_forgotten_is_the_executable_s_and_as_in_its_file() {
        let found = unchanged(MAPPED, Path::new("/srv/an app"));
        assert_eq!(found, [0x1000..0x2000, 0x2000..0x5000]);
        assert!(unchanged(MAPPED, Path::new("/an app")).is_empty());
    }

    #[test]
    fn a_program_goes_on_without_its_pages() {
        let of_files = || {
            let numbers = fs::read_to_string("/proc/self/statm").expect("numbers of pages");
            let number = numbers.split(' ').nth(2).expect("those of files");
            number.parse::<u64>().expect("a number")
        };
        let before = of_files();
        forget_executable().expect("forgotten");
        let after = of_files();
        assert!(after < before, "{after} of {before}");
    }
}
