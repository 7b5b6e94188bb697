//! The broker beside a store whose answers are lost.

use std::sync::Mutex;

use bgtask_model::{Declaration, Delivery, Host as HostKind, Options, Overlap, SystemEvent};
use serde_json::{Value, json};

use super::{batch::Reply, *};
use crate::{
    AppBuilder, Code, Details, EventKind, Origin, Result, Suppression,
    clock::{Bell, ManualClock},
    host::Assignment,
    monitor::{MonitorConfig, Monitors, PowerWatch, Toasts},
    scheduler::Raised,
    store::{
        Claim, DataChange, DataQuery, MemoryStore, NewActivation, NewRegistration, OnDuplicate,
        Registering,
    },
    task::Staged,
};

/// Keeps what it is asked to start and to stop, and runs nothing.
#[derive(Debug, Default)]
struct Started(Mutex<Vec<Assignment>>, Mutex<Vec<RunId>>);

impl Host for Started {
    fn start(&self, assignment: Assignment) {
        self.0.lock().unwrap().push(assignment);
    }

    fn cancel(&self, run: RunId, _: CancelReason) {
        self.1.lock().unwrap().push(run);
    }
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
            toasts: Toasts::of_nobody(),
            presence: Presence::start(Bell::start().unwrap(), mpsc::unbounded_channel().0),
            demand: Demand::of_nobody(),
            sources: Sources::of_nobody(),
            inhibitor: Arc::new(Inhibitor::new(builder.id.clone(), None)),
            commands: mpsc::unbounded_channel().0.downgrade(),
            looks: looks::Looks::default(),
            sockets: Sockets::new(None, Arc::clone(&as_clock), mpsc::unbounded_channel().0),
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

    async fn register(&mut self, trigger: &str) -> RegistrationId {
        self.register_with(trigger, Options::default()).await
    }

    async fn register_with(&mut self, trigger: &str, options: Options) -> RegistrationId {
        let delivery = match options.delivery {
            Delivery::AtMostOnce => "at_most_once",
            _ => "at_least_once",
        };
        let kept = json!({ "trigger": trigger, "delivery": delivery });
        let declaration = Declaration {
            name: "task".to_owned(),
            function: "app::task".to_owned(),
            description: None,
            trigger: trigger.parse().unwrap(),
            condition: None,
            host: HostKind::InProcess,
            options,
        };
        let now = self.broker.now();
        let new = NewRegistration {
            name: "task".to_owned(),
            entry: "task".to_owned(),
            origin: Origin::Built,
            group: None,
            kind: declaration.trigger.word().to_owned(),
            declaration: kept.to_string(),
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
        let id = record.id;
        self.broker.take(record, found, false, None);
        self.broker.settle().await;
        id
    }

    /// Fires by hand, and tells how that went.
    async fn fire(&mut self, registration: RegistrationId, given: Value) -> Result<ActivationId> {
        let (reply, answer) = oneshot::channel();
        let new = fired_with(registration, given);
        self.broker.enqueue(vec![new], Reply::Fire(reply));
        self.broker.settle().await;
        answer.await.unwrap()
    }

    fn started(&self) -> Vec<RunId> {
        let started = self.host.0.lock().unwrap();
        started.iter().map(|one| one.run).collect()
    }

    async fn end(&mut self, run: RunId) {
        self.broker.host_event(HostEvent::Ended {
            run,
            outcome: Outcome::Completed { value: Value::Null },
            cpu: None,
        });
        self.broker.host_event(HostEvent::Vacated { run });
        self.broker.settle().await;
    }
}

fn fired_with(registration: RegistrationId, given: Value) -> NewActivation {
    NewActivation {
        id: ActivationId::now(),
        registration,
        task: "task".to_owned(),
        details: Details {
            arguments: Some(given),
            ..Details::default()
        },
        not_before: NewActivation::AT_ONCE,
        journal: false,
        foreign: true,
    }
}

/// What the store refuses.
fn too_deep() -> Value {
    (0..200).fold(Value::Null, |deep, _| json!([deep]))
}

#[tokio::test]
async fn what_waits_gives_way_to_nothing_that_is_refused() {
    let mut bench = Bench::new().await;
    let task = bench.register("custom(\"x\")").await;
    bench.fire(task, json!(1)).await.unwrap();
    let waits = bench.fire(task, json!(2)).await.unwrap();
    assert_eq!(bench.started().len(), 1);
    let refused = bench.fire(task, too_deep()).await.unwrap_err();
    assert_eq!(refused.code(), Code::BadArguments);
    let run = bench.started()[0];
    bench.end(run).await;
    assert_eq!(bench.started().len(), 2);
    let kept = bench.broker.store.activation(waits).await.unwrap().unwrap();
    assert_eq!(kept.run, Some(bench.started()[1]));
    // What is accepted does take its place.
    let third = bench.fire(task, json!(3)).await.unwrap();
    let last = bench.fire(task, json!(4)).await.unwrap();
    let open = bench.broker.store.activations().await.unwrap();
    let open: Vec<_> = open.iter().map(|open| open.id).collect();
    assert_eq!(open, [waits, last]);
    assert!(!bench.broker.active.contains_key(&third));
}

fn replaces() -> Options {
    Options {
        overlap: Some(Overlap::Replace),
        ..Options::default()
    }
}

#[tokio::test]
async fn what_comes_in_the_same_turn_gives_way_to_nothing_that_is_refused() {
    let mut bench = Bench::new().await;
    let task = bench.register_with("application", replaces()).await;
    let mut answers = Vec::new();
    for given in [json!(1), too_deep()] {
        let (reply, answer) = oneshot::channel();
        let new = fired_with(task, given);
        bench.broker.enqueue(vec![new], Reply::Fire(reply));
        answers.push(answer);
    }
    bench.broker.settle().await;
    answers.remove(0).await.unwrap().unwrap();
    answers.remove(0).await.unwrap().unwrap_err();
    assert_eq!(bench.started().len(), 1);
    assert!(bench.host.1.lock().unwrap().is_empty());
}

#[tokio::test]
async fn what_runs_is_replaced_by_nothing_that_is_refused() {
    let mut bench = Bench::new().await;
    let task = bench.register_with("application", replaces()).await;
    bench.fire(task, json!(1)).await.unwrap();
    bench.fire(task, too_deep()).await.unwrap_err();
    assert!(bench.host.1.lock().unwrap().is_empty());
    // Who requests it may watch it.
    let (reply, answer) = oneshot::channel();
    let new = fired_with(task, json!(2));
    bench.broker.enqueue(vec![new], Reply::Request(reply));
    bench.broker.settle().await;
    let Requested::Accepted(accepted) = answer.await.unwrap().unwrap() else {
        panic!("it is accepted");
    };
    assert!(accepted.view.borrow().ended.is_none());
    assert_eq!(*bench.host.1.lock().unwrap(), bench.started());
}

#[tokio::test]
async fn a_one_shot_whose_run_must_not_repeat_is_over_after_a_crash() {
    for starts in [1, 20] {
        let mut bench = Bench::new().await;
        let options = Options {
            delivery: match starts {
                1 => Delivery::AtMostOnce,
                _ => Delivery::AtLeastOnce,
            },
            ..Options::default()
        };
        let task = bench
            .register_with("system(internet_available, once)", options)
            .await;
        // As a process left it that is gone.
        let store = Arc::clone(&bench.broker.store);
        let new = NewActivation {
            foreign: false,
            ..fired_with(task, Value::Null)
        };
        let activation = new.id;
        store.enqueue(vec![new]).await.unwrap();
        for start in 0..starts {
            if start > 0 {
                store.recover(bench.broker.now()).await.unwrap();
            }
            let claim = Claim {
                activation,
                run: RunId::now(),
                at: bench.broker.now(),
            };
            store.claim(vec![claim]).await.unwrap();
        }
        bench.broker.take_over("build".to_owned()).await.unwrap();
        bench.broker.settle().await;
        assert!(bench.broker.active.is_empty());
        let what = Raised::System(SystemEvent::InternetAvailable);
        let details = Details::default();
        let raised = Input::Raised { what, details };
        bench.broker.inbox.push_back(raised);
        bench.broker.settle().await;
        assert!(bench.started().is_empty(), "after {starts}");
        let kept = store.registrations().await.unwrap();
        assert!(kept[0].ended.is_some(), "after {starts}");
    }
}

fn volatile() -> Options {
    Options {
        delivery: Delivery::Volatile,
        overlap: Some(Overlap::Allow(8)),
        ..Options::default()
    }
}

/// Ends a run that changed the app's data.
fn ends_with(bench: &mut Bench, run: RunId, value: Value) {
    let changes = Stage::from_iter([("key".to_owned(), Staged::Set(value))]);
    let broker = &mut bench.broker;
    broker.host_event(HostEvent::Staged { run, changes });
    broker.host_event(HostEvent::Ended {
        run,
        outcome: Outcome::Completed { value: Value::Null },
        cpu: None,
    });
}

#[tokio::test]
async fn data_of_volatile_runs_is_written_in_their_order_also_after_an_error() {
    let mut bench = Bench::new().await;
    let task = bench.register_with("custom(\"x\")", volatile()).await;
    for number in 0..2 {
        bench.fire(task, json!(number)).await.unwrap();
    }
    let [first, second] = bench.started()[..] else {
        panic!("both run");
    };
    // The store refuses what the first one changed, for now.
    ends_with(&mut bench, first, too_deep());
    ends_with(&mut bench, second, json!(2));
    bench.broker.settle().await;
    assert!(bench.broker.stuck);
    let data = |bench: &Bench| {
        let store = Arc::clone(&bench.broker.store);
        async move { store.data(DataQuery::Key("key".to_owned())).await.unwrap() }
    };
    assert!(data(&bench).await.is_empty());
    let set = |value| DataChange::Set {
        key: "key".to_owned(),
        value,
    };
    bench.broker.batch.changed[0].data = vec![set(json!(1))];
    bench.broker.settle().await;
    assert_eq!(data(&bench).await, [("key".to_owned(), json!(2))]);
    assert!(bench.broker.batch.is_empty());
}

#[tokio::test]
async fn a_volatile_activation_has_fired_before_it_is_suppressed() {
    let mut bench = Bench::new().await;
    let options = Options {
        overlap: Some(Overlap::Skip),
        ..volatile()
    };
    let task = bench.register_with("application", options).await;
    let mut events = bench.broker.events.subscribe();
    bench.fire(task, json!(1)).await.unwrap();
    let skipped = bench.fire(task, json!(2)).await.unwrap();
    let mut told = Vec::new();
    while let Ok(event) = events.try_recv() {
        match event.kind {
            EventKind::Fired { activation } if activation == skipped => told.push("fired"),
            EventKind::Suppressed {
                activation: Some(activation),
                why: Suppression::Overlap,
            } if activation == skipped => told.push("suppressed"),
            _ => {}
        }
    }
    assert_eq!(told, ["fired", "suppressed"]);
}

#[tokio::test]
async fn why_tells_of_a_trigger_that_cannot_be_watched() {
    let mut bench = Bench::new().await;
    let trigger = "files(\"~/notes\")";
    bench.register(trigger).await;
    let config = MonitorConfig {
        home: None,
        etc: "/nonexistent".into(),
        power_supplies: "/nonexistent".into(),
        users: "/nonexistent".into(),
        network: false,
        network_manager: false,
        ..MonitorConfig::default()
    };
    let clock: Arc<dyn Clock> = bench.clock.clone();
    let (changes, _told) = mpsc::unbounded_channel();
    let monitors = Monitors::start(changes, clock, None, config);
    bench.broker.sources = monitors.sources().clone();
    let before = bench.broker.why("task").unwrap();
    assert_eq!(before.unwatched, None);
    let wanted = [trigger.parse().unwrap()].into();
    bench.broker.sources.want(wanted).await;

    let why = bench.broker.why("task").unwrap();
    let error = "`HOME` is not set, so `~` means nothing";
    let at = "00:00";
    let answer = format!(
        "It waits for its trigger, {trigger}, which cannot be watched since {at}: {error}."
    );
    assert_eq!(why.answer, answer);
    let line = format!("trigger not watched since 1970-01-01 00:00:00, tried again: {error}");
    assert!(why.to_string().contains(&line), "{why}");
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
async fn what_was_seen_is_kept_after_what_it_led_to() {
    let mut bench = Bench::new().await;
    bench.register("files(\"/a\")").await;
    let trigger = |path: &str| format!("files(\"{path}\")").parse().unwrap();
    let look = |path, sum| Change::Looked {
        trigger: trigger(path),
        sum,
    };
    let kept = async |broker: &mut Broker| {
        broker.keep_looks().await;
        broker.store.meta("looks").await.unwrap().unwrap()
    };
    bench.broker.change(look("/a", 1));
    bench.broker.change(look("/b", 1));
    let one = |sum: u64| format!(r#"{{"files(\"/a\")":{sum}}}"#);
    assert_eq!(
        kept(&mut bench.broker).await,
        one(1),
        "nobody waits for the other"
    );
    bench.broker.recall_looks().await.unwrap();
    assert_eq!(kept(&mut bench.broker).await, one(1));
    // What it led to may not be written yet.
    bench.broker.stuck = true;
    bench.broker.change(look("/a", 2));
    assert_eq!(kept(&mut bench.broker).await, one(1));
    bench.broker.stuck = false;
    assert_eq!(kept(&mut bench.broker).await, one(2));
    // It leads to nothing while the app ends.
    bench.broker.phase = Phase::Lingering;
    bench.broker.change(look("/a", 3));
    assert_eq!(kept(&mut bench.broker).await, one(3));
    bench.broker.change(Change::Raised {
        trigger: trigger("/a"),
        details: Box::default(),
    });
    bench.broker.change(look("/a", 4));
    assert_eq!(kept(&mut bench.broker).await, one(3));
}
