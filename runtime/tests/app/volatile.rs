//! `delivery = volatile`: runs as any other task, and leaves nothing in the store.

use bgtask::{
    ActivationId, Code, EventKind, LogQuery, Outcome, Run, Suppression, outbox::OutboxRow,
    prelude::*, rusqlite::Connection,
};
use libtest_mimic::Trial;
use rustix::process::Signal;
use serde_json::json;

use super::{checked, held, start_run, trial};
use crate::{
    harness::{self, Gate, Home, event, visit_async},
    tasks::{Deed, GATE},
};

pub(crate) fn trials() -> Vec<Trial> {
    let checked = [
        "volatile_runs_leave_the_store_alone",
        "volatile_runs_go_on_while_the_store_takes_nothing",
        "volatile_and_kept_tasks_share_an_event",
        "what_a_volatile_run_changes_of_the_data_is_kept",
        "a_volatile_timer_keeps_its_due_time_and_no_activation",
        "a_volatile_one_shot_ends_as_it_fires",
        "outbox_a_volatile_task_takes_no_row",
        "the_end_of_the_app_is_told_to_who_waits_for_a_volatile_run",
    ]
    .map(checked);
    let lost = trial("volatile_activations_are_lost_with_the_process", lost);
    checked.into_iter().chain([lost]).collect()
}

#[background_task(name = "volatile", trigger = application, delivery = volatile, overlap = allow(8))]
async fn doubles(Args(number): Args<u32>) -> u32 {
    2 * number
}

#[background_task(name = "volatile_again", trigger = application, delivery = volatile, overlap = allow(8), retry(max = 2, backoff = fixed("10ms")))]
async fn third_time(task: TaskContext) -> Result<u64, String> {
    match task.attempt() {
        3 => Ok(task.fence()),
        attempt => Err(format!("attempt {attempt}")),
    }
}

#[background_task(name = "volatile_held", trigger = application, delivery = volatile, condition = crate::tasks::gate_open)]
async fn waits_for_the_gate() {}

#[background_task(name = "volatile_fails", trigger = application, delivery = volatile, retry(max = 2, backoff = fixed("1h")))]
async fn fails() -> Result<(), String> {
    Err("as asked".to_owned())
}

#[background_task(name = "volatile_listens", trigger = custom("volatile"), delivery = volatile)]
async fn listens(Args(number): Args<u32>) -> u32 {
    number
}

#[background_task(name = "keeps_and_listens", trigger = custom("volatile"))]
async fn listens_too(Args(number): Args<u32>) -> u32 {
    number
}

#[background_task(name = "volatile_listens_alone", trigger = custom("alone"), delivery = volatile)]
async fn listens_alone() {}

#[background_task(name = "volatile_counts", trigger = application, delivery = volatile)]
async fn counts(task: TaskContext) -> bgtask::Result<u32> {
    let count = task.data().get("count").await?.unwrap_or(0) + 1;
    task.data().set("count", &count)?;
    Ok(count)
}

#[background_task(name = "volatile_visits", trigger = application, delivery = volatile)]
async fn visits() {
    visit_async(&harness::home().join("gate"), "here").await;
}

#[background_task(name = "by_hand", trigger = custom("never"), register = false)]
async fn by_hand() {}

pub(crate) async fn play(app: &App, name: &str) -> bool {
    match name {
        "volatile_runs_leave_the_store_alone" => leave_the_store_alone(app).await,
        "volatile_runs_go_on_while_the_store_takes_nothing" => takes_nothing(app).await,
        "volatile_and_kept_tasks_share_an_event" => share_an_event(app).await,
        "what_a_volatile_run_changes_of_the_data_is_kept" => {
            for count in 1..=3 {
                let run = run::<counts>(app, ()).await;
                assert_eq!(run.completed().await.unwrap(), count);
                assert_eq!(app.data().get("count").await.unwrap(), Some(count));
            }
        }
        "a_volatile_timer_keeps_its_due_time_and_no_activation" => timer(app).await,
        "a_volatile_one_shot_ends_as_it_fires" => one_shot(app).await,
        "outbox_a_volatile_task_takes_no_row" => outbox(app).await,
        "the_end_of_the_app_is_told_to_who_waits_for_a_volatile_run" => closing(app).await,
        "loses_volatile" => {
            GATE.send_replace(false);
            let held_one = run::<waits_for_the_gate>(app, ()).await;
            let mut events = app.events();
            let failed = run::<fails>(app, ()).await;
            event(&mut events, |event| match &event.kind {
                EventKind::Ended { retry_at, .. } => *retry_at,
                _ => None,
            })
            .await;
            println!("{} {}", held_one.activation(), failed.activation());
            std::future::pending::<()>().await;
        }
        "lost_volatile" => {
            for task in ["volatile_held", "volatile_fails"] {
                let why = app.why(task).await.unwrap();
                assert_eq!((why.waiting, why.running.len()), (0, 0), "{why}");
                assert_eq!(why.last_outcome, None);
            }
            GATE.send_replace(true);
            let run = run::<waits_for_the_gate>(app, ()).await;
            run.completed().await.unwrap();
        }
        _ => return false,
    }
    true
}

async fn run<F: bgtask::Requestable + bgtask::NamedTask>(app: &App, arguments: F::Args) -> Run<F> {
    let handle = app.task::<F>();
    handle.request(arguments).await.unwrap().allowed().unwrap()
}

/// What other connections see of the store.
struct Seen(Connection);

impl Seen {
    fn new() -> Self {
        let state = std::env::var_os("XDG_STATE_HOME").expect("where the store is");
        let dir = std::path::Path::new(&state).join("bgtask");
        let store = Connection::open(dir.join(harness::APP).join("store.db")).unwrap();
        store
            .busy_timeout(std::time::Duration::from_secs(20))
            .unwrap();
        Self(store)
    }

    /// Is another one after each commit of the app.
    fn version(&self) -> i64 {
        let version = self
            .0
            .query_row("PRAGMA data_version", [], |row| row.get(0));
        version.unwrap()
    }

    fn rename(&self, from: &str, to: &str) {
        let statement = format!("ALTER TABLE {from} RENAME TO {to}");
        self.0.execute_batch(&statement).unwrap();
    }

    fn count(&self, table: &str) -> i64 {
        let count = format!("SELECT count(*) FROM {table}");
        self.0.query_row(&count, [], |row| row.get(0)).unwrap()
    }
}

/// What happened so far is written.
async fn settled(app: &App) {
    app.log(LogQuery::default()).await.unwrap();
}

async fn leave_the_store_alone(app: &App) {
    GATE.send_replace(false);
    let store = Seen::new();
    let mut events = app.events();
    settled(app).await;
    let before = store.version();
    // From now on a write would wait for long.
    store.0.execute_batch("BEGIN IMMEDIATE").unwrap();

    let mut runs = Vec::new();
    for number in 0..100 {
        runs.push((number, run::<doubles>(app, number).await));
        if runs.len() == 8 {
            for (number, run) in runs.drain(..) {
                assert_eq!(run.completed().await.unwrap(), 2 * number);
            }
        }
    }
    let again = run::<third_time>(app, ()).await;
    assert_eq!(
        again.completed().await.unwrap(),
        3,
        "each start has its fence"
    );

    let mut waits = run::<waits_for_the_gate>(app, ()).await;
    assert!(
        held(&mut events, "volatile_held")
            .await
            .contains("gate_open")
    );
    let again = app.run::<waits_for_the_gate>(waits.activation());
    let again = again.await.unwrap();
    waits.cancel(CancelReason::Abort).await.unwrap();
    let why = Suppression::Cancelled {
        reason: CancelReason::Abort,
    };
    assert_eq!(waits.ended().await.unwrap(), Outcome::Suppressed { why });
    drop(again);

    let visitors = Gate::new(harness::home().join("gate"));
    let mut stopped = run::<visits>(app, ()).await;
    let visitor = visitors.visitor();
    stopped.cancel(CancelReason::Abort).await.unwrap();
    let outcome = stopped.ended().await.unwrap();
    assert_eq!(outcome.word(), "cancelled", "{outcome}");
    visitor.leaves();

    app.raise("alone", json!(null)).await.unwrap();
    app.fire("volatile_listens", Some(json!(5))).await.unwrap();
    ended(&mut events, "volatile_listens").await;
    // Nobody waits for this one, and it is kept for nobody.
    drop(run::<doubles>(app, 1).await);
    ended(&mut events, "volatile").await;

    store.0.execute_batch("ROLLBACK").unwrap();
    settled(app).await;
    assert_eq!(store.version(), before, "nothing was written");
    for table in ["activation", "run"] {
        assert_eq!(store.count(table), 0, "{table}");
    }
    assert!(app.history(None, 100).await.unwrap().is_empty());
    assert!(app.completions().ready().await.is_none());
    let over = app.run::<doubles>(ActivationId::now()).await.unwrap_err();
    assert_eq!(over.code(), Code::UnknownRun);
    let why = app.why("volatile").await.unwrap();
    let value = json!(2);
    assert_eq!(
        why.last_outcome.map(|last| last.outcome),
        Some(Outcome::Completed { value }),
        "remembered while the app lives"
    );
}

async fn ended(events: &mut bgtask::Events, task: &str) -> Outcome {
    event(events, |event| match &event.kind {
        EventKind::Ended { outcome, .. } if event.task == task => Some(outcome.clone()),
        _ => None,
    })
    .await
}

async fn takes_nothing(app: &App) {
    let visitors = Gate::new(harness::home().join("gate"));
    let kept = start_run(app, "here", Deed::Visit(visitors.path().into())).await;
    let visitor = visitors.visitor();
    let store = Seen::new();
    let mut events = app.events();
    store.rename("activation", "away");
    // The end of this one waits for the store from now on.
    visitor.pass();
    for number in 0..20 {
        let run = run::<doubles>(app, number).await;
        assert_eq!(run.completed().await.unwrap(), 2 * number);
    }
    let again = run::<third_time>(app, ()).await;
    assert_eq!(
        again.completed().await.unwrap(),
        3,
        "times come all the same"
    );
    let error = app.raise("volatile", 1).await.unwrap_err();
    assert_eq!(
        error.code(),
        Code::Store,
        "all of an event, or nothing: {error}"
    );
    store.rename("away", "activation");
    app.raise("volatile", 2).await.unwrap();
    let value = json!(2);
    assert_eq!(
        ended(&mut events, "volatile_listens").await,
        Outcome::Completed { value },
        "the first of them"
    );
    assert_eq!(kept.completed().await.unwrap().value, 0);
}

async fn share_an_event(app: &App) {
    let mut events = app.events();
    let fired = app.raise("volatile", 7).await.unwrap();
    assert_eq!(fired.len(), 2);
    let mut tasks = Vec::new();
    while tasks.len() < 2 {
        let ended = event(&mut events, |event| match &event.kind {
            EventKind::Ended {
                outcome,
                activation,
                ..
            } => {
                assert!(fired.contains(activation));
                let value = json!(7);
                assert_eq!(*outcome, Outcome::Completed { value });
                Some(event.task.clone())
            }
            _ => None,
        });
        tasks.push(ended.await);
    }
    tasks.sort_unstable();
    assert_eq!(tasks, ["keeps_and_listens", "volatile_listens"]);
    let history = app.history(None, 10).await.unwrap();
    let kept: Vec<_> = history.iter().map(|run| &*run.task).collect();
    assert_eq!(kept, ["keeps_and_listens"]);
}

async fn timer(app: &App) {
    let mut events = app.events();
    let timer = app.registration("ticks").entry::<by_hand>();
    let timer = timer.trigger("every(\"50ms\")").set("delivery", "volatile");
    timer.register().await.unwrap();
    for _ in 0..3 {
        ended(&mut events, "ticks").await;
    }
    let kept = app.registered("ticks").await.unwrap().record().clone();
    assert!(kept.generation >= 3, "{kept:?}");
    assert!(kept.due.is_some() && kept.last_fired.is_some(), "{kept:?}");
    let store = Seen::new();
    assert_eq!((store.count("activation"), store.count("run")), (0, 0));
}

async fn one_shot(app: &App) {
    let mut events = app.events();
    let once = app.registration("rings").entry::<by_hand>();
    let once = once
        .trigger("every(\"50ms\", once)")
        .set("delivery", "volatile");
    once.register().await.unwrap();
    ended(&mut events, "rings").await;
    let all = app.registrations().await.unwrap();
    let kept = all.iter().find(|one| one.name == "rings").unwrap();
    assert!(kept.ended.is_some(), "{kept:?}");
    let ended = app.why("rings").await.unwrap().ended;
    assert!(ended.is_some());
}

async fn outbox(app: &App) {
    let own = Connection::open(harness::home().join("shop.db")).unwrap();
    let error = app.task::<doubles>().request_in(&own, 1).unwrap_err();
    assert_eq!(error.code(), Code::Unsupported, "{error}");
    // A row that another program wrote is put aside.
    let mut events = app.events();
    OutboxRow::new("volatile", &1)
        .unwrap()
        .insert(&own)
        .unwrap();
    let told = event(&mut events, |event| match &event.kind {
        EventKind::OutboxRefused { error, .. } => Some(error.clone()),
        _ => None,
    });
    assert!(told.await.contains("`delivery = volatile` keeps nothing"));
}

async fn closing(app: &App) {
    GATE.send_replace(false);
    let mut events = app.events();
    let mut waits = run::<waits_for_the_gate>(app, ()).await;
    held(&mut events, "volatile_held").await;
    let mut fails = run::<fails>(app, ()).await;
    event(&mut events, |event| match &event.kind {
        EventKind::Ended { retry_at, .. } => *retry_at,
        _ => None,
    })
    .await;
    app.shutdown().await;
    let reason = CancelReason::Terminating;
    for run in [waits.ended().await, fails.ended().await] {
        let why = Suppression::Cancelled { reason };
        assert_eq!(run.unwrap(), Outcome::Suppressed { why });
    }
}

fn lost() {
    let home = Home::new();
    let mut first = home.start("loses_volatile");
    first.line("");
    first.signal(Signal::KILL);
    first.ends_by_signal();
    home.start("lost_volatile").succeeds();
}
