//! From the outboxes to the store: what was committed elsewhere becomes an activation, once.
//!
//! Each outbox has a thread that polls it, hands the rows to the broker, and acknowledges a row when
//! the store keeps it. A row is judged here, by the rules of a request.

use std::{
    collections::{BTreeMap, HashSet, btree_map::Entry},
    panic::AssertUnwindSafe,
    sync::Arc,
    time::Duration,
};

use futures_util::FutureExt;
use jiff::Timestamp;
use tokio::sync::{mpsc, oneshot, watch};

use super::{
    Broker, Command,
    batch::Reply,
    check::{check_relayable, requestable},
};
use crate::{
    ActivationId, Code, Error, EventKind, Result, Standing,
    clock::{Clock, Wait},
    outbox::{OutboxError, OutboxRow, Source},
    store::NewActivation,
};

/// How many rows are taken at a time: they share a transaction.
const TOGETHER: usize = 256;

/// The waits between tries while an outbox cannot be read, or rows of it are held back.
const FIRST_WAIT: Duration = Duration::from_millis(100);
const LONGEST_WAIT: Duration = Duration::from_secs(60);

/// The wait while rows are held back and others were kept: there is room again from time to time.
const WAIT_FOR_ROOM: Duration = Duration::from_secs(1);

/// A row and who waits for what becomes of it.
#[derive(Debug)]
pub(crate) struct Relayed {
    row: OutboxRow,
    reply: oneshot::Sender<Verdict>,
}

/// What became of a row.
#[derive(Debug)]
pub(super) enum Verdict {
    /// The store keeps it, or knew it before.
    Kept,
    /// It will never be accepted.
    Refused(String),
    /// Its task cannot take it yet; other rows may pass it.
    Held,
    /// The store cannot take any at the moment.
    NotNow(String),
}

/// Why a row does not become an activation.
enum Declined {
    /// Its task cannot take it yet.
    Held(Error),
    /// For ever, or until the store or the app can.
    Error(Error),
}

impl From<Error> for Declined {
    fn from(error: Error) -> Self {
        Self::Error(error)
    }
}

/// Whether a row is for a time that has not come. One that has none, or none that can be read, is
/// not.
fn is_later(row: &OutboxRow, now: Timestamp) -> bool {
    let at = row.not_before.as_ref().and_then(|at| at.parse().ok());
    at.is_some_and(|at: Timestamp| at > now)
}

/// Asks an outbox to look at once; answered when it did.
pub(crate) type Look = oneshot::Sender<()>;

/// Has every outbox look now; `false` when there is none.
pub(crate) async fn looked(outboxes: &[mpsc::UnboundedSender<Look>]) -> bool {
    let mut answers = Vec::new();
    for outbox in outboxes {
        let (look, looked) = oneshot::channel();
        // One whose relay has ended has nothing to add.
        let _ = outbox.send(look);
        answers.push(looked);
    }
    for looked in answers {
        // Answered by being dropped.
        let _ = looked.await;
    }
    !outboxes.is_empty()
}

/// An outbox that is not relayed yet.
#[derive(Debug)]
pub(super) struct Waiting {
    pub(super) source: Box<dyn Source>,
    pub(super) looks: mpsc::UnboundedReceiver<Look>,
}

impl Waiting {
    /// With what asks it to look.
    pub(super) fn new(source: Box<dyn Source>) -> (Self, mpsc::UnboundedSender<Look>) {
        let (look, looks) = mpsc::unbounded_channel();
        (Self { source, looks }, look)
    }
}

/// The outboxes that are relayed, until this is dropped.
#[derive(Debug)]
pub(super) struct Relays {
    _stop: watch::Sender<()>,
}

impl Relays {
    pub(super) fn start(
        outboxes: Vec<Waiting>,
        commands: &mpsc::WeakUnboundedSender<Command>,
        clock: &Arc<dyn Clock>,
    ) -> std::io::Result<Self> {
        let (stop, stopped) = watch::channel(());
        for outbox in outboxes {
            let relay = Relay {
                name: outbox.source.name(),
                source: outbox.source,
                commands: commands.clone(),
                clock: Arc::clone(clock),
                kept: Vec::new(),
                last: HashSet::new(),
                held: Held::default(),
                away: false,
            };
            let stopped = stopped.clone();
            // Not waited for: a source may block for as long as it likes.
            std::thread::Builder::new()
                .name("bgtask-outbox".to_owned())
                .spawn(move || relay.serve(outbox.looks, stopped))?;
        }
        Ok(Self { _stop: stop })
    }
}

/// One outbox on its way into the store.
struct Relay {
    name: String,
    source: Box<dyn Source>,
    /// Weak: an outbox does not keep the app open.
    commands: mpsc::WeakUnboundedSender<Command>,
    clock: Arc<dyn Clock>,
    /// The store has them, and the outbox does not know it yet.
    kept: Vec<String>,
    /// What was handled last; it must not come again.
    last: HashSet<String>,
    /// What stays in the outbox for now.
    held: Held,
    /// It was told that the outbox cannot be read.
    away: bool,
}

/// The rows at the beginning of an outbox that are held back. They stay where they are, others pass
/// them, and from time to time all are looked at again.
#[derive(Default)]
struct Held {
    rows: usize,
    /// The tasks that are to have none of their rows now, and whether of those for later times or
    /// of the others: what comes after a row that is held back does not pass it.
    tasks: HashSet<(String, bool)>,
    /// The last of them.
    last: HashSet<String>,
}

/// What a pass came to.
struct Passed {
    /// The store keeps more than before.
    kept: bool,
    /// There may be more rows.
    more: bool,
}

/// A row as the relay remembers it while the broker judges it.
struct Judged {
    id: String,
    task: String,
    later: bool,
}

/// Why a relay stops for now.
enum Halt {
    /// The broker is gone, or takes nothing new.
    Closed,
    Failed(String),
}

impl From<OutboxError> for Halt {
    fn from(error: OutboxError) -> Self {
        Self::Failed(error.to_string())
    }
}

impl Relay {
    fn serve(mut self, looks: mpsc::UnboundedReceiver<Look>, mut stopped: watch::Receiver<()>) {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build();
        let runtime = match runtime {
            Ok(runtime) => runtime,
            Err(error) => return self.is(Some(format!("it has no runtime: {error}"))),
        };
        runtime.block_on(async {
            tokio::select! {
                relayed = AssertUnwindSafe(self.run(looks)).catch_unwind() => {
                    if relayed.is_err() {
                        self.is(Some("its source panicked: it is read again at the next start".to_owned()));
                    }
                }
                _ = stopped.changed() => {}
            }
        });
    }

    /// Relays until the app ends.
    async fn run(&mut self, mut looks: mpsc::UnboundedReceiver<Look>) {
        let clock = Arc::clone(&self.clock);
        let mut wait = FIRST_WAIT;
        // When all that is held back is looked at again, whatever rings until then.
        let mut again: Option<Wait<'_>> = None;
        let mut kept = false;
        let mut asked = Vec::new();
        loop {
            while let Ok(look) = looks.try_recv() {
                asked.push(look);
                self.held = Held::default();
            }
            match self.pass().await {
                Ok(passed) => {
                    kept |= passed.kept;
                    if passed.more {
                        continue;
                    }
                    self.is(None);
                    asked.clear();
                    let kept = std::mem::take(&mut kept);
                    if self.held.rows == 0 {
                        wait = FIRST_WAIT;
                        again = None;
                    } else if again.is_none() {
                        wait = if kept { wait.min(WAIT_FOR_ROOM) } else { wait };
                        again = Some(clock.awake(wait));
                    }
                    let due = async {
                        match &mut again {
                            Some(again) => again.await,
                            None => std::future::pending().await,
                        }
                    };
                    tokio::select! {
                        () = self.source.rung() => {}
                        () = due => {
                            self.held = Held::default();
                            again = None;
                            wait = (wait * 2).min(LONGEST_WAIT);
                        }
                        look = looks.recv() => {
                            self.held = Held::default();
                            asked.extend(look);
                        }
                    }
                }
                Err(Halt::Closed) => return,
                Err(Halt::Failed(error)) => {
                    self.is(Some(error));
                    asked.clear();
                    self.held = Held::default();
                    again = None;
                    // However loud its bell.
                    clock.awake(FIRST_WAIT).await;
                    tokio::select! {
                        () = self.source.rung() => {}
                        () = clock.awake(wait) => {}
                        look = looks.recv() => asked.extend(look),
                    }
                    wait = (wait * 2).min(LONGEST_WAIT);
                }
            }
        }
    }

    /// Takes what waits after the rows that are held back.
    async fn pass(&mut self) -> Result<Passed, Halt> {
        self.acknowledge().await?;
        let rows = self.source.poll(TOGETHER, self.held.rows).await?;
        if let Some(again) = rows.iter().find(|row| self.last.contains(&row.id)) {
            let error = format!(
                "it polls the row `{}`, which it was told to delete",
                again.id
            );
            self.last.clear();
            return Err(Halt::Failed(error));
        }
        self.last.clear();
        let more = rows.len() == TOGETHER;
        if more && rows.iter().all(|row| self.held.last.contains(&row.id)) {
            let error = "it polls again the rows that it was told to skip";
            return Err(Halt::Failed(error.to_owned()));
        }
        self.held.last.clear();
        let mut failed = None;
        for (row, verdict) in self.submit(rows).await? {
            match verdict {
                Verdict::Kept => self.kept.push(row.id.clone()),
                Verdict::Refused(error) => {
                    let refused = self.source.refuse(row.id.clone(), error).await;
                    failed = failed.or(refused.err().map(|error| error.to_string()));
                }
                Verdict::Held => {
                    self.held.rows += 1;
                    self.held.tasks.insert((row.task, row.later));
                    self.held.last.insert(row.id);
                    continue;
                }
                Verdict::NotNow(error) => {
                    failed = failed.or(Some(error));
                    continue;
                }
            }
            self.last.insert(row.id);
        }
        let kept = !self.kept.is_empty();
        if let Err(error) = self.acknowledge().await {
            self.last.clear();
            return Err(error);
        }
        match failed {
            Some(error) => {
                self.last.clear();
                Err(Halt::Failed(error))
            }
            None => Ok(Passed { kept, more }),
        }
    }

    async fn acknowledge(&mut self) -> Result<(), Halt> {
        if !self.kept.is_empty() {
            self.source.acknowledge(self.kept.clone()).await?;
            self.kept.clear();
        }
        Ok(())
    }

    /// Has the broker judge and keep the rows.
    async fn submit(&self, rows: Vec<OutboxRow>) -> Result<Vec<(Judged, Verdict)>, Halt> {
        let now = self.clock.now();
        let mut verdicts = Vec::with_capacity(rows.len());
        {
            let commands = self.commands.upgrade().ok_or(Halt::Closed)?;
            for row in rows {
                let judged = Judged {
                    id: row.id.clone(),
                    task: row.task.clone(),
                    later: is_later(&row, now),
                };
                let (reply, verdict) = oneshot::channel();
                if self.held.tasks.contains(&(row.task.clone(), judged.later)) {
                    let _ = reply.send(Verdict::Held);
                } else {
                    let asked = commands.send(Command::Relay(Relayed { row, reply }));
                    asked.map_err(|_| Halt::Closed)?;
                }
                verdicts.push((judged, verdict));
            }
        }
        let mut judged = Vec::with_capacity(verdicts.len());
        for (row, verdict) in verdicts {
            judged.push((row, verdict.await.map_err(|_| Halt::Closed)?));
        }
        Ok(judged)
    }

    /// Tells whether the outbox can be read, when that changed.
    fn is(&mut self, error: Option<String>) {
        if error.is_none() && !self.away {
            return;
        }
        self.away = error.is_some();
        if let Some(commands) = self.commands.upgrade() {
            let name = self.name.clone();
            let _ = commands.send(Command::Outbox { name, error });
        }
    }
}

/// What of the outboxes needs a look.
#[derive(Debug, Default)]
pub(super) struct Outboxes {
    /// Cannot be read: since when, and why.
    away: BTreeMap<String, (Timestamp, String)>,
    /// Refused since the start, by the task that was asked for.
    refused: BTreeMap<String, Refusals>,
}

#[derive(Debug)]
struct Refusals {
    rows: u64,
    last: Timestamp,
    error: String,
}

impl Outboxes {
    /// Takes in whether an outbox can be read.
    pub(super) fn is(&mut self, name: String, error: Option<String>, now: Timestamp) {
        let Some(error) = error else {
            tracing::info!(outbox = name, "the outbox can be read again");
            self.away.remove(&name);
            return;
        };
        let away = self.away.entry(name);
        let away = away.and_modify(|(_, known)| error.clone_into(known));
        if let Entry::Vacant(new) = away {
            tracing::warn!(
                outbox = new.key(),
                error,
                "the outbox cannot be read; trying again"
            );
            new.insert((now, error));
        }
    }

    fn refuse(&mut self, task: &str, error: &str, now: Timestamp) {
        let refusals = self.refused.entry(task.to_owned()).or_insert(Refusals {
            rows: 0,
            last: now,
            error: String::new(),
        });
        refusals.rows += 1;
        refusals.last = now;
        error.clone_into(&mut refusals.error);
    }

    /// What concerns a task that is requested, for people.
    pub(super) fn told(&self, task: &str, civil: impl Fn(Timestamp) -> String) -> Vec<String> {
        let away = self.away.iter().map(|(name, (since, error))| {
            let since = civil(*since);
            format!("{name} cannot be read since {since}, and is tried again: {error}")
        });
        let refused = self.refused.get(task).map(|refused| {
            let Refusals { rows, last, error } = refused;
            let last = civil(*last);
            format!("{rows} rows were refused and put aside, the last at {last}: {error}")
        });
        away.chain(refused).collect()
    }
}

impl Broker {
    /// Judges a row: it is kept, held back, or refused.
    pub(super) fn relay(&mut self, relayed: Relayed) {
        let Relayed { row, reply } = relayed;
        match self.relayed(&row) {
            Ok(None) => drop(reply.send(Verdict::Kept)),
            Ok(Some(activation)) => {
                self.enqueue(vec![activation], Reply::Relay(Relayed { row, reply }));
            }
            Err(Declined::Held(error)) => {
                tracing::debug!(row = row.id, task = row.task, %error, "a row of an outbox waits");
                let _ = reply.send(Verdict::Held);
            }
            Err(Declined::Error(error)) => self.turn_away(Relayed { row, reply }, &error),
        }
    }

    /// The activation that a row asks for; `None`: it is there already.
    fn relayed(&self, row: &OutboxRow) -> Result<Option<NewActivation>, Declined> {
        let bad = |rule: &str| Error::new(Code::BadArguments, rule).task(&row.task);
        let id: ActivationId =
            (row.id.parse()).map_err(|error| bad("the row's id is not a UUID").source(error))?;
        if self.active.contains_key(&id) {
            return Ok(None);
        }
        let arguments = serde_json::from_str(&row.arguments)
            .map_err(|error| bad("the row's arguments are not JSON").source(error))?;
        let at = row.not_before.as_ref().map(|at| at.parse::<Timestamp>());
        let at = at.transpose();
        let at = at.map_err(|error| bad("the row's time is not a time").source(error))?;
        if let Some(error) = self.not_yet(&row.task) {
            return Err(Declined::Held(error));
        }
        let mut activation = self.requested(&row.task, Some(arguments))?;
        check_relayable(&self.live[&activation.registration].declaration)?;
        activation.id = id;
        // Nobody may ever ask for its completion.
        activation.journal = false;
        activation.not_before = at.unwrap_or(activation.not_before);
        let later = is_later(row, self.now());
        if self.scheduler.is_crowded(activation.registration, later) {
            let rule = "it has as much waiting as can wait";
            let error = Error::new(Code::NotAccepted, rule).task(&row.task);
            return Err(Declined::Held(error));
        }
        let created = row.created.as_ref().and_then(|at| at.parse().ok());
        let fired = &mut activation.details.fired;
        *fired = created.map_or(*fired, |created: Timestamp| created.min(*fired));
        Ok(Some(activation))
    }

    /// Why a task that the program has takes no row at the moment: it is not registered yet, in
    /// quarantine, or refused as it is declared now.
    fn not_yet(&self, task: &str) -> Option<Error> {
        match self.resolve(task) {
            Ok(id) => {
                let live = &self.live[&id];
                let quarantined = matches!(live.standing, Standing::Quarantined { .. });
                let meant = quarantined || requestable(&live.declaration);
                self.not_accepting(id).filter(|_| meant)
            }
            Err(error) => (error.code() == Code::Ambiguous || self.registry.get(task).is_some())
                .then_some(error),
        }
    }

    /// Tells why a row was not accepted: for ever, or for now.
    pub(super) fn turn_away(&mut self, relayed: Relayed, error: &Error) {
        let Relayed { row, reply } = relayed;
        let text = error.to_string();
        let for_now = matches!(
            error.code(),
            Code::Closing | Code::Store | Code::StoreFull | Code::StoreCorrupt
        );
        if for_now {
            return drop(reply.send(Verdict::NotNow(text)));
        }
        tracing::warn!(
            row = row.id,
            task = row.task,
            error = text,
            "a row of an outbox is put aside"
        );
        let meant = self.resolve(&row.task).ok();
        let task = meant.map_or_else(|| row.task.clone(), |id| self.live[&id].name.clone());
        self.outboxes.refuse(&task, error.rule(), self.now());
        self.emit(
            &task,
            EventKind::OutboxRefused {
                row: row.id,
                error: text.clone(),
            },
        );
        let _ = reply.send(Verdict::Refused(text));
    }

    /// The store keeps the row.
    pub(super) fn relayed_row(relayed: Relayed) {
        let _ = relayed.reply.send(Verdict::Kept);
    }
}
