//! What the file, the threads and several handles guarantee beyond the common contract.

mod damage;
mod migration;
mod processes;
mod races;
mod space;

use std::{
    fs,
    hash::{DefaultHasher, Hash, Hasher},
    path::{Path, PathBuf},
    sync::{
        atomic::Ordering,
        mpsc::{self, SyncSender},
    },
    time::Duration,
};

use futures_util::future::join_all;
use jiff::Timestamp;
use rusqlite::Connection;

use super::*;
use crate::{
    ActivationId, Details, Origin, Outcome, RegistrationId, RunId,
    store::{Claim, Finish, NewActivation, NewRegistration, Store},
};

fn new(arguments: &str) -> NewActivation {
    NewActivation {
        id: ActivationId::now(),
        registration: RegistrationId::now(),
        task: "task".into(),
        details: Details {
            arguments: Some(arguments.into()),
            ..Details::default()
        },
        not_before: Timestamp::UNIX_EPOCH,
        journal: true,
        foreign: false,
    }
}

fn task(name: &str) -> NewRegistration {
    NewRegistration {
        name: name.into(),
        entry: name.into(),
        origin: Origin::Declared,
        group: None,
        kind: "time".into(),
        declaration: "{}".into(),
        fingerprint: "1".into(),
        due: Some(Timestamp::UNIX_EPOCH),
    }
}

fn database(directory: &Path) -> PathBuf {
    directory.join("store.db")
}

/// The files that hold anything, each with a digest of all its bytes. The engine's index of the
/// log is made anew by each process.
fn contents(directory: &Path) -> Vec<(PathBuf, u64)> {
    let mut all: Vec<_> = fs::read_dir(directory)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| !path.to_string_lossy().ends_with("-shm"))
        .map(|path| (path.clone(), fs::read(path).unwrap()))
        .filter(|(_, bytes)| !bytes.is_empty())
        .map(|(path, bytes)| {
            let mut hasher = DefaultHasher::new();
            bytes.hash(&mut hasher);
            (path, hasher.finish())
        })
        .collect();
    all.sort();
    all
}

async fn ids(store: &SqliteStore) -> Vec<ActivationId> {
    let all = store.activations().await.unwrap();
    all.iter().map(|one| one.id).collect()
}

/// Holds the writer inside a transaction until the sender is dropped.
fn hold(store: &SqliteStore) -> (SyncSender<()>, StoreFuture<'_, ()>) {
    let (release, held) = mpsc::sync_channel::<()>(0);
    let (entered, inside) = mpsc::channel();
    let held = std::sync::Mutex::new(held);
    let done = store.write(move |_| {
        entered.send(()).unwrap();
        assert!(held.lock().unwrap().recv().is_err());
        Ok(())
    });
    inside.recv().unwrap();
    (release, done)
}

#[tokio::test]
async fn everything_is_there_after_reopening() {
    let directory = tempfile::tempdir().unwrap();
    let waiting = new("waiting");
    let ended = new("ended");
    let run = RunId::now();
    let store = SqliteStore::open(directory.path()).unwrap();
    store
        .sync_registrations(vec![task("a"), task("b")], Timestamp::UNIX_EPOCH)
        .await
        .unwrap();
    store
        .enqueue(vec![waiting.clone(), ended.clone()])
        .await
        .unwrap();
    let claim = Claim {
        activation: ended.id,
        run,
        at: Timestamp::UNIX_EPOCH,
    };
    let lease = store.claim(vec![claim]).await.unwrap().remove(0).unwrap();
    let finish = Finish {
        activation: ended.id,
        fence: lease.fence,
        at: Timestamp::UNIX_EPOCH,
        outcome: Outcome::Failed { error: "no".into() },
        progress: None,
        retry_at: None,
        ends_registration: false,
        data: Vec::new(),
        cpu: None,
        on_battery: false,
    };
    assert_eq!(store.finish(vec![finish]).await.unwrap(), [true]);
    let before = (
        store.registrations().await.unwrap(),
        store.activations().await.unwrap(),
        store.undelivered().await.unwrap(),
    );
    drop(store);

    for store in [
        SqliteStore::open(directory.path()).unwrap(),
        SqliteStore::open_reader(directory.path()).unwrap(),
    ] {
        let after = (
            store.registrations().await.unwrap(),
            store.activations().await.unwrap(),
            store.undelivered().await.unwrap(),
        );
        assert_eq!(after, before);
        assert_eq!(after.0.len(), 2);
        assert_eq!(after.1[0].id, waiting.id);
        assert_eq!(after.2[0].run, run);
    }
}

#[tokio::test]
async fn a_running_activation_and_its_fence_survive_reopening() {
    let directory = tempfile::tempdir().unwrap();
    let store = SqliteStore::open(directory.path()).unwrap();
    store
        .sync_registrations(vec![task("task")], Timestamp::UNIX_EPOCH)
        .await
        .unwrap();
    let registration = store.registrations().await.unwrap()[0].id;
    let accepted = NewActivation {
        registration,
        ..new("")
    };
    let claim = Claim {
        activation: accepted.id,
        run: RunId::now(),
        at: Timestamp::UNIX_EPOCH,
    };
    store.enqueue(vec![accepted]).await.unwrap();
    store.claim(vec![claim.clone()]).await.unwrap();
    drop(store);

    let store = SqliteStore::open(directory.path()).unwrap();
    let found = store.activations().await.unwrap();
    assert_eq!(found[0].run, Some(claim.run));
    let recovered = store.recover(Timestamp::UNIX_EPOCH).await.unwrap();
    assert_eq!((recovered[0].attempt, recovered[0].fence), (1, 1));
}

#[tokio::test]
async fn what_was_handed_over_is_done_before_the_handle_is_gone() {
    let directory = tempfile::tempdir().unwrap();
    let store = SqliteStore::open(directory.path()).unwrap();
    let all: Vec<_> = (0..300).map(|_| new("")).collect();
    for one in &all {
        drop(store.enqueue(vec![one.clone()]));
    }
    drop(store);

    let store = SqliteStore::open(directory.path()).unwrap();
    let expected: Vec<_> = all.iter().map(|one| one.id).collect();
    assert_eq!(ids(&store).await, expected);
}

#[tokio::test]
async fn operations_that_wait_together_are_committed_together() {
    let directory = tempfile::tempdir().unwrap();
    let store = SqliteStore::open(directory.path()).unwrap();
    let (release, held) = hold(&store);
    let waiting: Vec<_> = (0..512).map(|_| store.enqueue(vec![new("")])).collect();
    drop(release);
    held.await.unwrap();
    for result in join_all(waiting).await {
        result.unwrap();
    }

    assert_eq!(store.counts.operations.load(Ordering::Relaxed), 513);
    assert_eq!(store.counts.commits.load(Ordering::Relaxed), 5);
    assert_eq!(ids(&store).await.len(), 512);
}

#[tokio::test]
async fn one_that_fails_takes_nothing_else_of_its_group_with_it() {
    let directory = tempfile::tempdir().unwrap();
    let store = SqliteStore::open(directory.path()).unwrap();
    let (before, after) = (new("before"), new("after"));
    let (release, held) = hold(&store);
    let group = (
        store.enqueue(vec![before.clone()]),
        store.write(|connection| {
            activations::insert(connection, &new("undone"), Timestamp::UNIX_EPOCH)?;
            connection.execute("INSERT INTO nowhere VALUES (1)", [])?;
            Ok(())
        }),
        store.enqueue(vec![after.clone()]),
    );
    drop(release);
    held.await.unwrap();

    group.0.await.unwrap();
    assert_eq!(group.1.await.unwrap_err().code(), Code::Store);
    group.2.await.unwrap();
    assert_eq!(ids(&store).await, [before.id, after.id]);
    assert_eq!(store.counts.commits.load(Ordering::Relaxed), 2);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_handles_lose_nothing_of_each_other() {
    let directory = tempfile::tempdir().unwrap();
    let stores = [
        SqliteStore::open(directory.path()).unwrap(),
        SqliteStore::open(directory.path()).unwrap(),
    ];
    let accept = async |store: &SqliteStore| {
        let mut accepted = Vec::new();
        for _ in 0..100 {
            let one = new("");
            store.enqueue(vec![one.clone()]).await.unwrap();
            accepted.push(one.id);
        }
        accepted
    };
    let (mut accepted, more) = tokio::join!(accept(&stores[0]), accept(&stores[1]));
    accepted.extend(more);
    accepted.sort();

    for store in &stores {
        let mut found = ids(store).await;
        found.sort();
        assert_eq!(found, accepted);
    }
}

#[tokio::test]
async fn of_two_handles_one_claims() {
    let directory = tempfile::tempdir().unwrap();
    let stores = [
        SqliteStore::open(directory.path()).unwrap(),
        SqliteStore::open(directory.path()).unwrap(),
    ];
    let all: Vec<_> = (0..50).map(|_| new("")).collect();
    stores[0].enqueue(all.clone()).await.unwrap();
    for one in all {
        let claim = || Claim {
            activation: one.id,
            run: RunId::now(),
            at: Timestamp::UNIX_EPOCH,
        };
        let both = join_all(stores.iter().map(|store| store.claim(vec![claim()]))).await;
        let leases = both
            .into_iter()
            .filter(|result| result.as_ref().is_ok_and(|leases| leases[0].is_some()));
        assert_eq!(leases.count(), 1);
    }
}

/// Waits for a hint; the time is only there to make a failure end.
#[cfg(target_os = "linux")]
async fn told(changed: &mut watch::Receiver<u64>) {
    tokio::time::timeout(Duration::from_secs(30), changed.changed())
        .await
        .expect("it was told in time")
        .expect("the store is open");
}

#[cfg(target_os = "linux")]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_change_by_another_is_told_and_ones_own_is_not() {
    let directory = tempfile::tempdir().unwrap();
    let ours = SqliteStore::open(directory.path()).unwrap();
    let other = SqliteStore::open(directory.path()).unwrap();
    let reader = SqliteStore::open_reader(directory.path()).unwrap();
    let (mut changed, mut read) = (ours.changed(), reader.changed());
    for _ in 0..20 {
        ours.enqueue(vec![new("")]).await.unwrap();
    }
    other.enqueue(vec![new("")]).await.unwrap();

    told(&mut changed).await;
    assert_eq!(*changed.borrow_and_update(), 1);
    told(&mut read).await;
    assert_eq!(ids(&ours).await.len(), 21);
}

#[tokio::test]
async fn a_reader_writes_nothing() {
    let directory = tempfile::tempdir().unwrap();
    let error = SqliteStore::open_reader(directory.path()).unwrap_err();
    assert_eq!(error.code(), Code::Store);
    assert_eq!(contents(directory.path()), []);

    let store = SqliteStore::open(directory.path()).unwrap();
    store.enqueue(vec![new("")]).await.unwrap();
    let reader = SqliteStore::open_reader(directory.path()).unwrap();
    let error = reader.enqueue(vec![new("")]).await.unwrap_err();
    assert_eq!(error.code(), Code::Store);
    assert!(error.help().is_some());
    assert_eq!(ids(&reader).await.len(), 1);
}

#[test]
fn what_is_no_database_is_refused_and_kept() {
    let directory = tempfile::tempdir().unwrap();
    for text in ["x", "no database at all", &"long ".repeat(2000)] {
        fs::write(database(directory.path()), text).unwrap();
        for opened in [
            SqliteStore::open(directory.path()),
            SqliteStore::open_reader(directory.path()),
        ] {
            let error = opened.unwrap_err();
            assert_eq!(error.code(), Code::StoreCorrupt, "{error}");
            assert!(error.help().is_some());
        }
        assert_eq!(
            fs::read_to_string(database(directory.path())).unwrap(),
            text
        );
    }
}

#[tokio::test]
async fn a_damaged_page_is_found_at_open_and_nothing_is_changed() {
    let directory = tempfile::tempdir().unwrap();
    let store = SqliteStore::open(directory.path()).unwrap();
    for _ in 0..50 {
        store
            .enqueue(vec![new(&"payload ".repeat(100))])
            .await
            .unwrap();
    }
    drop(store);
    // It is all copied, and would stand in for the damaged pages.
    fs::remove_file(directory.path().join("store.db-wal")).unwrap();
    let mut bytes = fs::read(database(directory.path())).unwrap();
    assert!(bytes.len() > 40_000, "the log was copied at the end");
    for page in bytes[8192..].chunks_mut(4096) {
        page[..64].fill(0xa5);
    }
    fs::write(database(directory.path()), &bytes).unwrap();
    let before = contents(directory.path());

    for opened in [
        SqliteStore::open(directory.path()),
        SqliteStore::open_reader(directory.path()),
    ] {
        let error = opened.unwrap_err();
        assert_eq!(error.code(), Code::StoreCorrupt, "{error}");
    }
    assert_eq!(contents(directory.path()), before);
}

#[tokio::test]
async fn an_empty_database_beside_a_full_log_is_refused_and_the_log_kept() {
    let directory = tempfile::tempdir().unwrap();
    let store = SqliteStore::open(directory.path()).unwrap();
    store.enqueue(vec![new("")]).await.unwrap();
    drop(store);
    fs::write(database(directory.path()), "").unwrap();
    let before = contents(directory.path());

    let error = SqliteStore::open(directory.path()).unwrap_err();
    assert_eq!(error.code(), Code::StoreCorrupt);
    assert_eq!(contents(directory.path()), before);
}

#[tokio::test]
async fn a_value_this_version_would_not_write_is_an_error() {
    let directory = tempfile::tempdir().unwrap();
    let store = SqliteStore::open(directory.path()).unwrap();
    store.enqueue(vec![new("")]).await.unwrap();
    for change in [
        "UPDATE activation SET details = '{'",
        "UPDATE activation SET details = '{}', accepted = 9223372036854775807",
        "UPDATE activation SET accepted = 0, fence = -1",
        "UPDATE activation SET fence = 0, registration = x'00'",
        "UPDATE activation SET registration = zeroblob(16), attempt = 99999999999",
    ] {
        store
            .write(move |connection| Ok(connection.execute(change, [])?))
            .await
            .unwrap();
        let error = store.activations().await.unwrap_err();
        assert_eq!(error.code(), Code::StoreCorrupt, "{change}: {error}");
    }
}

#[tokio::test]
async fn a_newer_file_is_refused_and_kept() {
    let directory = tempfile::tempdir().unwrap();
    drop(SqliteStore::open(directory.path()).unwrap());
    let connection = Connection::open(database(directory.path())).unwrap();
    connection
        .pragma_update(None, "user_version", 1000)
        .unwrap();
    drop(connection);
    let before = contents(directory.path());

    for opened in [
        SqliteStore::open(directory.path()),
        SqliteStore::open_reader(directory.path()),
    ] {
        let error = opened.unwrap_err();
        assert_eq!(error.code(), Code::StoreNewer, "{error}");
        assert!(error.to_string().contains("schema 1000"), "{error}");
        assert!(error.help().is_some());
    }
    assert_eq!(contents(directory.path()), before);
}

#[test]
fn a_database_of_another_program_is_refused_and_kept() {
    let directory = tempfile::tempdir().unwrap();
    let connection = Connection::open(database(directory.path())).unwrap();
    connection
        .execute_batch("CREATE TABLE letters (id INTEGER PRIMARY KEY)")
        .unwrap();
    drop(connection);
    let before = fs::read(database(directory.path())).unwrap();

    let error = SqliteStore::open(directory.path()).unwrap_err();
    assert_eq!(error.code(), Code::Store);
    assert!(error.to_string().contains("another program"), "{error}");
    assert_eq!(fs::read(database(directory.path())).unwrap(), before);
}

#[tokio::test]
async fn a_full_disk_is_told_and_the_store_goes_on_afterwards() {
    let directory = tempfile::tempdir().unwrap();
    let store = SqliteStore::open(directory.path()).unwrap();
    let limit = |pages: i64| {
        store.write(move |connection| {
            let pragma = format!("PRAGMA max_page_count = {pages}");
            Ok(connection.query_row(&pragma, [], |_| Ok(()))?)
        })
    };
    store
        .sync_registrations(vec![task("task")], Timestamp::UNIX_EPOCH)
        .await
        .unwrap();
    let id = store.registrations().await.unwrap()[0].id;
    limit(80).await.unwrap();

    let mut acknowledged = Vec::new();
    let error = loop {
        let one = new(&"payload ".repeat(500));
        match store.enqueue(vec![one.clone()]).await {
            Ok(_) => acknowledged.push(one.id),
            Err(error) => break error,
        }
        assert!(acknowledged.len() < 1000, "the disk never got full");
    };
    assert_eq!(error.code(), Code::StoreFull, "{error}");
    assert!(error.help().is_some());
    assert!(acknowledged.len() > 10);

    // One that is too large does not take the small ones of its group with it.
    let (release, held) = hold(&store);
    let large = store.enqueue(vec![new(&"payload ".repeat(500))]);
    let small = store.throttled(vec![id], Timestamp::UNIX_EPOCH);
    drop(release);
    held.await.unwrap();
    assert_eq!(large.await.unwrap_err().code(), Code::StoreFull);
    small.await.unwrap();
    let record = store.registrations().await.unwrap().remove(0);
    assert_eq!(record.last_throttled, Some(Timestamp::UNIX_EPOCH));

    assert_eq!(ids(&store).await, acknowledged);
    limit(1_000_000).await.unwrap();
    let one = new(&"payload ".repeat(500));
    store.enqueue(vec![one.clone()]).await.unwrap();
    acknowledged.push(one.id);
    drop(store);
    let store = SqliteStore::open(directory.path()).unwrap();
    assert_eq!(ids(&store).await, acknowledged);
}

#[tokio::test]
async fn a_long_log_is_copied_and_used_again() {
    let directory = tempfile::tempdir().unwrap();
    let store = SqliteStore::open(directory.path()).unwrap();
    let log = directory.path().join("store.db-wal");
    let payload = "payload ".repeat(64 << 10);
    let (mut longest, mut shortest) = (0, u64::MAX);
    for _ in 0..40 {
        store.enqueue(vec![new(&payload)]).await.unwrap();
        let length = log.metadata().unwrap().len();
        longest = longest.max(length);
        if longest > 4 << 20 {
            shortest = shortest.min(length);
        }
    }

    assert!(longest > 4 << 20);
    assert!(longest < 8 << 20, "20 MB went through a log of {longest}");
    // It begins anew in the space that it has.
    assert!(shortest >= 4 << 20, "{shortest}");
    assert_eq!(ids(&store).await.len(), 40);
}

#[test]
fn commits_are_synced_to_the_disk() {
    let directory = tempfile::tempdir().unwrap();
    let files = Files::of(directory.path());
    files.prepare().unwrap();
    let connection = schema::connect(&files.database).unwrap();
    schema::bring_up(&connection, &State::Empty, Durability::default()).unwrap();
    let number = |pragma: &str| -> i64 {
        connection
            .pragma_query_value(None, pragma, |row| row.get(0))
            .unwrap()
    };
    assert_eq!(number("synchronous"), 2, "FULL");
    assert_eq!(number("fullfsync"), 1);
    assert_eq!(number("wal_autocheckpoint"), 0);
    assert_eq!(number("mmap_size"), 0);
    let mode: String = connection
        .pragma_query_value(None, "journal_mode", |row| row.get(0))
        .unwrap();
    assert_eq!(mode, "wal");
}

#[cfg(unix)]
#[tokio::test]
async fn only_the_owner_may_read_the_files() {
    use std::{fs::Permissions, os::unix::fs::PermissionsExt};

    let directory = tempfile::tempdir().unwrap();
    fs::write(directory.path().join("store.bell"), "").unwrap();
    fs::set_permissions(
        directory.path().join("store.bell"),
        Permissions::from_mode(0o666),
    )
    .unwrap();
    let store = SqliteStore::open(directory.path()).unwrap();
    store.enqueue(vec![new("")]).await.unwrap();
    let mut names = Vec::new();
    for entry in fs::read_dir(directory.path()).unwrap() {
        let entry = entry.unwrap();
        let mode = entry.metadata().unwrap().permissions().mode() & 0o777;
        assert_eq!(mode, 0o600, "{entry:?}");
        names.push(entry.file_name().into_string().unwrap());
    }
    names.sort();
    let expected = [
        "store.bell",
        "store.db",
        "store.db-shm",
        "store.db-wal",
        "store.turn",
    ];
    assert_eq!(names, expected);
    drop(store);

    fs::set_permissions(directory.path(), Permissions::from_mode(0o770)).unwrap();
    let error = SqliteStore::open(directory.path()).unwrap_err();
    assert_eq!(error.code(), Code::Directory);
    let missing = directory.path().join("missing");
    assert_eq!(
        SqliteStore::open(&missing).unwrap_err().code(),
        Code::Directory
    );
}

#[tokio::test]
async fn what_is_acknowledged_at_once_is_synced_and_what_need_not_be_is_not() {
    for (durability, expected) in [(Durability::Immediate, 2), (Durability::Eventual, 1)] {
        let directory = tempfile::tempdir().unwrap();
        let store = SqliteStore::open_with(directory.path(), durability).unwrap();
        let level = store.write(|connection| {
            Ok(connection.pragma_query_value(None, "synchronous", |row| row.get::<_, i64>(0))?)
        });
        assert_eq!(level.await.unwrap(), expected, "{durability:?}");
    }
}
