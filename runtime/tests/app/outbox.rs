//! Requests in a transaction of the caller's.

use std::{collections::HashMap, path::PathBuf, time::Duration};

use bgtask::{
    ActivationId, App, AppBuilder, CancelReason, Code, EventKind, Events, LogQuery, TaskHandle,
    outbox::{OutboxError, OutboxRow, OutboxSource},
    prelude::*,
    rusqlite::{Connection, ErrorCode, TransactionBehavior},
};
use libtest_mimic::Trial;

use crate::{
    checked, event, harness,
    harness::{Gate, Home},
    start_run,
    tasks::{Deed, act, takes_a_text},
    trial,
};

/// Scenarios of this module have an outbox.
const PREFIX: &str = "outbox_";

pub(crate) fn trials() -> Vec<Trial> {
    let mut trials: Vec<Trial> = [
        "outbox_what_is_committed_runs_and_what_is_rolled_back_does_not",
        "outbox_a_row_that_cannot_be_accepted_is_put_aside_and_blocks_nobody",
        "outbox_a_known_id_is_not_accepted_again",
        "outbox_a_committed_request_waits_for_a_run_that_is_active",
        "outbox_what_does_not_fit_is_refused_in_the_transaction",
        "outbox_a_locked_database_is_shown_and_tried_again",
        "outbox_a_missing_database_is_shown_and_found_when_it_is_made",
        "outbox_a_row_for_later_is_kept_until_then",
        "outbox_a_body_in_a_process_of_its_own_writes_rows",
        "outbox_a_source_that_fails_or_repeats_itself_is_shown",
        "outbox_a_source_that_skips_nothing_is_shown",
        "outbox_rows_that_are_held_back_block_no_other",
        "outbox_rows_of_a_crowded_task_wait_for_room",
        "outbox_a_row_of_a_task_that_is_not_registered_waits_for_that",
        "an_app_without_an_outbox_says_so",
    ]
    .map(checked)
    .into();
    trials.push(trial(
        "what_is_committed_while_the_app_is_closed_runs_at_the_next_start",
        || {
            let home = Home::new();
            let shop = Connection::open(home.path("shop.db")).unwrap();
            let row = OutboxRow::new("takes_a_text", &"four").unwrap();
            row.insert(&shop).unwrap();
            std::fs::write(home.path("id"), &row.id).unwrap();
            home.start("outbox_left").succeeds();
        },
    ));
    trials.push(trial(
        "a_row_of_a_task_in_quarantine_waits_for_its_function",
        || {
            let home = Home::new();
            home.start("outbox_registers").succeeds();
            let entry = |entry: &str| {
                let store = Connection::open(home.store().join("store.db")).unwrap();
                let changed = "UPDATE registration SET entry = ?1 WHERE name = 'mine'";
                assert_eq!(store.execute(changed, [entry]).unwrap(), 1);
            };
            entry("app::gone");
            let shop = Connection::open(home.path("shop.db")).unwrap();
            let row = OutboxRow::new("mine", &7).unwrap();
            row.insert(&shop).unwrap();
            std::fs::write(home.path("id"), &row.id).unwrap();
            home.start("outbox_orphan").succeeds();
            entry("registered by main");
            home.start("outbox_adopted").succeeds();
        },
    ));
    trials
}

pub(crate) fn setup(app: AppBuilder, scenario: &str) -> AppBuilder {
    if scenario == "outbox_a_source_that_fails_or_repeats_itself_is_shown" {
        return app.outbox_source(Faulty { polls: 0 });
    }
    if scenario == "outbox_a_source_that_skips_nothing_is_shown" {
        let row = |_| OutboxRow::new("registered by main", &7).unwrap();
        return app.outbox_source(Unskipping((0..256).map(row).collect()));
    }
    match scenario.starts_with(PREFIX) {
        true => app.host_env(["BGTASK_HOME"]).outbox(database()),
        false => app,
    }
}

fn database() -> PathBuf {
    harness::home().join("shop.db")
}

/// Polls the same row again and again, after a first failure.
struct Faulty {
    polls: u32,
}

const REPEATED: &str = "0199d3a0-0000-7000-8000-000000000001";

impl OutboxSource for Faulty {
    fn name(&self) -> String {
        "a faulty table".to_owned()
    }

    async fn poll(&mut self, _: usize, _: usize) -> Result<Vec<OutboxRow>, OutboxError> {
        self.polls += 1;
        if self.polls == 1 {
            return Err("no connection".into());
        }
        let id = REPEATED.to_owned();
        let row = OutboxRow::new("takes_a_text", &"four")?;
        Ok(vec![OutboxRow { id, ..row }])
    }

    async fn acknowledge(&mut self, _: Vec<String>) -> Result<(), OutboxError> {
        Ok(())
    }

    async fn refuse(&mut self, id: String, error: String) -> Result<(), OutboxError> {
        panic!("{id} was refused: {error}")
    }

    async fn rung(&mut self) {}
}

/// Polls all that it has, whatever it is told to skip.
struct Unskipping(Vec<OutboxRow>);

impl OutboxSource for Unskipping {
    fn name(&self) -> String {
        "a table without an end".to_owned()
    }

    async fn poll(&mut self, most: usize, _: usize) -> Result<Vec<OutboxRow>, OutboxError> {
        Ok(self.0.iter().take(most).cloned().collect())
    }

    async fn acknowledge(&mut self, _: Vec<String>) -> Result<(), OutboxError> {
        Ok(())
    }

    async fn refuse(&mut self, id: String, error: String) -> Result<(), OutboxError> {
        panic!("{id} was refused: {error}")
    }
}

/// Writes a row in a database of its caller's.
#[background_task(name = "writes_a_row", trigger = application, host = process("rows"))]
async fn writes_a_row(Args(text): Args<String>) -> Result<String, Box<dyn std::error::Error>> {
    let mut shop = Connection::open(database())?;
    let writing = shop.transaction()?;
    let row = OutboxRow::of::<takes_a_text>(text)?;
    row.insert(&writing)?;
    writing.commit()?;
    Ok(row.id)
}

/// Registered by `main`, if at all.
#[background_task(name = "registered by main", trigger = application, register = false)]
async fn registered_by_main(Args(number): Args<u64>) -> u64 {
    number
}

/// A transaction stays on its thread, and so does what has one.
pub(crate) async fn play(app: &App, name: &str) -> bool {
    let here = tokio::runtime::Handle::current();
    tokio::task::block_in_place(|| here.block_on(plays(app, name)))
}

async fn plays(app: &App, name: &str) -> bool {
    match name {
        "outbox_what_is_committed_runs_and_what_is_rolled_back_does_not" => exact(app).await,
        "outbox_a_row_that_cannot_be_accepted_is_put_aside_and_blocks_nobody" => refused(app).await,
        "outbox_a_known_id_is_not_accepted_again" => known(app).await,
        "outbox_a_committed_request_waits_for_a_run_that_is_active" => waits(app).await,
        "outbox_what_does_not_fit_is_refused_in_the_transaction" => too_early(app),
        "outbox_a_locked_database_is_shown_and_tried_again" => locked(app).await,
        "outbox_a_missing_database_is_shown_and_found_when_it_is_made" => missing(app).await,
        "outbox_a_row_for_later_is_kept_until_then" => later(app).await,
        "outbox_a_body_in_a_process_of_its_own_writes_rows" => {
            drop(shop());
            let run = app.task::<writes_a_row>().request("four".to_owned()).await;
            let id = run.unwrap().allowed().unwrap().completed().await.unwrap();
            assert_eq!(text(app, id.parse().unwrap()).await, 4);
        }
        "outbox_a_source_that_fails_or_repeats_itself_is_shown" => {
            shown(app, "no connection").await;
            shown(app, REPEATED).await;
            assert_eq!(text(app, REPEATED.parse().unwrap()).await, 4);
            assert_eq!(app.history(None, 10).await.unwrap().len(), 1);
        }
        "outbox_a_source_that_skips_nothing_is_shown" => shown(app, "told to skip").await,
        "outbox_rows_that_are_held_back_block_no_other" => held_back(app).await,
        "outbox_rows_of_a_crowded_task_wait_for_room" => crowded(app).await,
        "outbox_a_row_of_a_task_that_is_not_registered_waits_for_that" => unregistered(app).await,
        "outbox_registers" => {
            let mine = app.registration("mine").entry::<registered_by_main>();
            mine.trigger("application").register().await.unwrap();
        }
        "outbox_orphan" => {
            let error = app.run::<registered_by_main>(told()).await.unwrap_err();
            assert_eq!(error.code(), Code::UnknownRun);
            let why = app.why("mine").await.unwrap();
            assert!(why.to_string().contains("in quarantine"), "{why}");
            assert!(why.outbox.is_empty(), "{why}");
            assert_eq!(left(&Connection::open(database()).unwrap()), 1);
        }
        "outbox_adopted" => {
            let error = app.run::<registered_by_main>(told()).await.unwrap_err();
            assert!(error.rule().contains("an activation of `mine`"), "{error}");
            assert_eq!(left(&Connection::open(database()).unwrap()), 0);
        }
        "outbox_left" => {
            let id = told();
            assert_eq!(text(app, id).await, 4);
            let run = &app.history(None, 10).await.unwrap()[0];
            // It counts from when it was written.
            assert!(run.accepted < run.started.unwrap(), "{run:?}");
        }
        "an_app_without_an_outbox_says_so" => {
            let shop = Connection::open_in_memory().unwrap();
            let error = texts(app).request_in(&shop, "four".to_owned()).unwrap_err();
            assert_eq!(error.code(), Code::Outbox);
            assert!(error.help().unwrap().contains("app.outbox"), "{error}");
        }
        _ => return false,
    }
    true
}

fn shop() -> Connection {
    let shop = Connection::open(database()).unwrap();
    shop.busy_timeout(Duration::from_secs(30)).unwrap();
    // The app looks into it already, and for this change the engine waits for nobody.
    while let Err(error) = shop.pragma_update(None, "journal_mode", "WAL") {
        let code = error.sqlite_error_code();
        assert_eq!(code, Some(ErrorCode::DatabaseBusy), "{error}");
        std::thread::yield_now();
    }
    shop.execute_batch("CREATE TABLE orders (number INTEGER)")
        .unwrap();
    shop
}

/// The id of the row that was written before the app started.
fn told() -> ActivationId {
    let id = std::fs::read_to_string(harness::home().join("id")).unwrap();
    id.parse().unwrap()
}

fn texts(app: &App) -> TaskHandle<takes_a_text> {
    app.task()
}

async fn text(app: &App, id: ActivationId) -> usize {
    let run = app.run::<takes_a_text>(id).await.unwrap();
    run.completed().await.unwrap()
}

/// Waits until `why` says so.
async fn shown(app: &App, text: &str) {
    loop {
        let why = app.why("takes_a_text").await.unwrap();
        if why.outbox.iter().any(|told| told.contains(text)) {
            assert!(why.to_string().contains(text), "{why}");
            return;
        }
        tokio::task::yield_now().await;
    }
}

async fn exact(app: &App) {
    let mut shop = shop();
    let committed = shop.transaction().unwrap();
    committed
        .execute("INSERT INTO orders VALUES (1)", [])
        .unwrap();
    let id = texts(app)
        .request_in(&committed, "four".to_owned())
        .unwrap();
    committed.commit().unwrap();
    let rolled_back = shop.transaction().unwrap();
    let never = texts(app)
        .request_in(&rolled_back, "never".to_owned())
        .unwrap();
    rolled_back.rollback().unwrap();
    assert_eq!(text(app, id).await, 4);
    let error = app.run::<takes_a_text>(never).await.unwrap_err();
    assert_eq!(error.code(), Code::UnknownRun);
    let help = error.help().unwrap();
    assert!(help.contains("column `error` of `bgtask_outbox`"), "{help}");
    // Without `run`, nobody asks the outbox: its bell does.
    let mut events = app.events();
    let rung = texts(app).request_in(&shop, "rung".to_owned()).unwrap();
    event(&mut events, |event| match event.kind {
        EventKind::Ended { activation, .. } if activation == rung => Some(()),
        _ => None,
    })
    .await;
    assert_eq!(app.history(None, 10).await.unwrap().len(), 2);
    let left: u32 = shop
        .query_row("SELECT count(*) FROM bgtask_outbox", [], |row| row.get(0))
        .unwrap();
    assert_eq!(left, 0);
    // Nobody need ever ask how it ended.
    assert!(app.completions().ready().await.is_none());
    assert_eq!(text(app, rung).await, 4);
}

async fn refused(app: &App) {
    let mut shop = shop();
    let mut events = app.events();
    let row = |task: &str, arguments: &str| OutboxRow {
        arguments: arguments.to_owned(),
        ..OutboxRow::new(task, &()).unwrap()
    };
    let texts_id = app.registered("takes_a_text").await.unwrap().id();
    let texts_id = texts_id.to_string();
    let deep = format!("{}{}", "[".repeat(110), "]".repeat(110));
    let long = format!("\"{}\"", "x".repeat(1 << 20));
    let mut rows = vec![
        (row("no_such_task", "1"), "unknown-task"),
        (row("takes_a_text", "{"), "not JSON"),
        (row("takes_a_text", "17"), "do not fit"),
        (row("takes_a_text", &long), "too-large"),
        (row("takes_anything", "1"), "which is not requested"),
        (row("takes_a_value", &deep), "nested deeper"),
        (row("takes_a_text", "\"four\""), "not a UUID"),
        (row("takes_a_text", "\"four\""), "not a time"),
        (row(&texts_id, "18"), "do not fit"),
    ];
    rows[6].0.id = "7".to_owned();
    rows[7].0.not_before = Some("tomorrow".to_owned());
    let writing = shop.transaction().unwrap();
    for (row, _) in &rows {
        row.insert(&writing).unwrap();
    }
    let good = texts(app).request_in(&writing, "four".to_owned()).unwrap();
    writing.commit().unwrap();

    assert_eq!(text(app, good).await, 4);
    let mut refusals = HashMap::new();
    while refusals.len() < rows.len() {
        let (id, error) = refusal(&mut events).await;
        refusals.insert(id, error);
    }
    for (row, expected) in &rows {
        let told = &refusals[&row.id];
        assert!(told.contains(expected), "{expected}: {told}");
        let kept: String = shop
            .query_row(
                "SELECT error FROM bgtask_outbox WHERE id = ?1",
                [&row.id],
                |row| row.get(0),
            )
            .unwrap();
        assert_eq!(kept, *told);
    }
    // The log has them too, each with its reason, by the name of its task.
    for task in [
        "takes_a_text",
        "no_such_task",
        "takes_anything",
        "takes_a_value",
    ] {
        let query = LogQuery {
            task: Some(task.to_owned()),
            ..LogQuery::default()
        };
        for event in app.log(query).await.unwrap() {
            if let EventKind::OutboxRefused { row, error } = event.kind {
                assert_eq!(refusals.remove(&row), Some(error));
            }
        }
    }
    assert_eq!(refusals, HashMap::new());
    let why = app.why("takes_a_text").await.unwrap();
    assert!(why.to_string().contains("6 rows were refused"), "{why}");
    let (_, at) = why.outbox[0].split_once("the last at ").unwrap();
    let (at, rule) = at.split_at("2026-12-24 18:00:00".len());
    jiff::civil::DateTime::strptime("%Y-%m-%d %H:%M:%S", at).unwrap();
    assert!(rule.starts_with(": "), "{why}");
    // A person puts it right.
    let corrected = "UPDATE bgtask_outbox SET arguments = '\"again\"', error = NULL WHERE id = ?1";
    shop.execute(corrected, [&rows[1].0.id]).unwrap();
    assert_eq!(text(app, rows[1].0.id.parse().unwrap()).await, 5);
    assert_eq!(app.history(None, 100).await.unwrap().len(), 2);
}

async fn refusal(events: &mut Events) -> (String, String) {
    event(events, |event| match &event.kind {
        EventKind::OutboxRefused { row, error } => Some((row.clone(), error.clone())),
        _ => None,
    })
    .await
}

async fn known(app: &App) {
    let mut events = app.events();
    let shop = shop();
    let gate = Gate::new(harness::home().join("gate"));
    let deed = Deed::Visit(gate.path().into());
    let row = one_at_a_time(app).outbox_row(deed).unwrap();
    row.insert(&shop).unwrap();
    let id: ActivationId = row.id.parse().unwrap();
    let run = one_at_a_time(app).run(id).await.unwrap();
    let visitor = gate.visitor();
    // While it runs, and when it has ended.
    relayed_again(app, &shop, &row).await;
    visitor.pass();
    run.completed().await.unwrap();
    relayed_again(app, &shop, &row).await;
    // In one transaction, in other letters.
    let twice = texts(app).outbox_row("twice".to_owned()).unwrap();
    shop.execute_batch("BEGIN").unwrap();
    twice.insert(&shop).unwrap();
    let upper = twice.id.to_uppercase();
    OutboxRow {
        id: upper,
        ..twice.clone()
    }
    .insert(&shop)
    .unwrap();
    shop.execute_batch("COMMIT").unwrap();
    assert_eq!(text(app, twice.id.parse().unwrap()).await, 5);
    relayed_again(app, &shop, &twice).await;
    let last = texts(app).request_in(&shop, "last".to_owned()).unwrap();
    let mut fired = Vec::new();
    event(&mut events, |event| match event.kind {
        EventKind::Fired { activation } => {
            fired.push(activation);
            (activation == last).then_some(())
        }
        _ => None,
    })
    .await;
    assert_eq!(fired, [id, twice.id.parse().unwrap(), last]);
}

/// Writes the row again, and waits until it is deleted.
async fn relayed_again(app: &App, shop: &Connection, row: &OutboxRow) {
    row.insert(shop).unwrap();
    // Whoever asks for an unknown run has the outbox looked at.
    let error = app.run::<takes_a_text>(ActivationId::now()).await;
    assert_eq!(error.unwrap_err().code(), Code::UnknownRun);
    let left: u32 = shop
        .query_row("SELECT count(*) FROM bgtask_outbox", [], |row| row.get(0))
        .unwrap();
    assert_eq!(left, 0);
    let why = app.why(&row.task).await.unwrap();
    assert_eq!(why.waiting, 0, "{why}");
}

fn one_at_a_time(app: &App) -> TaskHandle<act> {
    app.task_named("one_at_a_time").unwrap()
}

async fn waits(app: &App) {
    let shop = shop();
    let gate = Gate::new(harness::home().join("gate"));
    let deed = Deed::Visit(gate.path().into());
    let first = start_run(app, "one_at_a_time", deed).await;
    let visitor = gate.visitor();
    let task = one_at_a_time(app);
    let second = task.request_in(&shop, Deed::Return(2)).unwrap();
    let second = task.run(second).await.unwrap();
    visitor.pass();
    first.completed().await.unwrap();
    assert_eq!(second.completed().await.unwrap().value, 2);
}

fn too_early(app: &App) {
    let mut shop = shop();
    let writing = shop.transaction().unwrap();
    let long = texts(app).request_in(&writing, "x".repeat(1 << 20));
    assert_eq!(long.unwrap_err().code(), Code::TooLarge);
    texts(app).request_in(&writing, "four".to_owned()).unwrap();
    let rows: u32 = writing
        .query_row("SELECT count(*) FROM bgtask_outbox", [], |row| row.get(0))
        .unwrap();
    assert_eq!(rows, 1);
    writing.commit().unwrap();
}

async fn locked(app: &App) {
    let mut shop = shop();
    let id = texts(app).request_in(&shop, "four".to_owned()).unwrap();
    assert_eq!(text(app, id).await, 4);
    let writing = shop
        .transaction_with_behavior(TransactionBehavior::Exclusive)
        .unwrap();
    let id = texts(app).request_in(&writing, "again".to_owned()).unwrap();
    let error = app.run::<takes_a_text>(id).await.unwrap_err();
    assert_eq!(error.code(), Code::UnknownRun);
    shown(app, "database is locked").await;
    writing.commit().unwrap();
    assert_eq!(text(app, id).await, 5);
    let why = app.why("takes_a_text").await.unwrap();
    assert!(why.outbox.is_empty(), "{why}");
}

async fn missing(app: &App) {
    shown(app, "there is no such database").await;
    let mut events = app.events();
    let elsewhere = harness::home().join("elsewhere.db");
    let shop = Connection::open(&elsewhere).unwrap();
    let id = texts(app).request_in(&shop, "four".to_owned()).unwrap();
    shop.close().unwrap();
    std::fs::rename(elsewhere, database()).unwrap();
    event(&mut events, |event| match event.kind {
        EventKind::Ended { activation, .. } if activation == id => Some(()),
        _ => None,
    })
    .await;
}

async fn later(app: &App) {
    let shop = shop();
    let at = jiff::Timestamp::now() + Duration::from_secs(3600);
    let row = texts(app).outbox_row("four".to_owned()).unwrap();
    let row = row.not_before(at);
    row.insert(&shop).unwrap();
    let id: ActivationId = row.id.parse().unwrap();
    drop(app.run::<takes_a_text>(id).await.unwrap());
    let why = app.why("takes_a_text").await.unwrap();
    assert_eq!((why.held[0].activation, why.held[0].until), (id, Some(at)));
}

/// Rows that wait in the outbox, and are not put aside.
fn left(shop: &Connection) -> usize {
    let left = "SELECT count(*) FROM bgtask_outbox WHERE error IS NULL";
    let left: u32 = shop.query_row(left, [], |row| row.get(0)).unwrap();
    left as usize
}

/// More than are kept of a task, and than are taken at a time besides.
const CROWD: usize = 6000;

async fn held_back(app: &App) {
    let mut shop = shop();
    let writing = shop.transaction().unwrap();
    let at = jiff::Timestamp::now() + Duration::from_secs(3600);
    for _ in 0..CROWD {
        let row = texts(app).outbox_row("later".to_owned()).unwrap();
        row.not_before(at).insert(&writing).unwrap();
    }
    let now = texts(app).request_in(&writing, "four".to_owned()).unwrap();
    let other = one_at_a_time(app).request_in(&writing, Deed::Return(5));
    let other = other.unwrap();
    writing.commit().unwrap();
    assert_eq!(text(app, now).await, 4);
    let other = one_at_a_time(app).run(other).await.unwrap();
    assert_eq!(other.completed().await.unwrap().value, 5);
    let held = left(&shop);
    assert!((257..=1000).contains(&held), "{held}");
    // What comes now is taken without a look at all of them.
    let mut events = app.events();
    let rung = texts(app).request_in(&shop, "rung".to_owned()).unwrap();
    event(&mut events, |event| match event.kind {
        EventKind::Ended { activation, .. } if activation == rung => Some(()),
        _ => None,
    })
    .await;
    assert_eq!(left(&shop), held);
    let why = app.why("takes_a_text").await.unwrap();
    assert_eq!((why.outbox.len(), why.waiting + held), (0, CROWD), "{why}");
}

async fn crowded(app: &App) {
    let mut shop = shop();
    let mut task = app.registered("takes_a_text").await.unwrap();
    task.disable().await.unwrap();
    let writing = shop.transaction().unwrap();
    let request = |_| texts(app).request_in(&writing, String::new()).unwrap();
    let ids: Vec<_> = (0..CROWD).map(request).collect();
    let at = jiff::Timestamp::now() + Duration::from_secs(3600);
    let later = texts(app).outbox_row("later".to_owned()).unwrap();
    let later = later.not_before(at);
    later.insert(&writing).unwrap();
    let other = one_at_a_time(app).request_in(&writing, Deed::Return(5));
    let other = other.unwrap();
    writing.commit().unwrap();
    let other = one_at_a_time(app).run(other).await.unwrap();
    assert_eq!(other.completed().await.unwrap().value, 5);
    let later = later.id.parse().unwrap();
    drop(app.run::<takes_a_text>(later).await.unwrap());
    let held = left(&shop);
    assert!((257..=1000).contains(&held), "{held}");
    let why = task.why().await.unwrap();
    assert_eq!((why.outbox.len(), why.waiting - 1 + held), (0, CROWD));
    // There is room again, and nobody rings.
    let first = ids[CROWD - held];
    let mut events = app.events();
    for id in &ids[..CROWD - held - 4990] {
        let run = app.run::<takes_a_text>(*id).await.unwrap();
        run.cancel(CancelReason::Abort).await.unwrap();
    }
    event(&mut events, |event| match event.kind {
        EventKind::Fired { activation } if activation == first => Some(()),
        _ => None,
    })
    .await;
}

async fn unregistered(app: &App) {
    let shop = shop();
    let row = OutboxRow::new("registered by main", &7).unwrap();
    row.insert(&shop).unwrap();
    let broken = OutboxRow {
        arguments: "{".to_owned(),
        ..OutboxRow::new("registered by main", &7).unwrap()
    };
    let id = row.id.parse().unwrap();
    broken.insert(&shop).unwrap();
    // Another one passes it.
    let good = texts(app).request_in(&shop, "four".to_owned()).unwrap();
    assert_eq!(text(app, good).await, 4);
    let error = app.run::<registered_by_main>(id).await.unwrap_err();
    assert_eq!(error.code(), Code::UnknownRun);
    assert_eq!(left(&shop), 1);
    let made = app.registration("registered by main");
    let made = made.entry::<registered_by_main>().trigger("application");
    let mut events = app.events();
    made.register().await.unwrap();
    event(&mut events, |event| match event.kind {
        EventKind::Ended { activation, .. } if activation == id => Some(()),
        _ => None,
    })
    .await;
    let run = app.run::<registered_by_main>(id).await.unwrap();
    assert_eq!(run.completed().await.unwrap(), 7);
    // Its row goes only then: the next look begins after that.
    let nothing = app.run::<registered_by_main>(ActivationId::now()).await;
    assert_eq!(nothing.unwrap_err().code(), Code::UnknownRun);
    assert_eq!(left(&shop), 0);
}
