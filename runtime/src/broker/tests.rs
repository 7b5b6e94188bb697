//! The broker beside a store whose answers are lost.

use std::sync::Mutex;

use bgtask_model::{Declaration, Host as HostKind, Options};

use super::*;
use crate::{
    AppBuilder, Origin,
    clock::{Bell, ManualClock},
    host::Assignment,
    monitor::PowerWatch,
    store::{HistoryQuery, MemoryStore, NewRegistration, OnDuplicate, Registering, SqliteStore},
};

/// Keeps what it is asked to start, and runs nothing.
#[derive(Debug, Default)]
struct Started(Mutex<Vec<Assignment>>);

impl Host for Started {
    fn start(&self, assignment: Assignment) {
        self.0.lock().unwrap().push(assignment);
    }

    fn cancel(&self, _: RunId, _: CancelReason) {}
}

struct Bench {
    broker: Broker,
    clock: Arc<ManualClock>,
    host: Arc<Started>,
}

impl Bench {
    async fn new() -> Self {
        Self::on(Arc::new(MemoryStore::new())).await
    }

    async fn on(store: Arc<dyn Store>) -> Self {
        let clock = Arc::new(ManualClock::new(Timestamp::UNIX_EPOCH));
        let as_clock: Arc<dyn Clock> = clock.clone();
        let host = Arc::new(Started::default());
        let builder = AppBuilder::new("broker-under-test");
        let access = access::open(&builder, &store, &as_clock).await.unwrap();
        let broker = Broker {
            registry: Arc::new(Registry::linked().unwrap()),
            store,
            clock: Arc::clone(&as_clock),
            scheduler: Scheduler::new(jiff::tz::TimeZone::UTC),
            in_process: host.clone(),
            processes: host.clone(),
            events: broadcast::channel(64).0,
            live: BTreeMap::new(),
            by_name: BTreeMap::new(),
            refused: BTreeMap::new(),
            overridden: Overridden::default(),
            diff: SyncDiff::default(),
            hosts: false,
            profile: Profile::default(),
            conditions: mpsc::unbounded_channel().0,
            presence: Presence::start(Bell::start().unwrap(), mpsc::unbounded_channel().0),
            demand: Demand::of_nobody(),
            sources: Sources::of_nobody(),
            inhibitor: Inhibitor::new(builder.id.clone(), None),
            outboxes: outbox::Outboxes::default(),
            active: HashMap::new(),
            runs: HashMap::new(),
            last_outcome: HashMap::new(),
            undelivered: VecDeque::new(),
            takers: VecDeque::new(),
            inbox: VecDeque::new(),
            batch: Batch::default(),
            unwritten: VecDeque::new(),
            log: log::Log::default(),
            settled: Vec::new(),
            housekeeping: Housekeeping::new(Duration::from_secs(3600)),
            linger: false,
            max_payload: 1000,
            max_push: 1000,
            stuck: false,
            last_tries: LastTries::new(Arc::clone(&as_clock)),
            phase: Phase::Open,
            closed: watch::channel(false).0,
            headless: Arc::default(),
            energy: energy::Energy::new(PowerWatch::of_nobody(), None),
            access_changed: access.changes(),
            access,
        };
        Self {
            broker,
            clock,
            host,
        }
    }

    async fn register(&mut self, trigger: &str) {
        self.register_as("task", trigger).await;
    }

    async fn register_as(&mut self, name: &str, trigger: &str) {
        let declaration = Declaration {
            name: name.to_owned(),
            function: "app::task".to_owned(),
            description: None,
            trigger: trigger.parse().unwrap(),
            condition: None,
            host: HostKind::InProcess,
            options: Options::default(),
        };
        let now = self.broker.now();
        let new = NewRegistration {
            name: name.to_owned(),
            entry: name.to_owned(),
            origin: Origin::Built,
            group: None,
            kind: declaration.trigger.word().to_owned(),
            declaration: String::new(),
            fingerprint: "1".to_owned(),
            due: self.broker.scheduler.due_from(&declaration, now).unwrap(),
        };
        let made = self
            .broker
            .store
            .register(new, OnDuplicate::Error, None, now);
        let Registering::Added { record, .. } = made.await.unwrap() else {
            panic!("it is new");
        };
        let found = launch::Kept::Readable(Arc::new(declaration));
        self.broker.take(record, found, false, None);
        self.broker.settle().await;
    }
}

#[tokio::test]
async fn what_a_fire_accepted_that_seemed_to_fail_is_taken_up_at_once() {
    let mut bench = Bench::new().await;
    bench.register("every(\"10s\")").await;
    bench.clock.advance(Duration::from_secs(10));
    bench.broker.inbox.push_back(Input::Time);
    bench.broker.decide();
    // The store did it, and its answer was lost: it is asked again.
    let fires = bench.broker.batch.fires.clone();
    assert_eq!(fires.len(), 1);
    bench.broker.store.fire(fires).await.unwrap();
    bench.broker.settle().await;

    assert_eq!(bench.host.0.lock().unwrap().len(), 1);
    assert_eq!(bench.broker.active.len(), 1);
    let next = bench.broker.scheduler.next_wake();
    assert_eq!(next, Some(Timestamp::from_second(20).unwrap()));
}

#[tokio::test]
async fn what_ends_while_the_store_writes_is_written_next() {
    let directory = tempfile::tempdir().unwrap();
    let store = Arc::new(SqliteStore::open(directory.path()).unwrap());
    let mut bench = Bench::on(store.clone()).await;
    for name in ["one", "other"] {
        bench.register_as(name, "every(\"10s\")").await;
    }
    bench.clock.advance(Duration::from_secs(10));
    bench.broker.inbox.push_back(Input::Time);
    bench.broker.settle().await;
    let started = std::mem::take(&mut *bench.host.0.lock().unwrap());
    let ends = started.iter().map(|assignment| HostEvent::Ended {
        run: assignment.run,
        outcome: Outcome::Completed {
            value: serde_json::Value::Null,
        },
        cpu: None,
    });
    let mut ends: Vec<_> = ends.collect();
    assert_eq!(ends.len(), 2);

    // Another process has the turn: the store is busy with the first end while the other comes.
    let turn = directory.path().join("store.turn");
    let turn = std::fs::File::open(turn).unwrap();
    turn.lock().unwrap();
    bench.broker.host_event(ends.remove(0));
    let (host, events) = mpsc::unbounded_channel();
    host.send(ends.remove(0)).unwrap();
    let mut inputs = Inputs {
        left: Vec::new(),
        commands: mpsc::unbounded_channel().1,
        host: events,
        changes: mpsc::unbounded_channel().1,
        stored: watch::channel(0).1,
        access: bench.broker.access_changed.clone(),
    };
    let mut inputs = Some(&mut inputs);
    let settle = bench.broker.settle_beside(&mut inputs);
    tokio::join!(settle, async { turn.unlock().unwrap() });

    let history = store.history(HistoryQuery::default()).await.unwrap();
    assert_eq!(history.len(), 2);
    assert!(bench.broker.active.is_empty());
}

#[tokio::test]
async fn a_start_that_builds_on_what_was_not_written_is_tried_again() {
    for (is_early, starts) in [(true, 1), (false, 0)] {
        let mut bench = Bench::new().await;
        bench.register("every(\"10s\")").await;
        bench.clock.advance(Duration::from_secs(10));
        bench.broker.inbox.push_back(Input::Time);
        bench.broker.decide();
        let mut fired = bench.broker.hand_in().unwrap();
        let answers = (&mut fired.answers).await;
        bench.broker.written(fired, answers, false).await.unwrap();
        bench.broker.decide();

        let mut claims = bench.broker.hand_in().unwrap();
        let mut answers = (&mut claims.answers).await;
        answers.claims = Ok(vec![None]);
        bench
            .broker
            .written(claims, answers, is_early)
            .await
            .unwrap();
        bench.broker.settle().await;
        assert_eq!(bench.host.0.lock().unwrap().len(), starts);
        assert_eq!(bench.broker.active.len(), starts);
    }
}
