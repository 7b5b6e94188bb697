//! Several processes that register one name at one time.

use std::{
    io::{BufRead, Write},
    path::Path,
};

use super::{
    processes::{DIRECTORY, again},
    *,
};
use crate::store::{OnDuplicate, Registering};

/// How often they race; `cargo xtask soak` says more.
const RACES: &str = "BGTASK_REGISTER_RACES";

/// Before each answer of the other process; the test harness writes there, too.
const ANSWER: &str = "answer ";

fn order(round: usize) -> OnDuplicate {
    [OnDuplicate::Replace, OnDuplicate::Keep, OnDuplicate::Error][round % 3]
}

fn made(name: &str) -> NewRegistration {
    NewRegistration {
        origin: Origin::Built,
        ..task(name)
    }
}

/// Registers for each round that it is told, and answers what became of it.
async fn race(directory: &Path) {
    let store = SqliteStore::open(directory).unwrap();
    say("ready");
    for line in std::io::stdin().lines() {
        let name = line.unwrap();
        let round = name.parse().unwrap();
        let done = store
            .register(made(&name), order(round), None, Timestamp::UNIX_EPOCH)
            .await;
        let answer = match done {
            Ok(Registering::Added { record, .. }) => format!("added {}", record.id),
            Ok(Registering::Replaced { old, .. }) => format!("replaced {old}"),
            Ok(Registering::Kept(record)) => format!("kept {}", record.id),
            Err(error) => error.code().as_str().to_owned(),
        };
        say(&answer);
    }
}

fn say(answer: &str) {
    writeln!(std::io::stdout(), "{ANSWER}{answer}").unwrap();
}

fn answer(output: &mut impl BufRead) -> String {
    let mut line = String::new();
    loop {
        line.clear();
        assert_ne!(output.read_line(&mut line).unwrap(), 0, "it has ended");
        if let Some((_, answer)) = line.trim_end().split_once(ANSWER) {
            return answer.to_owned();
        }
    }
}

#[tokio::test]
async fn processes_that_register_one_name_leave_one_record() {
    if let Some(directory) = std::env::var_os(DIRECTORY) {
        return race(Path::new(&directory)).await;
    }
    let rounds = std::env::var(RACES).map_or(30, |rounds| rounds.parse().unwrap());
    let directory = tempfile::tempdir().unwrap();
    let test = format!(
        "{}::processes_that_register_one_name_leave_one_record",
        module_path!()
    );
    let mut others: Vec<_> = (0..2).map(|_| again(&test, directory.path())).collect();
    for (_, output) in &mut others {
        assert_eq!(answer(output), "ready");
    }
    let store = SqliteStore::open(directory.path()).unwrap();
    for round in 0..rounds {
        for (child, _) in &mut others {
            writeln!(child.stdin.as_ref().unwrap(), "{round}").unwrap();
        }
        let mut answers: Vec<_> = others.iter_mut().map(|(_, out)| answer(out)).collect();
        answers.sort_by_key(|answer| !answer.starts_with("added"));
        let id = answers[0].strip_prefix("added ").expect("one was first");
        let second = match order(round) {
            OnDuplicate::Replace => format!("replaced {id}"),
            OnDuplicate::Keep => format!("kept {id}"),
            _ => "duplicate-name".to_owned(),
        };
        assert_eq!(answers[1], second);
        let kept = store.registrations().await.unwrap();
        assert_eq!(kept.len(), 1, "{kept:?}");
        assert_eq!(kept[0].name, round.to_string());
        let gone = store.unregister(vec![kept[0].id], Timestamp::UNIX_EPOCH);
        assert_eq!(gone.await.unwrap(), [true]);
    }
    for (mut child, _) in others {
        drop(child.stdin.take());
        assert!(child.wait().unwrap().success());
    }
}
