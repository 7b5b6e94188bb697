//! The victims' lives and ends.

use std::{
    fs,
    io::{BufRead, BufReader},
    path::Path,
    process::{Child, Command, Stdio},
    sync::mpsc::{Receiver, RecvTimeoutError, channel},
    thread,
    time::{Duration, Instant},
};

use bgtask::RunRecord;
use rusqlite::Connection;
use rustix::process::{Pid, Signal, kill_process};
use tempfile::TempDir;

use crate::{
    Result, caller,
    judge::{self, Figures},
    ledger,
    random::Random,
    victim,
};

/// How long a step of a victim may take before it counts as stuck.
const LONG: Duration = Duration::from_secs(60);

/// One store, and the victims that were killed on it.
#[derive(Debug)]
pub(crate) struct Stage {
    directory: TempDir,
    random: Random,
    control: bool,
    killed: u64,
    killed_starting: u64,
    killed_hosts: u64,
    killed_callers: u64,
    /// What the killed said; ends when the last process that could say more is gone.
    outputs: Vec<Receiver<String>>,
}

impl Stage {
    pub(crate) fn new(seed: u64) -> Result<Self> {
        Ok(Self {
            directory: tempfile::tempdir()?,
            random: Random(seed),
            control: false,
            killed: 0,
            killed_starting: 0,
            killed_hosts: 0,
            killed_callers: 0,
            outputs: Vec::new(),
        })
    }

    /// The victims acknowledge before they ask.
    pub(crate) fn with_control(mut self) -> Self {
        self.control = true;
        self
    }

    /// Starts and kills so many victims.
    pub(crate) fn kill(&mut self, victims: u64) -> Result<()> {
        for life in 0..victims {
            let mut victim = self.start(&life.to_string())?;
            let mut caller = self.call()?;
            match life {
                0 => self.see_everything(&mut victim)?,
                _ => self.wait(&mut victim, &mut caller)?,
            }
            self.outputs.push(victim.kill()?);
            self.killed += 1;
            drop(caller);
        }
        Ok(())
    }

    /// The first one lives until a run is stuck and a host was killed under it and replaced, so
    /// that each proof has seen both, however slow the machine is.
    fn see_everything(&mut self, victim: &mut Victim) -> Result<()> {
        victim.say(|seen| seen.ready && seen.stuck && seen.host.is_some())?;
        let first = victim.seen.host;
        self.kill_host(victim)?;
        victim.say(|seen| seen.host != first)
    }

    /// The random moment is the proof itself: nothing is waited for here, any moment will do.
    fn wait(&mut self, victim: &mut Victim, caller: &mut Option<Caller>) -> Result<()> {
        if self.random.below(5) == 0 {
            // While it starts and takes over what the one before left.
            self.killed_starting += 1;
            thread::sleep(self.millis(40));
            return Ok(());
        }
        victim.say(|seen| seen.ready)?;
        thread::sleep(self.millis(100));
        if self.random.below(2) == 0 {
            *caller = self.call()?;
        }
        thread::sleep(self.millis(50));
        if self.random.below(3) == 0 {
            self.kill_host(victim)?;
            thread::sleep(self.millis(50));
        }
        Ok(())
    }

    /// Up to so many milliseconds, to the microsecond.
    fn millis(&mut self, most: u64) -> Duration {
        Duration::from_micros(self.random.below(most * 1000))
    }

    fn kill_host(&mut self, victim: &mut Victim) -> Result<()> {
        victim.listen()?;
        if let Some(host) = victim.seen.host
            && parent(host).is_none_or(|parent| parent == victim.child.id())
            && let Some(pid) = i32::try_from(host).ok().and_then(Pid::from_raw)
            // It may have ended by itself.
            && kill_process(pid, Signal::KILL).is_ok()
        {
            self.killed_hosts += 1;
        }
        Ok(())
    }

    /// Lets a last victim finish what is left, and compares.
    pub(crate) fn judge(&mut self) -> Result<(Figures, Vec<String>)> {
        let mut last = self.start(victim::DRAIN)?;
        last.say(|seen| seen.ready)?;
        self.outputs.push(last.end()?);
        for output in self.outputs.drain(..) {
            if !gone(&output) {
                return Err("a host outlived the app that started it".into());
            }
        }
        let directory = self.directory.path();
        let accepted = ledger::read(directory, ledger::ACCEPTED)?;
        let ended = ledger::read(directory, ledger::ENDED)?;
        let history = fs::read_to_string(directory.join(victim::HISTORY))?;
        let history: Vec<RunRecord> = serde_json::from_str(&history)?;
        let (figures, mut faults) = judge::compare(&accepted, &ended, &history);
        faults.extend(store(&directory.join(victim::STATE))?);
        Ok((figures, faults))
    }

    /// What was done to the victims.
    pub(crate) fn told(&self) -> String {
        format!(
            "{} victims killed, {} of them while starting; {} hosts and {} callers killed",
            self.killed, self.killed_starting, self.killed_hosts, self.killed_callers
        )
    }

    /// Starts a process that fires tasks from outside. It would tell the truth, so the negative
    /// control has none.
    fn call(&mut self) -> Result<Option<Caller>> {
        if self.control {
            return Ok(None);
        }
        let child = self
            .command()?
            .env(caller::CALLER, self.killed_callers.to_string())
            .spawn()?;
        // Each is killed when it is dropped.
        self.killed_callers += 1;
        Ok(Some(Caller(child)))
    }

    /// This program, in another part.
    fn command(&self) -> Result<Command> {
        let mut command = Command::new(std::env::current_exe()?);
        command
            .env(victim::DIRECTORY, self.directory.path())
            .env("XDG_RUNTIME_DIR", self.directory.path());
        Ok(command)
    }

    fn start(&self, life: &str) -> Result<Victim> {
        let mut command = self.command()?;
        if self.control {
            command.env(victim::CONTROL, "1");
        }
        let mut child = command
            .env(victim::LIFE, life)
            .stdout(Stdio::piped())
            .spawn()?;
        let output = child.stdout.take().ok_or("no output")?;
        let (lines, said) = channel();
        thread::spawn(move || {
            for line in BufReader::new(output).lines().map_while(Result::ok) {
                // Nobody listens to it any more; it is read until its end all the same.
                let _ = lines.send(line);
            }
        });
        Ok(Victim {
            child,
            said: Some(said),
            seen: Seen::default(),
        })
    }
}

/// A living victim; killed when dropped.
struct Victim {
    child: Child,
    said: Option<Receiver<String>>,
    seen: Seen,
}

/// A process that fires; killed when dropped, which is at any moment of its life.
struct Caller(Child);

impl Drop for Caller {
    fn drop(&mut self) {
        // Both fail when it has ended already, which is what is wanted.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// What it said.
#[derive(Debug, Default)]
struct Seen {
    ready: bool,
    stuck: bool,
    /// The host that took up the last hosted run.
    host: Option<u32>,
}

impl Victim {
    /// Waits until it has said so.
    fn say(&mut self, enough: impl Fn(&Seen) -> bool) -> Result<()> {
        let until = Instant::now() + LONG;
        while !enough(&self.seen) {
            let said = self.said.as_ref().ok_or("it was killed")?;
            match said.recv_timeout(until.saturating_duration_since(Instant::now())) {
                Ok(line) => self.seen.line(&line),
                Err(error) => {
                    return Err(format!("{error}; so far {:?}", self.seen).into());
                }
            }
        }
        Ok(())
    }

    /// Takes what it has said so far.
    fn listen(&mut self) -> Result<()> {
        let said = self.said.as_ref().ok_or("it was killed")?;
        for line in said.try_iter() {
            self.seen.line(&line);
        }
        Ok(())
    }

    fn kill(mut self) -> Result<Receiver<String>> {
        if let Some(status) = self.child.try_wait()? {
            return Err(format!("the victim ended by itself: {status}").into());
        }
        self.child.kill()?;
        self.child.wait()?;
        self.said.take().ok_or_else(|| "it was killed".into())
    }

    /// Waits for its own end.
    fn end(mut self) -> Result<Receiver<String>> {
        let said = self.said.take().ok_or("it was killed")?;
        if !gone(&said) {
            return Err("what is left does not end".into());
        }
        let status = self.child.wait()?;
        if !status.success() {
            return Err(format!("the last victim ended with {status}").into());
        }
        Ok(said)
    }
}

impl Drop for Victim {
    fn drop(&mut self) {
        // Both fail when it has ended already, which is what is wanted.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Seen {
    fn line(&mut self, line: &str) {
        match line.strip_prefix(victim::HOST) {
            Some(host) => self.host = host.parse().ok().or(self.host),
            None => {
                self.ready |= line == victim::READY;
                self.stuck |= line == victim::STUCK;
            }
        }
    }
}

/// Waits until nobody is left who could say something: the process and what it started.
fn gone(output: &Receiver<String>) -> bool {
    let until = Instant::now() + LONG;
    loop {
        match output.recv_timeout(until.saturating_duration_since(Instant::now())) {
            Ok(_) => {}
            Err(RecvTimeoutError::Disconnected) => return true,
            Err(RecvTimeoutError::Timeout) => return false,
        }
    }
}

/// The parent of a process, where that can be looked up: its number may have been given to another
/// one meanwhile.
fn parent(process: u32) -> Option<u32> {
    if !cfg!(target_os = "linux") {
        return None;
    }
    let status = fs::read_to_string(format!("/proc/{process}/status")).unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("PPid:"));
    Some(line.and_then(|id| id.trim().parse().ok()).unwrap_or(0))
}

/// What is wrong with the file itself.
fn store(directory: &Path) -> Result<Vec<String>> {
    let store = Connection::open(directory.join("store.db"))?;
    let mut faults = Vec::new();
    let verdict: String = store.query_row("PRAGMA integrity_check", [], |row| row.get(0))?;
    if verdict != "ok" {
        faults.push(format!("the store is damaged: {verdict}"));
    }
    let mut left = store.prepare("SELECT task, run IS NOT NULL FROM activation")?;
    let left = left.query_map([], |row| Ok((row.get::<_, String>(0)?, row.get(1)?)))?;
    let left = left.collect::<rusqlite::Result<Vec<(String, bool)>>>()?;
    // A due time that came as the app closed waits for the next start.
    let left = left
        .iter()
        .filter(|(task, running)| *running || !victim::is_timed(task))
        .count();
    if left > 0 {
        faults.push(format!("{left} activations are left in the store"));
    }
    let kept = "SELECT count(*) FROM run WHERE undelivered = 1";
    let kept: i64 = store.query_row(kept, [], |row| row.get(0))?;
    if kept > 0 {
        faults.push(format!("{kept} completions were not delivered"));
    }
    Ok(faults)
}
