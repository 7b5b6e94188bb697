//! What the process of a task is: its environment, its priority, its sandbox.

use std::{
    fs,
    path::{Path, PathBuf},
};

use bgtask::{App, KillCause, Outcome, prelude::*};
use libtest_mimic::Trial;
use serde::{Deserialize, Serialize};

use crate::{checked, harness, trial};

pub(crate) fn trials() -> Vec<Trial> {
    let mut trials: Vec<Trial> = [
        "a_host_sees_what_the_app_adds_to_its_environment",
        "a_nice_host_is_nice_in_all_its_threads_and_to_the_disk",
        "a_sandbox_lets_its_paths_be_read_and_written",
        "a_sandbox_keeps_from_all_others",
        "a_sandbox_holds_threads_and_programs_too",
        "a_sandbox_without_one_of_its_paths_runs_no_body",
    ]
    .map(checked)
    .into();
    trials.push(trial("a_host_without_a_hello_says_why", without_a_hello));
    trials.push(trial(
        "a_host_whose_app_is_gone_ends_without_a_word",
        after_its_app,
    ));
    trials.push(trial(
        "an_app_that_a_host_starts_is_no_host_whatever_its_input_is",
        started_by_a_host,
    ));
    trials
}

pub(crate) async fn play(app: &App, name: &str) -> bool {
    match name {
        "a_host_sees_what_the_app_adds_to_its_environment" => {
            let seen = seen(app, "variable", Look::Variable("TEST_ADDED".to_owned())).await;
            assert_eq!(seen, Ok("added".to_owned()));
            let seen = self::seen(app, "variable", Look::Variable("TEST_OTHER".to_owned())).await;
            assert_eq!(seen, Err("environment variable not found".to_owned()));
            let seen = self::seen(app, "variable", Look::Variable("OWN".to_owned())).await;
            assert_eq!(seen, Ok("declared".to_owned()));
        }
        "a_nice_host_is_nice_in_all_its_threads_and_to_the_disk" => {
            let seen = seen(app, "nice", Look::Priorities).await.unwrap();
            let (io, threads) = seen.split_once(' ').unwrap();
            assert_eq!(io, "3", "the idle class");
            let mut threads: Vec<&str> = threads.split(' ').collect();
            assert!(threads.len() > 2, "{threads:?}");
            threads.dedup();
            assert_eq!(threads, ["17"]);
        }
        "a_sandbox_lets_its_paths_be_read_and_written" => {
            let home = furnished();
            let read = home.join("readable/file");
            let seen = sandboxed_sees(app, Look::Read(read)).await;
            assert_eq!(seen, Ok("there".to_owned()));
            for (at, name) in [("writable", "new"), ("writable", "file")] {
                let path = home.join(at).join(name);
                let seen = sandboxed_sees(app, Look::Write(path.clone())).await;
                assert_eq!(seen, Ok(String::new()));
                assert_eq!(fs::read_to_string(&path).unwrap(), "written");
                let seen = sandboxed_sees(app, Look::Read(path)).await;
                assert_eq!(seen, Ok("written".to_owned()));
            }
            for path in ["/dev/urandom", "/etc/passwd", "/proc/self/status"] {
                let seen = sandboxed_sees(app, Look::Open(path.into())).await;
                assert_eq!(seen, Ok(String::new()), "{path}");
            }
        }
        "a_sandbox_keeps_from_all_others" => {
            let home = furnished();
            for look in [
                Look::Read(home.join("secret")),
                Look::Open(home.clone()),
                Look::Open("/etc".into()),
                Look::Write(home.join("secret")),
                Look::Write(home.join("new")),
                Look::Write(home.join("readable/file")),
                Look::Write(home.join("readable/new")),
                Look::Truncate(home.join("secret")),
                Look::Rename(home.join("writable/file"), home.join("readable/moved")),
            ] {
                let seen = sandboxed_sees(app, look.clone()).await;
                assert!(is_denied(&seen), "{look:?}: {seen:?}");
            }
            assert_eq!(fs::read_to_string(home.join("secret")).unwrap(), "hidden");
        }
        "a_sandbox_holds_threads_and_programs_too" => {
            let home = furnished();
            let seen = sandboxed_sees(app, Look::Cat(home.join("readable/file"))).await;
            assert_eq!(seen, Ok("there".to_owned()));
            let seen = sandboxed_sees(app, Look::Cat(home.join("secret"))).await;
            assert!(is_denied(&seen), "{seen:?}");
            let seen = sandboxed_sees(app, Look::InThread(home.join("secret"))).await;
            assert!(is_denied(&seen), "{seen:?}");
        }
        "a_sandbox_without_one_of_its_paths_runs_no_body" => {
            let home = furnished();
            fs::remove_dir(home.join("tools")).unwrap();
            let error = match ended(app, "sandboxed", Look::Read(home.join("secret"))).await {
                Outcome::Killed {
                    cause: KillCause::HostSettings { error },
                } => error,
                other => panic!("{other:?}"),
            };
            let missing = home.join("tools");
            assert!(error.contains(missing.to_str().unwrap()), "{error}");
        }
        _ => return false,
    }
    true
}

/// The home of the program under test, with something in it.
fn furnished() -> PathBuf {
    let home = harness::home();
    for (name, text) in [("readable", "there"), ("writable", "before")] {
        fs::create_dir(home.join(name)).unwrap();
        fs::write(home.join(name).join("file"), text).unwrap();
    }
    fs::create_dir(home.join("tools")).unwrap();
    fs::write(home.join("secret"), "hidden").unwrap();
    home
}

fn is_denied(seen: &Result<String, String>) -> bool {
    // Moving a file to where it may not be is told as moving it to another disk.
    let denials = ["Permission denied", "cross-device"];
    let denied = |error: &String| denials.iter().any(|denial| error.contains(denial));
    seen.as_ref().is_err_and(denied)
}

async fn sandboxed_sees(app: &App, look: Look) -> Result<String, String> {
    seen(app, "sandboxed", look).await
}

async fn seen(app: &App, task: &str, look: Look) -> Result<String, String> {
    match ended(app, task, look).await {
        Outcome::Completed { value } => Ok(serde_json::from_value(value).unwrap()),
        Outcome::Failed { error } => Err(error),
        other => panic!("{other:?}"),
    }
}

async fn ended(app: &App, task: &str, look: Look) -> Outcome {
    let handle = app.task_named::<look_around>(task).unwrap();
    let mut run = handle.request(look).await.unwrap().allowed().unwrap();
    run.ended().await.unwrap()
}

/// What a body is to look at.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) enum Look {
    Variable(String),
    /// The class of this thread's disk work, and the CPU priority of each thread.
    Priorities,
    Read(PathBuf),
    Open(PathBuf),
    Write(PathBuf),
    Truncate(PathBuf),
    Rename(PathBuf, PathBuf),
    /// Reads on a new thread.
    InThread(PathBuf),
    /// Reads with another program.
    Cat(PathBuf),
}

#[background_task(name = "variable", trigger = application, host = process("variable"), env(OWN = "declared"))]
#[background_task(name = "nice", trigger = application, host = process("nice"), nice = 17)]
#[background_task(
    name = "sandboxed",
    trigger = application,
    host = process("sandboxed"),
    sandbox(read = ["~/readable", "~/tools", "/usr/bin"], write = ["~/writable"]),
)]
pub(crate) fn look_around(Args(look): Args<Look>) -> Result<String, String> {
    look_at(look).map_err(|error| error.to_string())
}

fn look_at(look: Look) -> Result<String, Box<dyn std::error::Error>> {
    let read = |path: &Path| fs::read_to_string(path);
    Ok(match look {
        Look::Variable(name) => std::env::var(name)?,
        Look::Priorities => priorities()?,
        Look::Read(path) => read(&path)?,
        Look::Open(path) => fs::File::open(path).map(|_| String::new())?,
        Look::Write(path) => fs::write(path, "written").map(|()| String::new())?,
        Look::Truncate(path) => truncate(&path).map(|()| String::new())?,
        Look::Rename(from, to) => fs::rename(from, to).map(|()| String::new())?,
        Look::InThread(path) => std::thread::spawn(move || read(&path)).join().unwrap()?,
        Look::Cat(path) => {
            let output = std::process::Command::new("/usr/bin/cat")
                .arg(path)
                .output()?;
            if !output.status.success() {
                return Err(String::from_utf8(output.stderr)?.into());
            }
            String::from_utf8(output.stdout)?
        }
    })
}

/// Empties a file that is not opened.
#[allow(unsafe_code, reason = "the standard library opens the file first")]
fn truncate(path: &Path) -> std::io::Result<()> {
    let path = std::ffi::CString::new(path.as_os_str().as_encoded_bytes())?;
    // SAFETY: the path ends with a zero and outlives the call.
    match unsafe { libc::truncate(path.as_ptr(), 0) } {
        0 => Ok(()),
        _ => Err(std::io::Error::last_os_error()),
    }
}

#[allow(unsafe_code, reason = "no crate here reads the class of disk work")]
fn priorities() -> Result<String, Box<dyn std::error::Error>> {
    // SAFETY: takes two numbers and changes no memory; 1 and 0 are the calling thread.
    let io = unsafe { libc::syscall(libc::SYS_ioprio_get, 1_i64, 0_i64) } >> 13;
    let mut seen = io.to_string();
    for thread in fs::read_dir("/proc/self/task")? {
        let stat = fs::read_to_string(thread?.path().join("stat"))?;
        // The number of the field is told from behind the name, which may have spaces.
        let (_, fields) = stat.rsplit_once(") ").ok_or("a line")?;
        seen.push(' ');
        seen.push_str(fields.split(' ').nth(16).ok_or("a priority")?);
    }
    Ok(seen)
}

/// A program that is called a host, and hears what is no hello.
fn without_a_hello() {
    use std::{io::Write, os::fd::OwnedFd, os::unix::net::UnixStream, process::Stdio};

    let (mut ours, theirs) = UnixStream::pair().unwrap();
    ours.write_all(&[0, 0, 0, 1, 0xc1]).unwrap();
    let output = harness::Home::new()
        .command("none")
        .env("BGTASK_HOST", format!("{}:", std::process::id()))
        .stdin(Stdio::from(OwnedFd::from(theirs)))
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(1));
    let said = String::from_utf8(output.stderr).unwrap();
    let why = "bgtask: this process cannot serve background tasks: a message cannot be read: ";
    assert!(said.starts_with(why), "{said}");
}

/// The mark is inherited, here with another maker than this process.
fn started_by_a_host() {
    use std::{os::fd::OwnedFd, os::unix::net::UnixStream, process::Stdio};

    let (_ours, theirs) = UnixStream::pair().unwrap();
    let status = harness::Home::new()
        .command("none")
        .env("BGTASK_HOST", "1:another")
        .stdin(Stdio::from(OwnedFd::from(theirs)))
        .status()
        .unwrap();
    // Its `main` came to play, and there is no such scenario.
    assert_eq!(status.code(), Some(102));
}

/// The app ended while its host started.
fn after_its_app() {
    use std::{
        os::{fd::OwnedFd, unix::net::UnixStream, unix::process::ExitStatusExt},
        process::Stdio,
    };

    let (ours, theirs) = UnixStream::pair().unwrap();
    drop(ours);
    let output = harness::Home::new()
        .command("none")
        .env("BGTASK_HOST", format!("{}:", std::process::id()))
        .stdin(Stdio::from(OwnedFd::from(theirs)))
        .output()
        .unwrap();
    assert_eq!(output.status.signal(), Some(9));
    assert_eq!(String::from_utf8(output.stderr).unwrap(), "");
}
