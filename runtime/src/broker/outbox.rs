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

use super::{Broker, Command, batch::Reply};
use crate::{
    ActivationId, Code, Error, EventKind, Result,
    clock::Clock,
    outbox::{OutboxError, OutboxRow, Source},
    store::NewActivation,
};

/// How many rows are taken at a time: they share a transaction.
const TOGETHER: usize = 256;

/// The waits between tries while an outbox cannot be read.
const FIRST_WAIT: Duration = Duration::from_millis(100);
const LONGEST_WAIT: Duration = Duration::from_secs(60);

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
    /// The store cannot take it at the moment.
    NotNow(String),
}

/// Asks an outbox to look at once; answered when it did.
pub(crate) type Look = oneshot::Sender<()>;

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
    /// It was told that the outbox cannot be read.
    away: bool,
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
        let mut wait = FIRST_WAIT;
        let mut asked = Vec::new();
        loop {
            while let Ok(look) = looks.try_recv() {
                asked.push(look);
            }
            match self.pass().await {
                Ok(true) => {}
                Ok(false) => {
                    self.is(None);
                    wait = FIRST_WAIT;
                    asked.clear();
                    tokio::select! {
                        () = self.source.rung() => {}
                        look = looks.recv() => asked.extend(look),
                    }
                }
                Err(Halt::Closed) => return,
                Err(Halt::Failed(error)) => {
                    self.is(Some(error));
                    asked.clear();
                    let clock = Arc::clone(&self.clock);
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

    /// Takes what waits; `true`: there may be more.
    async fn pass(&mut self) -> Result<bool, Halt> {
        self.acknowledge().await?;
        let rows = self.source.poll(TOGETHER).await?;
        if let Some(again) = rows.iter().find(|row| self.last.contains(&row.id)) {
            let error = format!(
                "it polls the row `{}`, which it was told to delete",
                again.id
            );
            self.last.clear();
            return Err(Halt::Failed(error));
        }
        self.last.clear();
        let count = rows.len();
        let mut failed = None;
        for (row, verdict) in self.submit(rows).await? {
            match verdict {
                Verdict::Kept => self.kept.push(row.clone()),
                Verdict::Refused(error) => {
                    let refused = self.source.refuse(row.clone(), error).await;
                    failed = failed.or(refused.err().map(|error| error.to_string()));
                }
                Verdict::NotNow(error) => {
                    failed = failed.or(Some(error));
                    continue;
                }
            }
            self.last.insert(row);
        }
        if let Err(error) = self.acknowledge().await {
            self.last.clear();
            return Err(error);
        }
        match failed {
            Some(error) => {
                self.last.clear();
                Err(Halt::Failed(error))
            }
            None => Ok(count == TOGETHER),
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
    async fn submit(&self, rows: Vec<OutboxRow>) -> Result<Vec<(String, Verdict)>, Halt> {
        let mut verdicts = Vec::with_capacity(rows.len());
        {
            let commands = self.commands.upgrade().ok_or(Halt::Closed)?;
            for row in rows {
                let (reply, verdict) = oneshot::channel();
                verdicts.push((row.id.clone(), verdict));
                let asked = commands.send(Command::Relay(Relayed { row, reply }));
                asked.map_err(|_| Halt::Closed)?;
            }
        }
        let mut judged = Vec::with_capacity(verdicts.len());
        for (id, verdict) in verdicts {
            judged.push((id, verdict.await.map_err(|_| Halt::Closed)?));
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
    pub(super) fn told(&self, task: &str) -> Vec<String> {
        let away = self.away.iter().map(|(name, (since, error))| {
            format!("{name} cannot be read since {since}, and is tried again: {error}")
        });
        let refused = self.refused.get(task).map(|refused| {
            let Refusals { rows, last, error } = refused;
            format!("{rows} rows were refused and put aside, the last at {last}: {error}")
        });
        away.chain(refused).collect()
    }
}

impl Broker {
    /// Judges a row: it is kept, or refused.
    pub(super) fn relay(&mut self, relayed: Relayed) {
        let Relayed { row, reply } = relayed;
        match self.relayed(&row) {
            Ok(None) => drop(reply.send(Verdict::Kept)),
            Ok(Some(activation)) => {
                self.enqueue(vec![activation], Reply::Relay(Relayed { row, reply }));
            }
            Err(error) => self.turn_away(Relayed { row, reply }, &error),
        }
    }

    /// The activation that a row asks for; `None`: it is there already.
    fn relayed(&self, row: &OutboxRow) -> Result<Option<NewActivation>> {
        let bad = |rule: &str| Error::new(Code::BadArguments, rule).task(&row.task);
        let id: ActivationId =
            (row.id.parse()).map_err(|error| bad("the row's id is not a UUID").source(error))?;
        if self.active.contains_key(&id) {
            return Ok(None);
        }
        let arguments = serde_json::from_str(&row.arguments)
            .map_err(|error| bad("the row's arguments are not JSON").source(error))?;
        let mut activation = self.requested(&row.task, Some(arguments))?;
        activation.id = id;
        if let Some(at) = &row.not_before {
            let at = at.parse::<Timestamp>();
            activation.not_before =
                at.map_err(|error| bad("the row's time is not a time").source(error))?;
        }
        if self.scheduler.is_crowded(activation.registration) {
            return Err(Error::new(
                Code::Closing,
                format!("`{}` has as much waiting as can wait", row.task),
            ));
        }
        let created = row.created.as_ref().and_then(|at| at.parse().ok());
        let fired = &mut activation.details.fired;
        *fired = created.map_or(*fired, |created: Timestamp| created.min(*fired));
        Ok(Some(activation))
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
            "a row of an outbox is refused"
        );
        self.outboxes.refuse(&row.task, error.rule(), self.now());
        self.emit(
            &row.task,
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
