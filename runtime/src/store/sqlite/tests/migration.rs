//! Files of earlier versions.

use super::*;
use crate::{
    Standing, Suppression,
    store::{DataChange, DataQuery, LogQuery},
};

/// A file as the first schema's statements wrote it: two registrations, one that ended, an activation
/// that waits, one that runs, and an ended run that was not delivered.
const ROWS: &str = r#"
INSERT INTO registration (id, name, declaration, fingerprint, due, created)
    VALUES (x'00000000000000000000000000000001', 'sync', '{"trigger":"time(15)"}', 'f1', 900000000, 1000000);
INSERT INTO registration (id, name, declaration, fingerprint, due, created)
    VALUES (x'00000000000000000000000000000002', 'once', '{"trigger":"time(15, once)"}', 'f2', NULL, 2000000);
UPDATE registration SET due = 1800000000, generation = generation + 1, last_fired = 901000000
    WHERE name = 'sync';
UPDATE registration SET suppressed = 950000000, suppression = '{"why":"overlap"}'
    WHERE name = 'sync';
UPDATE registration SET ended = 3000000, due = NULL WHERE name = 'once';
INSERT INTO activation (id, registration, task, details, accepted, not_before, journal)
    VALUES (x'00000000000000000000000000000011', x'00000000000000000000000000000001', 'sync', '{"fired":"1970-01-01T00:15:01Z"}',
        901000000, 0, 1);
INSERT INTO activation (id, registration, task, details, accepted, not_before, journal)
    VALUES (x'00000000000000000000000000000012', x'00000000000000000000000000000001', 'sync', '{"fired":"1970-01-01T00:15:01Z"}',
        902000000, 0, 0);
UPDATE activation SET attempt = attempt + 1, fence = fence + 1, started = 903000000,
    run = x'00000000000000000000000000000021' WHERE id = x'00000000000000000000000000000012';
INSERT INTO run (run, activation, registration, task, attempt, accepted, started, ended, outcome,
        progress, retry_at, undelivered)
    VALUES (x'00000000000000000000000000000022', x'00000000000000000000000000000013', x'00000000000000000000000000000001', 'sync', 1, 800000000,
        801000000, 802000000, '{"kind":"failed","error":"offline"}', NULL, NULL, 1);
"#;

/// Makes the file of a version, with rows.
fn write_first(directory: &Path) {
    let files = Files::of(directory);
    files.prepare().unwrap();
    let connection = schema::connect(&files.database).unwrap();
    connection
        .query_row("PRAGMA journal_mode = WAL", [], |_| Ok(()))
        .unwrap();
    let text = format!(
        "BEGIN; {} PRAGMA application_id = 1650947179; PRAGMA user_version = 1; COMMIT; {ROWS}",
        schema::MIGRATIONS[0]
    );
    connection.execute_batch(&text).unwrap();
}

#[tokio::test]
async fn whether_a_store_is_of_this_version_is_told_without_a_change() {
    let directory = tempfile::tempdir().unwrap();
    let is_current = || SqliteStore::is_current(directory.path()).unwrap();
    assert!(!is_current());
    assert!(!Files::of(directory.path()).database.exists());
    write_first(directory.path());
    assert!(!is_current());
    assert!(!is_current(), "it stays as it is");
    drop(SqliteStore::open(directory.path()).unwrap());
    assert!(is_current());
}

fn seconds(seconds: i64) -> Timestamp {
    Timestamp::from_second(seconds).unwrap()
}

#[tokio::test]
async fn a_file_of_the_first_schema_keeps_everything() {
    let directory = tempfile::tempdir().unwrap();
    write_first(directory.path());

    let store = SqliteStore::open(directory.path()).unwrap();
    let kept = store.registrations().await.unwrap();
    let names: Vec<_> = kept.iter().map(|record| &*record.name).collect();
    assert_eq!(names, ["sync", "once"]);
    let sync = &kept[0];
    assert_eq!(
        sync.id,
        RegistrationId::from_bytes([0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1])
    );
    assert_eq!((&*sync.entry, sync.origin), ("sync", Origin::Declared));
    assert_eq!((&*sync.fingerprint, sync.generation), ("f1", 1));
    assert_eq!(sync.declaration, r#"{"trigger":"time(15)"}"#);
    assert_eq!(sync.due, Some(seconds(1800)));
    assert_eq!(sync.created, seconds(1));
    assert_eq!(sync.last_fired, Some(seconds(901)));
    assert_eq!(sync.last_run, Some(seconds(801)));
    assert_eq!(sync.standing, Standing::Enabled);
    assert_eq!(sync.suppressed, 1, "of those before only the last is known");
    assert_eq!(
        sync.last_suppression,
        Some((seconds(950), Suppression::Overlap))
    );
    assert_eq!(kept[1].ended, Some(seconds(3)));

    let open = store.activations().await.unwrap();
    assert_eq!(open.len(), 2);
    assert_eq!(open[0].accepted, seconds(901));
    assert!(open[0].journal && open[0].run.is_none());
    assert_eq!((open[1].attempt, open[1].fence), (1, 1));
    let undelivered = store.undelivered().await.unwrap();
    assert_eq!(undelivered.len(), 1);
    assert_eq!(
        undelivered[0].outcome,
        Outcome::Failed {
            error: "offline".into()
        }
    );
    assert_eq!(store.check().await.unwrap().len(), 1, "it is sound");
}

#[tokio::test]
async fn an_older_file_can_do_what_a_new_one_can() {
    let directory = tempfile::tempdir().unwrap();
    write_first(directory.path());
    drop(SqliteStore::open(directory.path()).unwrap());
    let store = SqliteStore::open(directory.path()).unwrap();
    let declared = NewRegistration {
        fingerprint: "f1".into(),
        kind: "time".into(),
        group: Some("lib".into()),
        ..task("sync")
    };
    let once = NewRegistration {
        fingerprint: "f2".into(),
        ..task("once")
    };
    let before = store.registrations().await.unwrap();
    let (diff, _) = store
        .sync_registrations(vec![declared, once], seconds(5))
        .await
        .unwrap();
    assert_eq!(diff.unchanged, ["sync", "once"]);
    let after = store.registrations().await.unwrap();
    assert_eq!(after[0].id, before[0].id);
    assert_eq!(
        (&*after[0].kind, after[0].group.as_deref()),
        ("time", Some("lib"))
    );

    // New rows take their places after the old ones.
    let sync = after[0].id;
    let added = NewRegistration {
        origin: Origin::Built,
        ..task("made")
    };
    store
        .register(added, Default::default(), None, seconds(6))
        .await
        .unwrap();
    let last = store.registrations().await.unwrap().pop().unwrap();
    assert_eq!(last.name, "made");
    let key = "a".to_owned();
    let value = serde_json::json!(1);
    let set = DataChange::Set { key, value };
    assert!(store.change_data(vec![set]).await.unwrap());
    let all = DataQuery::Prefix(String::new());
    assert_eq!(store.data(all).await.unwrap().len(), 1);
    let words = store.read_log(LogQuery::default()).await.unwrap().len();
    assert_eq!(words, 3 + 2 + 1, "an ended, a running and a waiting one");
    assert!(
        store
            .stand(sync, Standing::Paused { since: seconds(7) })
            .await
            .unwrap()
            .is_some()
    );
}

#[test]
fn a_reader_leaves_an_older_file_as_it_is() {
    let directory = tempfile::tempdir().unwrap();
    write_first(directory.path());
    let before = contents(directory.path());
    let error = SqliteStore::open_reader(directory.path()).unwrap_err();
    assert_eq!(error.code(), Code::Store);
    assert!(error.help().is_some());
    assert_eq!(contents(directory.path()), before);
}

#[tokio::test]
async fn a_migration_that_fails_changes_nothing() {
    let directory = tempfile::tempdir().unwrap();
    write_first(directory.path());
    let connection = Connection::open(database(directory.path())).unwrap();
    connection
        .execute_batch("CREATE TABLE energy (of_another_program)")
        .unwrap();
    let tables = |connection: &Connection| -> Vec<String> {
        let mut statement = connection
            .prepare("SELECT sql FROM sqlite_master WHERE sql NOT NULL ORDER BY sql")
            .unwrap();
        let rows = statement.query_map([], |row| row.get(0)).unwrap();
        rows.map(Result::unwrap).collect()
    };
    let before = tables(&connection);
    SqliteStore::open(directory.path()).unwrap_err();
    assert_eq!(tables(&connection), before);
    let kept: i64 = connection
        .query_row("SELECT count(*) FROM registration", [], |row| row.get(0))
        .unwrap();
    assert_eq!(kept, 2);

    connection.execute_batch("DROP TABLE energy").unwrap();
    let store = SqliteStore::open(directory.path()).unwrap();
    assert_eq!(store.registrations().await.unwrap().len(), 2);
}

#[tokio::test]
async fn runs_count_again_when_their_numbers_begin_anew() {
    let directory = tempfile::tempdir().unwrap();
    write_first(directory.path());
    let connection = Connection::open(database(directory.path())).unwrap();
    let text = format!(
        "BEGIN; {} UPDATE registration SET seen = 5000; DELETE FROM run;
         PRAGMA user_version = 2; COMMIT;",
        schema::MIGRATIONS[1]
    );
    connection.execute_batch(&text).unwrap();
    drop(connection);
    drop(SqliteStore::open(directory.path()).unwrap());
    let connection = Connection::open(database(directory.path())).unwrap();
    let seen: i64 = connection
        .query_row("SELECT max(seen) FROM registration", [], |row| row.get(0))
        .unwrap();
    assert_eq!(seen, 0);
}
