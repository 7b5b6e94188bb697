//! Histories with one fault each. Were the judge blind to one, the proof would prove less.

use bgtask::{ActivationId, KillCause, Outcome, RegistrationId, RunId, RunRecord, Suppression};
use jiff::Timestamp;

use crate::{Result, judge::compare, ledger::Told, victim};

/// Where the sound history has what, newest first.
const AGAIN: usize = 0;
const FLAKY: usize = 1;
const TICK: usize = 3;
const QUICK: usize = 4;

/// What the judge says, and a change to the sound history that makes it say so.
type Fault = (&'static str, fn(&mut Vec<RunRecord>));

const FAULTS: [Fault; 13] = [
    ("is lost", |runs| drop(runs.remove(QUICK))),
    ("is not in the history", |runs| {
        runs[AGAIN].run = RunId::now()
    }),
    ("has 2 final outcomes", |runs| {
        let more = RunRecord {
            run: RunId::now(),
            attempt: 2,
            ..runs[QUICK].clone()
        };
        runs.insert(0, more);
    }),
    ("has 0 final outcomes", |runs| {
        runs[QUICK].retry_at = Some(Timestamp::UNIX_EPOCH);
    }),
    ("signal 9", |runs| {
        let cause = KillCause::Signal { signal: 9 };
        runs[QUICK].outcome = Outcome::Killed { cause };
    }),
    ("suppressed:", |runs| {
        let why = Suppression::PendingFull;
        runs[QUICK].outcome = Outcome::Suppressed { why };
    }),
    ("became quick", |runs| {
        runs[QUICK].outcome = Outcome::Completed { value: 6.into() };
    }),
    ("became hosted", |runs| {
        runs[QUICK].task = victim::HOSTED.to_owned();
    }),
    ("in two activations", |runs| {
        let more = RunRecord {
            run: RunId::now(),
            activation: ActivationId::now(),
            ..runs[TICK].clone()
        };
        runs.insert(0, more);
    }),
    ("due times of tick are not of the schedule", |runs| {
        let due = "2026-01-01T00:00:00.03Z";
        runs.insert(0, completed(victim::TICK, 1, due.into()));
    }),
    ("is not a due time", |runs| {
        runs[TICK].outcome = Outcome::Completed { value: 6.into() };
    }),
    ("has the attempts [1, 1]", |runs| runs[FLAKY].attempt = 1),
    ("did not fail first", |runs| {
        runs.insert(0, completed(victim::FLAKY, 1, 10.into()));
    }),
];

pub(crate) fn each_kind_is_found() -> Result<()> {
    let sound = sound();
    let told = |run: &RunRecord, what: &str| Told {
        task: run.task.clone(),
        activation: run.activation,
        what: what.to_owned(),
    };
    let accepted = [told(&sound[QUICK], "7"), told(&sound[TICK], "-")];
    let ended = [told(&sound[AGAIN], &sound[AGAIN].run.to_string())];
    let (figures, faults) = compare(&accepted, &ended, &sound);
    let counts = [
        figures.acknowledged,
        figures.ended,
        figures.recorded,
        figures.repeated,
        figures.executed_again,
    ];
    if !faults.is_empty() || counts != [2, 1, 4, 2, 1] {
        return Err(format!("a sound history gives {figures:?} {faults:?}").into());
    }
    for (expected, change) in FAULTS {
        let mut history = sound.clone();
        change(&mut history);
        let (_, faults) = compare(&accepted, &ended, &history);
        if !faults.iter().any(|fault| fault.contains(expected)) {
            return Err(format!("`{expected}` was not found: {faults:?}").into());
        }
    }
    Ok(())
}

fn sound() -> Vec<RunRecord> {
    let tried = completed(victim::FLAKY, 2, 8.into());
    let failed = RunRecord {
        run: RunId::now(),
        attempt: 1,
        outcome: Outcome::Failed {
            error: "the first attempt fails".to_owned(),
        },
        retry_at: Some(Timestamp::UNIX_EPOCH),
        ..tried.clone()
    };
    vec![
        completed(victim::HOSTED, 3, 9.into()),
        tried,
        failed,
        completed(victim::TICK, 1, "2026-01-01T00:00:00.02Z".into()),
        completed(victim::QUICK, 1, 7.into()),
    ]
}

fn completed(task: &str, attempt: u32, value: serde_json::Value) -> RunRecord {
    RunRecord {
        run: RunId::now(),
        activation: ActivationId::now(),
        registration: RegistrationId::now(),
        task: task.to_owned(),
        attempt,
        accepted: Timestamp::UNIX_EPOCH,
        started: Some(Timestamp::UNIX_EPOCH),
        ended: Timestamp::UNIX_EPOCH,
        outcome: Outcome::Completed { value },
        progress: None,
        retry_at: None,
    }
}
