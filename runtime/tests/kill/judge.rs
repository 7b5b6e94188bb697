//! Compares what was acknowledged with what the history says.

use std::{
    collections::{BTreeMap, HashMap, HashSet},
    fmt,
};

use bgtask::{ActivationId, CancelReason, Outcome, RunRecord};
use jiff::Timestamp;

use crate::{caller, ledger::Told, victim};

/// How much happened.
#[derive(Debug, Default)]
pub(crate) struct Figures {
    pub(crate) acknowledged: u64,
    /// Of these, what a caller was told.
    pub(crate) called: u64,
    /// Ends that the victim was told.
    pub(crate) ended: u64,
    /// Activations in the history.
    pub(crate) recorded: u64,
    /// Activations that were started more than once.
    pub(crate) repeated: u64,
    /// Activations that were started, left no record of that start, and were started again.
    pub(crate) executed_again: u64,
    /// Due times that ran.
    pub(crate) ticks: u64,
    /// Acknowledged, for each task.
    tasks: BTreeMap<String, u64>,
}

impl Figures {
    /// Acknowledged because the victim asked for them, not the clock.
    pub(crate) fn requested(&self) -> u64 {
        let requested = self
            .tasks
            .iter()
            .filter(|(task, _)| !victim::is_timed(task));
        requested.map(|(_, count)| count).sum()
    }
}

impl fmt::Display for Figures {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{} acknowledged, {} of them to callers; {} recorded, {} ends told; {} with more than one attempt, {} of them \
             re-executed after a kill; {} due times ran; acknowledged by task: {:?}",
            self.acknowledged,
            self.called,
            self.recorded,
            self.ended,
            self.repeated,
            self.executed_again,
            self.ticks,
            self.tasks
        )
    }
}

/// How much happened, and what is wrong.
pub(crate) fn compare(
    accepted: &[Told],
    ended: &[Told],
    history: &[RunRecord],
) -> (Figures, Vec<String>) {
    let mut figures = Figures::default();
    let mut faults = Vec::new();
    let mut activations: HashMap<ActivationId, Vec<&RunRecord>> = HashMap::new();
    // The history is newest first.
    for run in history.iter().rev() {
        activations.entry(run.activation).or_default().push(run);
    }
    let mut known = HashSet::new();
    for one in accepted.iter().filter(|one| known.insert(one.activation)) {
        figures.acknowledged += 1;
        figures.called += u64::from(caller::is_its(&one.what));
        *figures.tasks.entry(one.task.clone()).or_default() += 1;
        match activations.get(&one.activation) {
            None => faults.push(format!("{} {} is lost", one.task, one.activation)),
            Some(runs) => faults.extend(differs(one, runs)),
        }
    }
    let finals: HashSet<String> = history
        .iter()
        .filter(|run| run.retry_at.is_none())
        .map(|run| run.run.to_string())
        .collect();
    for one in ended {
        figures.ended += 1;
        if !finals.contains(&one.what) {
            faults.push(format!(
                "the end of {} {} is not in the history",
                one.task, one.activation
            ));
        }
    }
    let mut values = HashSet::new();
    let mut due: BTreeMap<&str, Vec<i128>> = BTreeMap::new();
    for runs in activations.values() {
        figures.recorded += 1;
        let last = runs[runs.len() - 1];
        faults.extend(outcome(runs));
        if last.attempt > 1 {
            figures.repeated += 1;
        }
        if last.attempt as usize > runs.len() {
            figures.executed_again += 1;
        }
        let Outcome::Completed { value } = &last.outcome else {
            continue;
        };
        if !values.insert((&last.task, value.to_string())) {
            faults.push(format!("{} ran for {value} in two activations", last.task));
        }
        if victim::is_timed(&last.task) {
            figures.ticks += 1;
            let at = value.as_str().and_then(|at| at.parse::<Timestamp>().ok());
            match at {
                Some(at) => due.entry(&last.task).or_default().push(at.as_nanosecond()),
                None => faults.push(format!("{value} is not a due time")),
            }
        }
    }
    for (task, period) in victim::TIMED {
        let due = due.remove(task).unwrap_or_default();
        let off = |at: &&i128| (**at - due[0]) % (period * 1_000_000) != 0;
        let off = due.iter().filter(off).count();
        if off > 0 {
            faults.push(format!("{off} due times of {task} are not of the schedule"));
        }
    }
    (figures, faults)
}

/// What was acknowledged and what became of it.
fn differs(accepted: &Told, runs: &[&RunRecord]) -> Option<String> {
    let last = runs.last()?;
    let same = match &last.outcome {
        Outcome::Completed { value } => {
            accepted.what == "-" || accepted.what.parse().ok() == value.as_u64()
        }
        // Judged below.
        _ => true,
    };
    (last.task != accepted.task || !same)
        .then(|| format!("{accepted:?} became {} {:?}", last.task, last.outcome))
}

/// What is wrong with the records of one activation, oldest first.
fn outcome(runs: &[&RunRecord]) -> Vec<String> {
    let last = runs[runs.len() - 1];
    let which = format!("{} {}", last.task, last.activation);
    let mut faults = Vec::new();
    let finals = runs.iter().filter(|run| run.retry_at.is_none()).count();
    if finals != 1 || last.retry_at.is_some() {
        faults.push(format!("{which} has {finals} final outcomes"));
    }
    let good = match &last.outcome {
        Outcome::Completed { .. } => true,
        // The clock goes on while others are finished with: a due time may come when the one
        // before it still runs or waits, and the last may be running when the app is closed.
        Outcome::Suppressed { .. }
        | Outcome::Cancelled {
            reason: CancelReason::Terminating,
            ..
        } => victim::is_timed(&last.task),
        _ => false,
    };
    if !good {
        faults.push(format!("{which} {}", last.outcome));
    }
    if !runs.is_sorted_by(|one, next| one.attempt < next.attempt) {
        let attempts: Vec<u32> = runs.iter().map(|run| run.attempt).collect();
        faults.push(format!("{which} has the attempts {attempts:?}"));
    }
    if last.task == victim::FLAKY && last.attempt == 1 {
        faults.push(format!("{which} did not fail first"));
    }
    faults
}
