//! One broker for each app id at a time.

use std::{
    fs::{File, OpenOptions, TryLockError},
    os::unix::fs::OpenOptionsExt,
    path::Path,
    time::Duration,
};

use tokio::sync::oneshot;

use crate::{Code, Error, Result, ipc::control};

/// How long a process that holds the lock and does not answer is asked, and the time between: it
/// is starting or ending, which takes moments.
const PATIENCE: Duration = Duration::from_secs(10);
const BETWEEN: Duration = Duration::from_millis(20);

/// The right to be the broker; given up when dropped, and by the kernel when the process dies.
#[derive(Debug)]
pub(super) struct Instance {
    _lock: File,
}

/// How taking the right went.
pub(super) enum Taken {
    /// This process is the broker.
    Ours(Instance),
    /// The app has ended but its process stays until its runs have: wait for it.
    Lingering(Heir),
}

/// The one process that takes over from a lingering one.
pub(super) struct Heir {
    lock: File,
    _turn: File,
}

/// Takes the right, or says who has it.
pub(super) async fn take(state_dir: &Path, runtime_dir: &Path, build: &str) -> Result<Taken> {
    tokio::time::timeout(PATIENCE, ask(state_dir, runtime_dir, build))
        .await
        .unwrap_or_else(|_| Err(second(None)))
}

async fn ask(state_dir: &Path, runtime_dir: &Path, build: &str) -> Result<Taken> {
    let path = state_dir.join("instance.lock");
    let lock = open(&path)?;
    loop {
        if locked(&lock, &path)? {
            return Ok(Taken::Ours(Instance { _lock: lock }));
        }
        if let Ok(Some(mut client)) = control::Client::connect(runtime_dir).await {
            let hello = client.hello();
            if hello.mode == control::Mode::App {
                return Err(second(Some(hello.pid)));
            }
            let taken = inherit(state_dir, lock)?;
            let build = build.to_owned();
            // One that is too old to understand ends when its runs have.
            let _ = client.ask(&control::Request::Replaced { build }).await;
            return Ok(taken);
        }
        // It is about to serve its socket, or about to give up the lock.
        tokio::time::sleep(BETWEEN).await;
    }
}

/// Of several that are started while a process lingers, one takes over.
fn inherit(state_dir: &Path, lock: File) -> Result<Taken> {
    let path = state_dir.join("heir.lock");
    let turn = open(&path)?;
    if locked(&turn, &path)? {
        Ok(Taken::Lingering(Heir { lock, _turn: turn }))
    } else {
        Err(second(None))
    }
}

fn open(path: &Path) -> Result<File> {
    OpenOptions::new()
        .create(true)
        .truncate(false)
        .write(true)
        .mode(0o600)
        .open(path)
        .map_err(|error| unusable(path, "opened").source(error))
}

/// Takes a lock, unless another process has it.
fn locked(lock: &File, path: &Path) -> Result<bool> {
    match lock.try_lock() {
        Ok(()) => Ok(true),
        Err(TryLockError::WouldBlock) => Ok(false),
        Err(TryLockError::Error(error)) => Err(unusable(path, "locked")
            .source(error)
            .remedy("keep the state on a local file system that has locks")),
    }
}

fn unusable(path: &Path, what: &str) -> Error {
    let rule = format!("`{}` cannot be {what}", path.display());
    Error::new(Code::Directory, rule)
}

/// Waits until the lingering process has ended.
pub(super) async fn wait(heir: Heir) -> Result<Instance> {
    let (taken, waits) = oneshot::channel();
    // The thread stays when this is abandoned, and the turn is another process's then.
    let lock = heir.lock.try_clone();
    let lock = lock.map_err(|error| second(None).source(error))?;
    // A thread of its own: no runtime waits for it when the app ends before.
    let thread = std::thread::Builder::new().name("bgtask-heir".to_owned());
    let waiting = thread.spawn(move || taken.send(lock.lock()));
    waiting.map_err(|error| second(None).source(error))?;
    match waits.await {
        Ok(Ok(())) => Ok(Instance { _lock: heir.lock }),
        Ok(Err(error)) => Err(second(None).source(error)),
        Err(_) => Err(Error::closing()),
    }
}

fn second(pid: Option<u32>) -> Error {
    let who = pid.map_or_else(String::new, |pid| format!(" (process {pid})"));
    Error::new(
        Code::SecondBroker,
        format!("another process is the broker of this app{who}"),
    )
    .remedy("close it first, or give this program an id of its own: `AppBuilder::id(\"…\")`")
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt;

    use super::*;

    #[tokio::test]
    async fn who_waits_no_longer_leaves_the_turn_to_others() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("instance.lock");
        let lingering = open(&path).unwrap();
        lingering.lock().unwrap();
        let heir = || match inherit(dir.path(), open(&path).unwrap()) {
            Ok(Taken::Lingering(heir)) => Some(heir),
            _ => None,
        };
        let first = heir().unwrap();
        assert!(heir().is_none(), "one takes over");
        assert!(wait(first).now_or_never().is_none());
        let second = heir().expect("the first has left");
        drop(lingering);
        wait(second).await.unwrap();
    }

    #[tokio::test(start_paused = true)]
    async fn who_has_the_lock_and_no_socket_is_waited_for_and_then_refused() {
        let dir = tempfile::tempdir().unwrap();
        let Ok(Taken::Ours(first)) = take(dir.path(), dir.path(), "1").await else {
            panic!("nobody else has it");
        };
        let error = take(dir.path(), dir.path(), "1").await.err().unwrap();
        assert_eq!(error.code(), Code::SecondBroker);

        let ends = async {
            tokio::time::sleep(Duration::from_secs(1)).await;
            drop(first);
        };
        let (taken, ()) = tokio::join!(take(dir.path(), dir.path(), "1"), ends);
        assert!(matches!(taken, Ok(Taken::Ours(_))));
    }
}
