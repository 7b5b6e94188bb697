//! Kills victims, and compares what is left.

use std::{
    collections::{BTreeMap, BTreeSet},
    env, fs,
    io::{BufRead, BufReader},
    os::unix::process::ExitStatusExt,
    path::Path,
    process::{Child, Command, Stdio},
    sync::mpsc,
    time::Duration,
};

use bgtask::{Outcome, RunRecord, rusqlite::Connection};
use rustix::{
    event::{PollFd, PollFlags, Timespec, poll},
    process::{Pid, PidfdFlags, pidfd_open},
};

use crate::{
    Result,
    random::Random,
    victim::{self, POINTS, Point},
};

/// No step takes so long, even on a busy machine.
const LONG: Duration = Duration::from_secs(120);

pub(crate) fn each_row_has_one_outcome() -> Result<()> {
    let kills = number("BGTASK_OUTBOX_KILLS", 10)?;
    let seed = number("BGTASK_SEED", 20_260_101)?;
    println!("BGTASK_SEED={seed} BGTASK_OUTBOX_KILLS={kills}");
    let mut random = Random(seed);
    let directory = tempfile::Builder::new().prefix("bgt").tempdir()?;
    let place = directory.path();
    Connection::open(place.join(victim::DATABASE))?.execute_batch(
        "PRAGMA journal_mode = WAL;
         CREATE TABLE orders (number INTEGER PRIMARY KEY, activation TEXT NOT NULL);",
    )?;
    for (count, point) in (0..kills).zip(POINTS.into_iter().cycle()) {
        let times = match point {
            Point::Committed => random.below(20),
            _ => random.below(4),
        };
        let mut child = start(place, &format!("{point:?} {times}"))?;
        if point == Point::Anywhere {
            ready(&mut child)?;
            let rest = Duration::from_micros(random.below(50_000));
            std::thread::sleep(rest);
            child.kill()?;
        }
        let status = ended(&mut child)?;
        if status.signal() != Some(9) {
            return Err(format!("victim {count}, {point:?}: {status}").into());
        }
    }
    let mut last = start(place, "End")?;
    let status = ended(&mut last)?;
    if !status.success() {
        return Err(format!("what is left does not end: {status}").into());
    }
    compare(place, kills)
}

fn number(name: &str, otherwise: u64) -> Result<u64> {
    match env::var(name) {
        Ok(text) => Ok(text.parse()?),
        Err(_) => Ok(otherwise),
    }
}

fn start(place: &Path, point: &str) -> Result<Child> {
    Ok(Command::new(env::current_exe()?)
        .env(victim::DIRECTORY, place)
        .env(victim::POINT, point)
        .stdout(Stdio::piped())
        .spawn()?)
}

/// Waits until its app is there.
fn ready(child: &mut Child) -> Result<()> {
    let output = child.stdout.take().ok_or("no output")?;
    let (told, line) = mpsc::channel();
    std::thread::spawn(move || {
        let line = BufReader::new(output).lines().next();
        let _ = told.send(line);
    });
    match line.recv_timeout(LONG)? {
        Some(Ok(line)) if line == victim::READY => Ok(()),
        other => Err(format!("it did not start: {other:?}").into()),
    }
}

fn ended(child: &mut Child) -> Result<std::process::ExitStatus> {
    let pid = Pid::from_child(child);
    let process = pidfd_open(pid, PidfdFlags::empty())?;
    let mut ends = [PollFd::new(&process, PollFlags::IN)];
    if poll(&mut ends, Some(&Timespec::try_from(LONG)?))? == 0 {
        child.kill()?;
        return Err("it does not end".into());
    }
    Ok(child.wait()?)
}

fn compare(place: &Path, kills: u64) -> Result<()> {
    let shop = Connection::open(place.join(victim::DATABASE))?;
    let mut orders: BTreeMap<String, u32> = BTreeMap::new();
    let mut statement = shop.prepare("SELECT activation, number FROM orders")?;
    let mut found = statement.query([])?;
    while let Some(order) = found.next()? {
        orders.insert(order.get(0)?, order.get(1)?);
    }
    let left: u32 = shop.query_row("SELECT count(*) FROM bgtask_outbox", [], |row| row.get(0))?;
    let rolled_back = fs::read_to_string(place.join(victim::ROLLED_BACK))?;
    let rolled_back: BTreeSet<&str> = rolled_back.lines().collect();
    let history = fs::read(place.join(victim::HISTORY))?;
    let history: Vec<RunRecord> = serde_json::from_slice(&history)?;

    let mut faults = Vec::new();
    if left > 0 {
        faults.push(format!("{left} rows are left"));
    }
    let mut outcomes: BTreeMap<String, Vec<&RunRecord>> = BTreeMap::new();
    for run in &history {
        let id = run.activation.to_string();
        outcomes.entry(id).or_default().push(run);
    }
    for (id, number) in &orders {
        let recorded = outcomes.remove(id).unwrap_or_default();
        let [run] = &recorded[..] else {
            faults.push(format!("order {number} has {} outcomes", recorded.len()));
            continue;
        };
        if !matches!(&run.outcome, Outcome::Completed { value } if value == number) {
            faults.push(format!("order {number} {}", run.outcome));
        }
    }
    for id in outcomes.keys() {
        let rolled_back = rolled_back.contains(&**id);
        faults.push(format!("{id} ran uncommitted; rolled back: {rolled_back}"));
    }
    println!(
        "{kills} victims killed; {} orders committed, {} rolled back, {} runs recorded",
        orders.len(),
        rolled_back.len(),
        history.len()
    );
    // Otherwise there was nothing to lose.
    if (orders.len() as u64) < kills || rolled_back.is_empty() {
        faults.push("too little happened to prove anything".to_owned());
    }
    match &faults[..] {
        [] => Ok(()),
        faults => Err(format!("{} faults:\n  {}", faults.len(), faults.join("\n  ")).into()),
    }
}
