//! An app with a thousand registrations that are not due, and a hundred sockets at which nothing
//! happens, does nothing: it hardly wakes up.

#![cfg(target_os = "linux")]
#![allow(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "programs under test speak to their trial in lines"
)]

#[allow(dead_code, reason = "shared by several programs under test")]
#[path = "app/harness.rs"]
mod harness;
#[path = "app/thousand.rs"]
mod thousand;

use std::{
    collections::BTreeMap, ffi::OsString, os::unix::net::UnixStream, process::ExitCode,
    time::Duration,
};

use bgtask::{
    SocketActivity,
    prelude::{App, AppBuilder, background_task},
    rusqlite::Connection,
};
use libtest_mimic::{Arguments, Trial};
use rustix::{
    event::{PollFd, PollFlags, Timespec, poll},
    process::{Pid, PidfdFlags, Signal, pidfd_open},
};

use harness::Home;

/// The program under test.
mod program {
    use std::time::Duration;

    use super::{App, SOCKETS, UnixStream, answer, setup};

    #[bgtask::main(setup = setup)]
    pub(crate) async fn main(app: App) -> bgtask::Result<()> {
        let mut others = Vec::new();
        for number in 0..SOCKETS {
            let (socket, other) = UnixStream::pair().unwrap();
            let transfer = app.task::<answer>().transfer(number.to_string(), socket);
            transfer.keep_alive(Duration::from_secs(15 * 60)).await?;
            others.push(other);
        }
        let registered = app.registrations().await?;
        println!("registered {}", registered.len());
        // What the start has set in motion is over once the broker answers twice.
        app.why(&registered[0].name).await?;
        println!("idle");
        app.run_until_shutdown().await
    }
}

/// The sockets at which nothing happens.
const SOCKETS: usize = 100;

#[background_task(trigger = socket)]
async fn answer(activity: SocketActivity) {
    panic!("something happened: {activity:?}");
}

fn setup(app: AppBuilder) -> std::io::Result<AppBuilder> {
    Ok(app.id(harness::APP).outbox(harness::home().join("shop.db")))
}

fn main() -> ExitCode {
    if harness::scenario().is_some() {
        return program::main();
    }
    let trials = vec![Trial::test("an_idle_app_hardly_wakes_up", || {
        hardly_wakes();
        Ok(())
    })];
    libtest_mimic::run(&Arguments::from_args(), trials).exit_code()
}

/// The most that the whole process may wake up in [`WATCHED`].
const WAKE_UPS: u64 = 5;

const WATCHED: Duration = Duration::from_secs(10);

fn hardly_wakes() {
    let home = Home::new();
    // An outbox that nobody writes to, from the start: it is not looked at again.
    let shop = Connection::open(home.path("shop.db")).unwrap();
    shop.execute_batch("PRAGMA journal_mode = WAL").unwrap();
    shop.execute_batch(bgtask::outbox::TABLE).unwrap();
    let mut app = home.start("idle");
    assert_eq!(app.line("registered"), "1001");
    app.line("idle");
    let before = wake_ups(app.pid());
    assert!(before.len() < SOCKETS, "{} threads", before.len());
    stays(app.pid(), WATCHED);
    let after = wake_ups(app.pid());
    // A thread that has ended meanwhile had only that to do.
    let woken = after
        .iter()
        .map(|(thread, count)| count - before.get(thread).unwrap_or(&0));
    let woken: u64 = woken.sum();
    assert!(
        woken <= WAKE_UPS,
        "it woke up {woken} times in {WATCHED:?}: {before:?} {after:?}"
    );
    drop(shop);
    app.signal(Signal::TERM);
    app.succeeds();
}

/// Watches a process for so long: it must not end.
fn stays(pid: u32, time: Duration) {
    let pid = Pid::from_raw(i32::try_from(pid).unwrap()).unwrap();
    let process = pidfd_open(pid, PidfdFlags::empty()).unwrap();
    let mut ends = [PollFd::new(&process, PollFlags::IN)];
    let time = Timespec::try_from(time).unwrap();
    assert_eq!(poll(&mut ends, Some(&time)).unwrap(), 0, "it ended");
}

/// How often each of its threads has gone to sleep: each waking ends with that.
fn wake_ups(pid: u32) -> BTreeMap<OsString, u64> {
    let threads = std::fs::read_dir(format!("/proc/{pid}/task")).unwrap();
    threads
        .flatten()
        .map(|thread| {
            let status = std::fs::read_to_string(thread.path().join("status")).unwrap();
            let count = status
                .lines()
                .find_map(|line| line.strip_prefix("voluntary_ctxt_switches:"));
            let count = count.unwrap().trim().parse().unwrap();
            (thread.file_name(), count)
        })
        .collect()
}
