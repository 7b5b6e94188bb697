//! Bodies that break the process they run in, which the product has to survive.

use std::{
    io::Write,
    os::{
        fd::{BorrowedFd, OwnedFd},
        unix::net::UnixStream,
    },
    process::{Command, Stdio},
};

use rustix::net::{Shutdown, shutdown, sockopt::socket_peercred};

/// Where a process that a body started is connected to, in the working directory.
pub(crate) const GRANDCHILDREN: &str = "grandchildren";

/// Panics when it is dropped.
pub(crate) struct Bomb;

impl Drop for Bomb {
    fn drop(&mut self) {
        panic!("as asked");
    }
}

#[allow(
    unsafe_code,
    reason = "a body that breaks its own process, which the product has to survive"
)]
pub(crate) fn write_nowhere() {
    // In the first page, where nothing is; at zero a checked build would look first, and abort.
    let nowhere = std::ptr::without_provenance_mut::<u8>(8);
    // SAFETY: it is not safe: the processor refuses it, and the kernel ends the process.
    unsafe { nowhere.write_volatile(1) }
}

pub(crate) fn overflow_stack(depth: u64) -> u64 {
    let block = std::hint::black_box([depth; 128]);
    if depth == u64::MAX {
        return 0;
    }
    overflow_stack(depth + 1) + block[7]
}

pub(crate) fn allocate() -> usize {
    let mut all = Vec::new();
    while all.len() < 1024 {
        all.push(vec![1_u8; 1 << 20]);
    }
    all.len()
}

/// Starts a process that never ends. It holds a connection to the app, so that its end is seen.
#[allow(
    clippy::zombie_processes,
    reason = "the one that starts it ends before it"
)]
pub(crate) fn start_grandchild(escaped: bool) {
    let mut connection = UnixStream::connect(GRANDCHILDREN).unwrap();
    writeln!(connection, "here").unwrap();
    let words: &[&str] = match escaped {
        true => &["setsid", "sleep", "infinity"],
        false => &["sleep", "infinity"],
    };
    Command::new(words[0])
        .args(&words[1..])
        .stdin(OwnedFd::from(connection))
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
}

/// Closes this side of the connection to the app.
pub(crate) fn close_connection() {
    with_connection(|connection| shutdown(connection, Shutdown::Write).unwrap());
}

/// Writes what is no message: its length would be that of four gigabytes.
pub(crate) fn write_garbage() {
    with_connection(|connection| {
        let written = rustix::io::write(connection, &[0xff; 64]).unwrap();
        assert_eq!(written, 64);
    });
}

#[allow(
    unsafe_code,
    reason = "a body that breaks its own process, which the product has to survive"
)]
fn with_connection(deed: impl FnOnce(BorrowedFd<'_>)) {
    let app = rustix::process::getppid();
    for entry in std::fs::read_dir("/proc/self/fd").unwrap().flatten() {
        let Some(Ok(fd)) = entry.file_name().to_str().map(str::parse::<i32>) else {
            continue;
        };
        // SAFETY: it was open a moment ago, and is not kept beyond this turn of the loop.
        let fd = unsafe { BorrowedFd::borrow_raw(fd) };
        if socket_peercred(fd).is_ok_and(|peer| Some(peer.pid) == app) {
            return deed(fd);
        }
    }
    panic!("no connection to the app");
}
