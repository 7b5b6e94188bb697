//! What several processes and a kill leave: a test starts itself again as the other process.

use std::{
    io::{BufRead, BufReader, Write},
    path::Path,
    process::{Child, ChildStdout, Command, Stdio},
};

use futures_util::future::join_all;

use super::*;

/// Where the other process finds the store.
pub(super) const DIRECTORY: &str = "BGTASK_TEST_STORE";

/// Before each acknowledged activation's id; the test harness writes there, too.
const ACKNOWLEDGED: &str = "acknowledged ";

/// This test again, in a process of its own, on this store.
fn start(test: &str, directory: &Path) -> (Child, BufReader<ChildStdout>) {
    again(&format!("{}::{test}", module_path!()), directory)
}

/// A test again, by its whole path, in a process of its own, on this store.
pub(super) fn again(test: &str, directory: &Path) -> (Child, BufReader<ChildStdout>) {
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "--nocapture"])
        .arg(test.split_once("::").unwrap().1)
        .env(DIRECTORY, directory)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let output = BufReader::new(child.stdout.take().unwrap());
    (child, output)
}

/// The next ids that the other process says are kept; fewer when it has ended.
fn acknowledged(output: &mut BufReader<ChildStdout>, count: usize) -> Vec<ActivationId> {
    let mut ids = Vec::new();
    let mut line = String::new();
    while ids.len() < count {
        line.clear();
        if output.read_line(&mut line).unwrap() == 0 {
            break;
        }
        // A kill may cut the last line.
        let id = line
            .ends_with('\n')
            .then(|| line.trim_end().split_once(ACKNOWLEDGED))
            .flatten();
        ids.extend(id.map(|(_, id)| id.parse::<ActivationId>().unwrap()));
    }
    ids
}

/// Accepts activations in groups, and tells each that is kept.
async fn write(directory: &Path, groups: usize) {
    let store = SqliteStore::open(directory).unwrap();
    for _ in 0..groups {
        let new: Vec<_> = (0..10).map(|_| new()).collect();
        let kept = join_all(new.iter().map(|one| store.enqueue(vec![one.clone()]))).await;
        let mut output = std::io::stdout().lock();
        for (one, kept) in new.iter().zip(kept) {
            kept.unwrap();
            writeln!(output, "{ACKNOWLEDGED}{}", one.id).unwrap();
        }
    }
}

fn new() -> NewActivation {
    super::new("")
}

async fn kept(store: &SqliteStore) -> Vec<ActivationId> {
    let all = store.activations().await.unwrap();
    all.iter().map(|one| one.id).collect()
}

#[tokio::test]
async fn processes_lose_nothing_of_each_other() {
    if let Some(directory) = std::env::var_os(DIRECTORY) {
        return write(Path::new(&directory), 30).await;
    }
    let directory = tempfile::tempdir().unwrap();
    let store = SqliteStore::open(directory.path()).unwrap();
    let mut changed = store.changed();
    let mut others: Vec<_> = (0..2)
        .map(|_| start("processes_lose_nothing_of_each_other", directory.path()))
        .collect();
    let mut expected = Vec::new();
    for _ in 0..100 {
        let one = new();
        store.enqueue(vec![one.clone()]).await.unwrap();
        expected.push(one.id);
    }
    for (child, output) in &mut others {
        let ids = acknowledged(output, usize::MAX);
        assert_eq!(ids.len(), 300);
        expected.extend(ids);
        assert!(child.wait().unwrap().success());
    }
    expected.sort();
    let mut found = kept(&store).await;
    found.sort();
    assert_eq!(found, expected);
    if cfg!(target_os = "linux") {
        changed.changed().await.unwrap();
    }
}

#[tokio::test]
async fn what_was_acknowledged_survives_a_kill() {
    if let Some(directory) = std::env::var_os(DIRECTORY) {
        return write(Path::new(&directory), usize::MAX).await;
    }
    let directory = tempfile::tempdir().unwrap();
    let mut expected = Vec::new();
    for round in 1..=5 {
        let mut others: Vec<_> = (0..2)
            .map(|_| start("what_was_acknowledged_survives_a_kill", directory.path()))
            .collect();
        for (child, output) in &mut others {
            expected.extend(acknowledged(output, 37 * round));
            child.kill().unwrap();
            expected.extend(acknowledged(output, usize::MAX));
            assert!(!child.wait().unwrap().success());
        }
        let store = SqliteStore::open(directory.path()).unwrap();
        let found = kept(&store).await;
        let lost: Vec<_> = expected.iter().filter(|id| !found.contains(id)).collect();
        assert!(lost.is_empty(), "lost {lost:?}");
        let own = new();
        store.enqueue(vec![own.clone()]).await.unwrap();
        expected.push(own.id);
    }
    assert!(expected.len() > 5 * 2 * 37);
}
