//! Processes that do not get ready.

use super::*;

#[tokio::test]
async fn a_run_may_be_cancelled_before_its_host_is_ready() {
    let mut set = set_of(config("mute"));
    let run = set.start("value");
    set.hosts.cancel(run, CancelReason::Abort);
    assert_eq!(
        set.events.finished(run).await,
        Outcome::Cancelled {
            reason: CancelReason::Abort,
            overrun: false
        }
    );
    set.events.nothing_more();
}

#[tokio::test]
async fn a_host_that_never_gets_ready_is_killed() {
    let mut set = set_of(config("mute"));
    let run = set.start("value");
    set.clock.pass(STARTUP).await;
    assert_eq!(
        set.events.finished(run).await,
        lost("it was not ready within 60s")
    );
}

#[tokio::test]
async fn a_host_that_hangs_in_its_start_ends_with_the_app() {
    let mut set = set_of(config("mute"));
    let run = set.start("value");
    // It is spawned before its time to start begins.
    set.clock.is_waited_for(STARTUP).await;
    drop(set.hosts);
    // Only the end of the process leads here: no time passes for a signal.
    assert_eq!(
        set.events.finished(run).await,
        lost("the app gave up its hosts")
    );
    set.events.nothing_more();
}

#[tokio::test]
async fn a_failed_setup_names_its_error_to_every_waiting_run() {
    let mut set = set_of(config("setup fails"));
    let runs = [set.start("value"), set.start("value")];
    let outcome = killed(KillCause::HostSetup {
        error: "no database".to_owned(),
    });
    for run in runs {
        assert_eq!(set.events.finished(run).await, outcome);
    }
    set.events.nothing_more();
}

#[tokio::test]
async fn a_host_that_talks_garbage_is_killed() {
    for (script, detail) in [
        ("garbage", "a message cannot be read"),
        ("endless frame", "a message is too long"),
    ] {
        let mut set = set_of(config(script));
        let run = set.start("value");
        let outcome = set.events.finished(run).await;
        let Outcome::Killed {
            cause: KillCause::HostLost { detail: seen },
        } = &outcome
        else {
            panic!("{script}: {outcome:?}");
        };
        assert!(seen.starts_with(detail), "{script}: {seen}");
        set.events.nothing_more();
    }
}

#[tokio::test]
async fn a_program_that_is_no_host_or_not_there_is_an_outcome() {
    let mut set = set_of(ProcessConfig {
        exe: PathBuf::from("/bin/true"),
        ..config("serves")
    });
    let run = set.start("value");
    assert_eq!(
        set.events.finished(run).await,
        killed(KillCause::Exit { code: 0 })
    );

    let mut set = set_of(ProcessConfig {
        exe: PathBuf::from("/nowhere/at/all"),
        ..config("serves")
    });
    let run = set.start("value");
    let outcome = set.events.finished(run).await;
    assert!(
        matches!(&outcome, Outcome::Killed { cause: KillCause::HostLost { detail } }
            if detail.starts_with("its process could not be started")),
        "{outcome:?}"
    );
}

#[tokio::test]
async fn another_build_of_the_program_is_refused() {
    let directory = tempfile::tempdir().expect("a directory");
    let copy = directory.path().join("copy");
    // By another process: one that another test spawns meanwhile would inherit the file open for
    // writing, and such a file cannot be run.
    let this = std::env::current_exe().expect("this program");
    let status = std::process::Command::new("cp")
        .arg(this)
        .arg(&copy)
        .status();
    assert!(status.expect("cp").success());
    let mut set = set_of(ProcessConfig {
        exe: copy,
        ..config("serves")
    });
    let run = set.start("value");
    assert_eq!(
        set.events.finished(run).await,
        lost("it is another build of the program")
    );
}

/// Its app has ended, and the app's end of the socket is still open.
#[cfg(target_os = "linux")]
#[test]
fn a_host_that_finds_its_app_gone_does_not_become_the_app() {
    let (_ours, theirs) = std::os::unix::net::UnixStream::pair().unwrap();
    let script = r#"maker=$$; exec 3<&0
        { while [ -d /proc/$maker ]; do :; done
          BGTASK_HOST=$maker:x exec "$0" "$@" <&3 3<&-; } 2>&1 &"#;
    let mut app = std::process::Command::new("sh")
        .args(["-c", script])
        .arg(std::env::current_exe().unwrap())
        .args(config("serves").args)
        .env(SCRIPT, "serves")
        .stdin(std::os::fd::OwnedFd::from(theirs))
        .stdout(std::process::Stdio::piped())
        .spawn()
        .unwrap();
    let mut output = app.stdout.take().unwrap();
    app.wait().unwrap();
    let mut told = String::new();
    std::io::Read::read_to_string(&mut output, &mut told).unwrap();
    assert!(told.contains("running 1 test"), "{told}");
    assert!(!told.contains("without its socket"), "{told}");
}
