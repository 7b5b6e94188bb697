//! From a set-up app to a running broker: what is declared meets what is kept.

use std::{
    collections::{BTreeMap, HashMap, VecDeque},
    path::{Path, PathBuf},
    sync::{Arc, atomic::AtomicBool},
    time::Duration,
};

use bgtask_model::Delivery;
use tokio::{
    runtime::Handle,
    sync::{broadcast, mpsc, oneshot, watch},
    task::JoinSet,
};

use super::{
    Broker, Command, Inputs, Look, Phase, access, blame, control,
    data::KeptData,
    energy,
    feed::Feeds,
    housekeeping::Housekeeping,
    instance::{self, Instance, Taken},
    last_tries::LastTries,
    outbox::{Relays, Waiting},
    overridden::{self, Overridden},
    push::MOST_PUSH,
    registrations::Live,
    servicing,
};
use crate::{
    ActivationRecord, App, AppBuilder, Code, Details, Error, KillCause, Outcome, RegistrationId,
    RegistrationRecord, Result, RunId, RunRecord, SyncDiff,
    access::Access,
    app,
    body::LinkedCondition,
    clock::{Bell, Clock, SystemClock},
    dirs::{Env, check_app_id},
    host::{GroupHandlers, HostEvent, InProcessHost, ProcessConfig, ProcessHosts, Supervision},
    inhibitor::Inhibitor,
    manifest,
    monitor::{Change, MonitorConfig, Monitors, Presence, Sockets, ToastPlace, Toasts},
    registry::Registry,
    scheduler::{Input, Raised, Scheduler},
    state::StateMap,
    store::{Claim, Durability, Finish, Fire, HistoryQuery, MemoryStore, SqliteStore, Store},
    task::{DataReader, MOST_PAYLOAD, ServiceLines},
};

/// How many events a slow reader may be behind.
const EVENTS_KEPT: usize = 1024;

/// How many ended runs are looked through for each task's last outcome.
const HISTORY_READ: u32 = 1000;

/// How many of a task's own, when none of it was among those.
const HISTORY_READ_OF_TASK: u32 = 10;

/// How long an ending app waits for the ends of its processes.
const LAST_HOSTS: Duration = Duration::from_secs(5);

/// How often an activation is started without a recorded end before it is given up.
const STARTS: u32 = 5;

/// Starts the app: returns when it accepts requests.
pub(crate) async fn start(mut builder: AppBuilder) -> Result<App> {
    let mut registry = Registry::linked()?;
    registry.check_groups()?;
    registry.check_state(&builder.state)?;
    check_manifest(&registry, &builder.id)?;
    check_app_id(&builder.id)?;
    let overrides = overridden::read(&builder.id, &registry);
    let overridden = overridden::apply(&mut registry, &overrides);
    let conditions = registry.conditions_in_use()?;
    let registry = Arc::new(registry);
    check_most("max_payload", builder.max_payload, MOST_PAYLOAD)?;
    check_most("max_push", builder.max_push, MOST_PUSH)?;
    check_durability(builder.durability, !builder.outboxes.is_empty())?;

    let build = servicing::build(&registry);
    let state_dir = state_dir(&builder)?;
    let runtime_dir = runtime_dir(&builder)?;
    let taken = match instance::take(&state_dir, &runtime_dir, &build).await? {
        // A store that another process may still write to is neither made nor brought up to date.
        Taken::Lingering(heir) if !builder.in_memory && !SqliteStore::is_current(&state_dir)? => {
            Taken::Ours(instance::wait(heir).await?)
        }
        taken => taken,
    };
    let store: Arc<dyn Store> = if builder.in_memory {
        Arc::new(MemoryStore::new())
    } else {
        Arc::new(SqliteStore::open_with(&state_dir, builder.durability)?)
    };
    tracing::info!(app = builder.id, store = ?store.info(), "bgtask starts");

    let (commands, received) = mpsc::unbounded_channel();
    let (events, _) = broadcast::channel(EVENTS_KEPT);
    let (closed, closing) = watch::channel(false);
    let mut listening = Listening::start(&mut builder, &registry, conditions, &state_dir)?;
    let access = access::open(&builder, &store, &listening.clock).await?;
    listening.monitors.follow_policy(access.unknown_metering());
    let following = access::follow(&access, &listening.bell, &listening.clock);
    let clock: Arc<dyn Clock> = Arc::new(SystemClock::portable());
    let sources = std::mem::take(&mut builder.outboxes).into_iter();
    let (outboxes, looks) = sources.map(Waiting::new).unzip();
    let app = App {
        inner: Arc::new(app::Inner {
            id: builder.id.clone(),
            commands,
            events: events.clone(),
            registry: Arc::clone(&registry),
            store: Arc::clone(&store),
            linger: builder.linger,
            closed: closing,
            outboxes: looks,
            max_payload: builder.max_payload,
            clock: Arc::clone(&clock),
            changes: app::Changes::new(clock),
            groups: builder.groups.clone(),
            profile: builder.profile,
            power: listening.monitors.power().clone(),
            toasts: listening.toasts.clone(),
            access: Arc::clone(&access),
            extended: app::OneExtended::new(builder.system_bus.clone()),
        }),
    };
    let parts = Parts {
        builder,
        registry,
        build,
        overridden,
        listening,
        access,
        following,
        runtime_dir,
        outboxes,
        looks: app.inner.outboxes.clone(),
        store,
        events,
        closed,
        commands: app.inner.commands.downgrade(),
        state: app.inner.changes.state(),
    };
    let (started, ready) = oneshot::channel();
    // A thread of its own: a body that blocks the app's runtime does not keep the broker from
    // cancelling it, nor from starting others.
    std::thread::Builder::new()
        .name("bgtask-broker".to_owned())
        .spawn(move || serve(parts, taken, received, started))
        .map_err(no_thread)?;
    ready.await.map_err(|_| Error::closing())??;
    Ok(app)
}

/// The broker's thread: tells when requests are accepted, or why they never will be.
fn serve(
    parts: Parts,
    taken: Taken,
    mut received: mpsc::UnboundedReceiver<Command>,
    started: oneshot::Sender<Result<()>>,
) {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build();
    let runtime = match runtime {
        Ok(runtime) => runtime,
        Err(error) => return drop(started.send(Err(no_thread(error)))),
    };
    // As a task: unlike the future that a runtime blocks on, it is woken by others of this thread
    // without a call to the kernel.
    let served = runtime.spawn(async move {
        let supervision = Supervision::on(Handle::current());
        let mut early = Vec::new();
        let (instance, started) = match taken {
            Taken::Ours(instance) => (Ok(instance), Some(started)),
            // The process that stays for the runs of the last launch serves until they end; what
            // is asked of this app meanwhile waits in its queue.
            Taken::Lingering(heir) => {
                let _ = started.send(Ok(()));
                tokio::select! {
                    instance = instance::wait(heir) => (instance, None),
                    // This app ends before it served anything.
                    () = until_end(&mut received, &mut early) => return,
                }
            }
        };
        let broker = match instance {
            Ok(instance) => parts.broker(received, early, instance, &supervision).await,
            Err(error) => Err(error),
        };
        match (broker, started) {
            (Ok((broker, inputs, guard)), started) => {
                if let Some(started) = started {
                    let _ = started.send(Ok(()));
                }
                broker.run(inputs, guard).await;
            }
            (Err(error), Some(started)) => drop(started.send(Err(error))),
            (Err(error), None) => tracing::error!(%error, "the app could not take over"),
        }
    });
    if let Err(error) = runtime.block_on(served)
        && let Ok(panic) = error.try_into_panic()
    {
        std::panic::resume_unwind(panic);
    }
    // The wait for the lock may go on, and is not waited for.
    runtime.shutdown_background();
}

/// Keeps what is asked, in order, until the app is to end.
async fn until_end(received: &mut mpsc::UnboundedReceiver<Command>, early: &mut Vec<Command>) {
    while let Some(command) = received.recv().await {
        if matches!(command, Command::Close { .. } | Command::Shutdown { .. }) {
            return;
        }
        early.push(command);
    }
}

/// What listens and runs on the app's own runtime.
struct Listening {
    clock: Arc<dyn Clock>,
    bell: Arc<Bell>,
    monitors: Monitors,
    presence: Presence,
    toasts: Toasts,
    services: ServiceLines,
    sockets: Sockets,
    hosts: Hosts,
    changes: mpsc::UnboundedReceiver<Change>,
    host: mpsc::UnboundedReceiver<HostEvent>,
}

impl Listening {
    fn start(
        builder: &mut AppBuilder,
        registry: &Arc<Registry>,
        conditions: Vec<&'static LinkedCondition>,
        state_dir: &Path,
    ) -> Result<Self> {
        let (changed, changes) = mpsc::unbounded_channel();
        let (reports, host) = mpsc::unbounded_channel();
        let bell = Bell::start().map_err(no_thread)?;
        let clock: Arc<dyn Clock> =
            Arc::new(SystemClock::with_bell(&bell).unwrap_or_else(|_| SystemClock::portable()));
        let env = Env::of_process();
        let storage = [Some(state_dir), env.home()].into_iter().flatten();
        let config = MonitorConfig {
            storage: storage.map(Path::to_owned).collect(),
            system_bus: builder.system_bus.clone(),
            conditions: conditions.iter().map(|one| (one.name, one.watch)).collect(),
            ..MonitorConfig::default()
        };
        let presence = Presence::start(Arc::clone(&bell), changed.clone());
        let place = ToastPlace {
            app: builder.id.clone(),
            session_bus: None,
        };
        let toasts = Toasts::start(place, Arc::clone(&clock), changed.clone());
        let sockets = Sockets::new(Some(Arc::clone(&bell)), Arc::clone(&clock), changed.clone());
        let monitors = Monitors::start(changed, Arc::clone(&clock), Some(&bell), config);
        let mut processes = ProcessConfig::new(builder.id.clone());
        processes.idle = builder.host_idle;
        processes.env_names = std::mem::take(&mut builder.host_env);
        // Hosts have none: a connection ends in this process.
        let services = ServiceLines::default();
        builder.state.insert(services.clone());
        let hosts = Hosts {
            registry: Arc::clone(registry),
            groups: builder.groups.clone(),
            state: Arc::new(std::mem::take(&mut builder.state)),
            processes,
            reports,
            bodies: Handle::current(),
        };
        Ok(Self {
            clock,
            bell,
            monitors,
            presence,
            toasts,
            services,
            sockets,
            hosts,
            changes,
            host,
        })
    }
}

/// What hosts are made of, on the broker's thread.
struct Hosts {
    registry: Arc<Registry>,
    groups: GroupHandlers,
    state: Arc<StateMap>,
    processes: ProcessConfig,
    reports: mpsc::UnboundedSender<HostEvent>,
    bodies: Handle,
}

impl Hosts {
    fn start(
        self,
        clock: &Arc<dyn Clock>,
        supervision: &Supervision,
        data: Arc<dyn DataReader>,
    ) -> (InProcessHost, ProcessHosts) {
        let registry = self.registry;
        let in_process = InProcessHost::new(
            Arc::new(move |name: &str| registry.get(name).map(|task| task.linked)),
            self.state,
            self.reports.clone(),
            Arc::clone(clock),
            supervision,
            self.bodies,
        )
        .with_groups(self.groups)
        .with_data(Arc::clone(&data));
        let processes = ProcessHosts::new(
            ProcessConfig {
                data,
                ..self.processes
            },
            self.reports,
            Arc::clone(clock),
            supervision.clone(),
        );
        (in_process, processes)
    }
}

/// What a broker is made of, until it may start.
struct Parts {
    builder: AppBuilder,
    registry: Arc<Registry>,
    build: String,
    overridden: Overridden,
    listening: Listening,
    access: Arc<Access>,
    following: JoinSet<()>,
    runtime_dir: PathBuf,
    outboxes: Vec<Waiting>,
    looks: Vec<mpsc::UnboundedSender<Look>>,
    store: Arc<dyn Store>,
    events: broadcast::Sender<crate::Event>,
    closed: watch::Sender<bool>,
    commands: mpsc::WeakUnboundedSender<Command>,
    state: watch::Receiver<crate::AppState>,
}

/// What must live as long as the broker runs, and no longer.
pub(super) struct Guard {
    control: control::Control,
    supervision: Supervision,
    _monitors: Monitors,
    _bell: Arc<Bell>,
    _following: JoinSet<()>,
    _relays: Relays,
    _feeds: Feeds,
    _instance: Instance,
}

impl Guard {
    /// Waits for the processes of the app, whose owner is gone by now, and gives up the instance
    /// last.
    pub(super) async fn end(self) {
        self.control.close().await;
        // One that cannot be ended does not keep the app from its own end.
        let _ = tokio::time::timeout(LAST_HOSTS, self.supervision.ended()).await;
    }
}

impl Parts {
    /// Syncs the registrations, takes over what was left, and starts to listen. Called by the
    /// process that holds the instance lock.
    async fn broker(
        self,
        received: mpsc::UnboundedReceiver<Command>,
        early: Vec<Command>,
        instance: Instance,
        supervision: &Supervision,
    ) -> Result<(Broker, Inputs, Guard)> {
        let listening = self.listening;
        let data = Arc::new(KeptData::of(&self.store));
        let bodies = listening.hosts.bodies.clone();
        let (in_process, processes) = listening.hosts.start(&listening.clock, supervision, data);
        let zone = listening.monitors.zone().clone();
        let headless = Arc::new(AtomicBool::new(false));
        let system_bus = self.builder.system_bus.clone();
        let inhibitor = Arc::new(Inhibitor::new(self.builder.id.clone(), system_bus));
        let last_tries = LastTries::new(Arc::clone(&listening.clock));
        let mut broker = Broker {
            registry: Arc::clone(&self.registry),
            store: Arc::clone(&self.store),
            clock: listening.clock,
            scheduler: Scheduler::new(zone),
            in_process: Arc::new(in_process),
            processes: Arc::new(processes),
            events: self.events,
            live: BTreeMap::new(),
            by_name: BTreeMap::new(),
            refused: BTreeMap::new(),
            overridden: self.overridden,
            diff: SyncDiff::default(),
            hosts: self.builder.hosts,
            profile: self.builder.profile,
            presence: listening.presence,
            toasts: listening.toasts,
            conditions: listening.monitors.conditions(),
            demand: listening.monitors.demand().clone(),
            sources: listening.monitors.sources().clone(),
            looks: super::looks::Looks::default(),
            sockets: listening.sockets,
            outboxes: super::outbox::Outboxes::default(),
            active: HashMap::new(),
            runs: HashMap::new(),
            last_outcome: HashMap::new(),
            undelivered: VecDeque::new(),
            takers: VecDeque::new(),
            inbox: VecDeque::new(),
            batch: super::Batch::default(),
            unwritten: VecDeque::new(),
            log: super::log::Log::default(),
            settled: Vec::new(),
            housekeeping: Housekeeping::new(self.builder.keep_history),
            linger: self.builder.linger,
            max_payload: self.builder.max_payload,
            max_push: self.builder.max_push,
            stuck: false,
            last_tries,
            phase: Phase::Open,
            closed: self.closed,
            headless: Arc::clone(&headless),
            energy: energy::Energy::new(
                listening.monitors.power().clone(),
                self.builder.energy_budget,
            ),
            inhibitor,
            commands: self.commands.clone(),
            access_changed: self.access.changes(),
            access: self.access,
        };
        broker.restrict();
        let strict = self.builder.strictness == app::Strictness::Fail;
        broker.register(strict).await?;
        broker.take_over(self.build.clone()).await?;
        broker.recall_looks().await?;
        broker.watch_sources().await;
        let commands = self.commands.clone();
        let surroundings = control::Surroundings {
            app_id: self.builder.id,
            build: self.build,
            warnings: broker.overridden.warnings.clone(),
            headless,
            commands: self.commands,
            store: self.store,
            since: broker.now(),
            state: self.state,
            profile: self.builder.profile,
            access: Arc::clone(&broker.access),
            outboxes: self.looks,
            services: listening.services,
        };
        let control = control::Control::start(&self.runtime_dir, surroundings)?;
        let relays = Relays::start(self.outboxes, &commands, &broker.clock).map_err(no_thread)?;
        let feeds = Feeds::start(self.builder.feeds, &commands, &broker.clock, &bodies);
        let inputs = Inputs {
            early,
            commands: received,
            host: listening.host,
            changes: listening.changes,
            stored: broker.store.changed(),
            access: broker.access.changes(),
        };
        let guard = Guard {
            control,
            supervision: supervision.clone(),
            _monitors: listening.monitors,
            _bell: listening.bell,
            _following: self.following,
            _relays: relays,
            _feeds: feeds,
            _instance: instance,
        };
        Ok((broker, inputs, guard))
    }
}

impl Broker {
    /// Takes what the last launch left: activations, completions, last outcomes.
    pub(super) async fn take_over(&mut self, build: String) -> Result<()> {
        let now = self.now();
        let recovered = self.store.recover(now).await?;
        if !recovered.is_empty() {
            tracing::info!(
                count = recovered.len(),
                "runs of an ended process run again"
            );
        }
        self.hear_ends().await?;
        self.recall_access().await?;
        self.recall_energy().await?;
        self.serviced(build).await?;
        for record in self.store.activations().await? {
            // What the new build fired runs already.
            if self.active.contains_key(&record.id) {
                continue;
            }
            if record.attempt >= self.most_starts(record.registration) {
                self.give_up(&record).await?;
            } else {
                let live = self.live.get(&record.registration);
                if let Some(live) = live.filter(|live| !live.accepts) {
                    // A one-shot that has ended: what was fired by hand may go on.
                    self.demand.need(&live.declaration);
                }
                self.accept(record, true);
            }
        }
        self.recall_holds().await?;
        // However old: this launch may take them.
        self.undelivered = self.store.undelivered().await?.into();
        self.store.prune(self.housekeeping.retention(now)).await?;
        self.look_back().await?;
        let details = Details {
            fired: now,
            ..Details::default()
        };
        let what = Raised::Startup;
        self.inbox.push_back(Input::Raised { what, details });
        Ok(())
    }

    /// Learns which one-shots ended with a run that is not to be repeated: recovery recorded it.
    async fn hear_ends(&mut self) -> Result<()> {
        let may_end = |live: &Live| {
            let declaration = &live.declaration;
            declaration.trigger.is_once() && declaration.options.delivery == Delivery::AtMostOnce
        };
        if !self.live.values().any(may_end) {
            return Ok(());
        }
        for record in self.store.registrations().await? {
            if let Some(at) = record.ended {
                let registration = record.id;
                self.inbox.push_back(Input::Over { registration, at });
            }
        }
        Ok(())
    }

    /// Learns how the last runs ended: each task's, and the last attempt of what is tried again.
    async fn look_back(&mut self) -> Result<()> {
        let newest = HistoryQuery {
            limit: HISTORY_READ,
            ..HistoryQuery::default()
        };
        let newest = self.store.history(newest).await?;
        let more = newest.len() >= HISTORY_READ as usize;
        self.remember(newest);
        if more {
            for task in self.store.tasks_with_runs().await? {
                if self.last_outcome.contains_key(&task) || !self.by_name.contains_key(&task) {
                    continue;
                }
                let last = HistoryQuery {
                    task: Some(task),
                    limit: HISTORY_READ_OF_TASK,
                    ..HistoryQuery::default()
                };
                let last = self.store.history(last).await?;
                self.remember(last);
            }
        }
        for active in self.active.values_mut() {
            if active.record.attempt == 0 {
                continue;
            }
            let last = HistoryQuery {
                activation: Some(active.record.id),
                limit: 1,
                ..HistoryQuery::default()
            };
            let last = self.store.history(last).await?;
            active.hit = last
                .first()
                .is_some_and(|run| blame::end_of_process(&run.outcome).is_some());
        }
        Ok(())
    }

    /// Takes the last outcomes out of ended runs, newest first.
    fn remember(&mut self, runs: Vec<RunRecord>) {
        for run in runs {
            if !matches!(run.outcome, Outcome::Suppressed { .. }) {
                self.last_outcome
                    .entry(run.task)
                    .or_insert((run.ended, run.outcome));
            }
        }
    }

    /// How often an activation may be started without a recorded end. Its process ended under it
    /// each time, so the body is the likely reason: starting it for ever would keep the app from
    /// ever running again.
    fn most_starts(&self, registration: RegistrationId) -> u32 {
        let retry = self
            .live
            .get(&registration)
            .and_then(|live| live.declaration.options.retry.as_ref());
        STARTS.max(retry.map_or(0, |retry| retry.max.saturating_add(1)))
    }

    /// Records the end of an activation that takes its process down each time.
    async fn give_up(&mut self, record: &ActivationRecord) -> Result<()> {
        let at = self.now();
        let claim = Claim {
            activation: record.id,
            run: RunId::now(),
            at,
        };
        let Some(Some(lease)) = self.store.claim(vec![claim]).await?.pop() else {
            return Ok(());
        };
        let starts = record.attempt;
        tracing::error!(
            task = record.task,
            starts,
            "given up: its process ended each time"
        );
        let registration = record.registration;
        let live = self.live.get(&registration);
        let is_once = live.is_some_and(|live| live.declaration.trigger.is_once());
        let ends_registration = is_once && !record.foreign;
        if ends_registration {
            self.inbox.push_back(Input::Over { registration, at });
        }
        let finish = Finish {
            activation: record.id,
            fence: lease.fence,
            at,
            outcome: Outcome::Killed {
                cause: KillCause::HostLost {
                    detail: format!("the app's process ended under each of its {starts} starts"),
                },
            },
            progress: None,
            retry_at: None,
            ends_registration,
            data: Vec::new(),
            cpu: None,
            on_battery: false,
        };
        self.store.finish(vec![finish]).await?;
        Ok(())
    }

    /// Somebody else moved these due times, or it was this broker and the answer was lost: takes
    /// over what the store has now, also what was accepted then.
    pub(super) async fn reread_timers(&mut self, lost: &[Fire]) -> Result<()> {
        let registrations = self.store.registrations().await?;
        let activations = self.store.activations().await?;
        for fire in lost {
            let registration = fire.registration;
            let kept = |record: &&RegistrationRecord| record.id == registration;
            if let Some(record) = registrations.iter().find(kept) {
                self.inbox.push_back(Input::Fired {
                    registration,
                    generation: record.generation,
                    due: record.due,
                });
            }
        }
        self.take_unknown(activations);
        Ok(())
    }
}

/// Compares the file beside the executable with the tasks that are linked.
fn check_manifest(registry: &Registry, app_id: &str) -> Result<()> {
    let Ok(executable) = std::env::current_exe() else {
        return Ok(());
    };
    let name = executable
        .file_name()
        .map_or_else(String::new, |name| name.to_string_lossy().into_owned());
    let entries = registry.tasks().map(|task| task.entry.clone()).collect();
    let manifest = manifest::Manifest::new(name, entries)?.with_app(app_id);
    manifest::check_beside(&executable, &manifest);
    Ok(())
}

/// A row of an outbox is deleted once its activation is kept: that must not be undone.
fn check_durability(durability: Durability, has_outbox: bool) -> Result<()> {
    if durability == Durability::Immediate || !has_outbox {
        return Ok(());
    }
    let rule =
        "an outbox needs `Durability::Immediate`: a loss of power could take what is relayed";
    Err(Error::new(Code::Unsupported, rule).remedy("leave `AppBuilder::durability` out"))
}

fn check_most(setting: &str, allowed: usize, most: usize) -> Result<()> {
    if allowed <= most {
        return Ok(());
    }
    Err(Error::new(
        Code::TooLarge,
        format!("`{setting}` is {allowed} bytes, and {most} is the most that can be handed over"),
    )
    .remedy("hand larger data over as the path of a file"))
}

fn state_dir(builder: &AppBuilder) -> Result<PathBuf> {
    match &builder.state_dir {
        Some(dir) => Env::of_process().make_given_dir(dir),
        None => Env::of_process().make_state_dir(&builder.id),
    }
}

fn runtime_dir(builder: &AppBuilder) -> Result<PathBuf> {
    match &builder.runtime_dir {
        Some(dir) => Env::of_process().make_given_dir(dir),
        None => Env::of_process().make_runtime_dir(&builder.id),
    }
}

fn no_thread(error: std::io::Error) -> Error {
    Error::new(
        Code::Host,
        "the thread that listens to the system could not be started",
    )
    .source(error)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_outbox_needs_what_survives_a_loss_of_power() {
        for durability in [Durability::Immediate, Durability::Eventual] {
            assert!(check_durability(durability, false).is_ok());
        }
        assert!(check_durability(Durability::Immediate, true).is_ok());
        let refused = check_durability(Durability::Eventual, true).unwrap_err();
        assert_eq!(refused.code(), Code::Unsupported);
    }
}
