//! The broker beside a store whose answers are lost.

use std::sync::Mutex;

use bgtask_model::{Declaration, Host as HostKind, Options};

use super::*;
use crate::{
    AppBuilder, Origin,
    clock::{Bell, ManualClock},
    host::Assignment,
    monitor::PowerWatch,
    store::{MemoryStore, NewRegistration, OnDuplicate, Registering},
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
        let clock = Arc::new(ManualClock::new(Timestamp::UNIX_EPOCH));
        let as_clock: Arc<dyn Clock> = clock.clone();
        let store: Arc<dyn Store> = Arc::new(MemoryStore::new());
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
            sockets: Sockets::new(None, Arc::clone(&as_clock), mpsc::unbounded_channel().0),
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
        let declaration = Declaration {
            name: "task".to_owned(),
            function: "app::task".to_owned(),
            description: None,
            trigger: trigger.parse().unwrap(),
            condition: None,
            host: HostKind::InProcess,
            options: Options::default(),
        };
        let now = self.broker.now();
        let new = NewRegistration {
            name: "task".to_owned(),
            entry: "task".to_owned(),
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
