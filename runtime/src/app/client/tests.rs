//! A client beside a store and a socket.

use std::sync::{
    Arc,
    atomic::{AtomicU32, Ordering},
};

use futures_util::{FutureExt, future::BoxFuture};
use jiff::Timestamp;
use serde_json::json;
use tempfile::TempDir;
use tokio::task::JoinHandle;

use super::*;
use crate::{
    Details, Outcome, RegistrationId, RunId,
    ipc::control::{AppState, Handler, Hello, Mode, PROTOCOL, Server},
    store::{Claim, Finish, NewActivation},
};

/// The directories of an app that is closed, and a client of it.
struct Bench {
    state: TempDir,
    runtime: TempDir,
    client: Client,
}

impl Bench {
    fn new() -> Self {
        let (state, runtime) = (private(), private());
        let client = Client::new("app")
            .state_dir(state.path())
            .runtime_dir(runtime.path());
        Self {
            state,
            runtime,
            client,
        }
    }

    /// Serves as the app would that answers so.
    fn serve(&self, watched: impl Fn() -> Response + Send + Sync + 'static) -> JoinHandle<()> {
        let server = Server::bind(self.runtime.path()).unwrap();
        tokio::spawn(server.serve(Arc::new(Broker(watched))))
    }
}

/// A directory of its owner's only.
fn private() -> TempDir {
    let mode = std::os::unix::fs::PermissionsExt::from_mode(0o700);
    let made = tempfile::Builder::new().permissions(mode).tempdir();
    made.unwrap()
}

struct Broker<F>(F);

impl<F: Fn() -> Response + Send + Sync + 'static> Handler for Broker<F> {
    fn hello(&self) -> Hello {
        Hello {
            protocol: PROTOCOL,
            pid: std::process::id(),
            app: "app".to_owned(),
            mode: Mode::App,
            state: AppState::Foreground,
        }
    }

    fn handle(&self, _: Request) -> BoxFuture<'_, Response> {
        async { self.0() }.boxed()
    }
}

/// An activation that waits, and what claims and ends it.
async fn waiting(store: &SqliteStore) -> ActivationId {
    let new = NewActivation {
        id: ActivationId::now(),
        registration: RegistrationId::now(),
        task: "task".to_owned(),
        details: Details::default(),
        not_before: NewActivation::AT_ONCE,
        journal: false,
        foreign: false,
    };
    let id = new.id;
    store.enqueue(vec![new]).await.unwrap();
    id
}

async fn end(store: &SqliteStore, activation: ActivationId) {
    let (run, at) = (RunId::now(), Timestamp::UNIX_EPOCH);
    let claim = Claim {
        activation,
        run,
        at,
    };
    let lease = store.claim(vec![claim]).await.unwrap().remove(0).unwrap();
    let finish = Finish {
        activation,
        fence: lease.fence,
        at,
        outcome: completed(),
        progress: None,
        retry_at: None,
        ends_registration: false,
        data: Vec::new(),
        cpu: None,
        on_battery: false,
    };
    store.finish(vec![finish]).await.unwrap();
}

fn completed() -> Outcome {
    Outcome::Completed { value: json!(7) }
}

fn seen(ended: Option<Outcome>) -> Response {
    Response::Seen(Seen {
        task: "task".to_owned(),
        progress: None,
        ended: ended.map(|outcome| (RunId::now(), outcome)),
    })
}

fn passing() -> Error {
    Error::new(Code::Control, "as many wait as can")
}

#[tokio::test]
async fn who_waits_while_the_app_is_closed_shares_one_store_and_hears_of_the_end() {
    let bench = Bench::new();
    let app = SqliteStore::open(bench.state.path()).unwrap();
    let (first, second) = (waiting(&app).await, waiting(&app).await);
    let mut runs = Vec::new();
    for id in [first, second] {
        let run = bench.client.run_named::<AnyTask>("task", id).await;
        runs.push(run.unwrap());
    }
    let (one, other) = (
        bench.client.store().await,
        bench.client.clone().store().await,
    );
    let (one, other) = (one.unwrap(), other.unwrap());
    assert!(Arc::ptr_eq(&one, &other));
    for id in [first, second] {
        end(&app, id).await;
    }
    for run in runs {
        assert_eq!(run.completed().await.unwrap(), json!(7));
    }
    // Nobody needs it any more.
    drop((one, other));
    assert_eq!(bench.client.store.lock().await.strong_count(), 0);
}

#[tokio::test]
async fn a_look_at_one_record_does_not_read_the_whole_store() {
    let bench = Bench::new();
    let app = SqliteStore::open(bench.state.path()).unwrap();
    let id = waiting(&app).await;
    drop(app);
    spoil_data(bench.state.path());
    assert!(SqliteStore::open_reader(bench.state.path()).is_err());
    let run = bench.client.run_named::<AnyTask>("task", id).await;
    run.unwrap();
}

/// Damages a part that runs have nothing to do with.
fn spoil_data(directory: &std::path::Path) {
    let path = directory.join("store.db");
    let database = rusqlite::Connection::open(&path).unwrap();
    let value = "x".repeat(100_000);
    let insert = "INSERT INTO data (key, value) VALUES ('key', ?1)";
    database.execute(insert, [value]).unwrap();
    let (page, size): (u64, u64) = database
        .query_row(
            "SELECT rootpage, (SELECT page_size FROM pragma_page_size)
             FROM sqlite_master WHERE name = 'data'",
            [],
            |row| {
                Ok((
                    row.get::<_, i64>(0)?.unsigned_abs(),
                    row.get::<_, i64>(1)?.unsigned_abs(),
                ))
            },
        )
        .unwrap();
    database
        .query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(()))
        .unwrap();
    drop(database);
    let file = std::fs::OpenOptions::new().write(true).open(path).unwrap();
    std::os::unix::fs::FileExt::write_all_at(&file, &[0xff; 64], (page - 1) * size).unwrap();
}

#[tokio::test(start_paused = true)]
async fn what_goes_wrong_for_a_moment_ends_nothing() {
    let bench = Bench::new();
    let asked = Arc::new(AtomicU32::new(0));
    let count = Arc::clone(&asked);
    let _serving = bench.serve(move || match count.fetch_add(1, Ordering::Relaxed) {
        0 => seen(None),
        1..=100 => passing().into(),
        // A look that succeeds begins anew.
        101 => seen(None),
        102..=200 => passing().into(),
        _ => seen(Some(completed())),
    });
    let id = ActivationId::now();
    let run = bench.client.run_named::<AnyTask>("task", id).await.unwrap();
    assert_eq!(run.completed().await.unwrap(), json!(7));
    assert_eq!(asked.load(Ordering::Relaxed), 202);
}

#[tokio::test(start_paused = true)]
async fn what_stays_wrong_is_told() {
    let bench = Bench::new();
    let asked = Arc::new(AtomicU32::new(0));
    let count = Arc::clone(&asked);
    let _serving = bench.serve(move || match count.fetch_add(1, Ordering::Relaxed) {
        0 => seen(None),
        _ => passing().into(),
    });
    let id = ActivationId::now();
    let mut run = bench.client.run_named::<AnyTask>("task", id).await.unwrap();
    let error = run.ended().await.unwrap_err();
    assert_eq!(error.rule(), passing().rule());
    assert_eq!(asked.load(Ordering::Relaxed), 121, "for a minute");
}

#[tokio::test]
async fn who_stops_what_is_not_there_any_more_stops_nothing() {
    let bench = Bench::new();
    let _serving = bench.serve(|| unknown().into());
    let (id, reason) = (ActivationId::now(), CancelReason::Abort);
    bench.client.cancel(id, reason).await.unwrap();
}
