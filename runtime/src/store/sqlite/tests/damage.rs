//! What an examination finds in a file.

use super::*;
use crate::store::{Finding, Severity};

async fn faults(store: &SqliteStore) -> Vec<Finding> {
    let mut found = store.check().await.unwrap();
    found.retain(|finding| finding.severity == Severity::Fault);
    found
}

#[tokio::test]
async fn what_cannot_be_read_is_found_and_the_rest_is_examined() {
    let directory = tempfile::tempdir().unwrap();
    let store = SqliteStore::open(directory.path()).unwrap();
    store
        .sync_registrations(vec![task("a"), task("b")], Timestamp::UNIX_EPOCH)
        .await
        .unwrap();
    store.enqueue(vec![new(""), new("")]).await.unwrap();
    assert_eq!(faults(&store).await, []);
    for (count, (change, table)) in [
        ("UPDATE registration SET suppressed = 1, suppression = '{' WHERE name = 'a'", "`registration`"),
        ("UPDATE activation SET fence = -1 WHERE seq = 1", "`activation`"),
        ("INSERT INTO log (at, task, kind) VALUES (1, 'a', '{}')", "`log`"),
        ("INSERT INTO data (key, value) VALUES ('a', '{')", "`data`"),
        (
            "INSERT INTO run (run, activation, registration, task, attempt, accepted, ended, outcome,
                 undelivered)
             VALUES (zeroblob(16), zeroblob(16), zeroblob(16), 'a', 1, 1, 1, 'gone', 0)",
            "`run`",
        ),
    ]
    .into_iter()
    .enumerate()
    {
        store
            .write(move |connection| Ok(connection.execute(change, [])?))
            .await
            .unwrap();
        let found = faults(&store).await;
        assert_eq!(found.len(), count + 1, "{found:?}");
        assert!(found.iter().any(|one| one.what.contains(table)), "{found:?}");
        assert!(found.iter().all(|one| one.remedy.is_some()));
    }
    let all = store.check().await.unwrap();
    let info = all.last().unwrap();
    assert_eq!(info.severity, Severity::Info, "the worst comes first");
    assert!(
        info.what
            .starts_with("1 registration, 1 activation waiting, "),
        "{info:?}"
    );
}

#[tokio::test]
async fn what_ended_twice_is_found() {
    let directory = tempfile::tempdir().unwrap();
    let store = SqliteStore::open(directory.path()).unwrap();
    let (twice, open) = (new(""), new(""));
    let (first, other) = (*twice.id.as_bytes(), *open.id.as_bytes());
    store.enqueue(vec![twice, open]).await.unwrap();
    for (run, activation) in [(1_u8, first), (2, first), (3, other)] {
        store
            .write(move |connection| {
                Ok(connection.execute(
                    r#"INSERT INTO run (run, activation, registration, task, attempt, accepted, ended,
                           outcome, undelivered)
                       VALUES (?1, ?2, zeroblob(16), 'task', 1, 1, 1,
                           '{"kind":"failed","error":"no"}', 0)"#,
                    rusqlite::params![[run; 16], activation],
                )?)
            })
            .await
            .unwrap();
    }
    let found = faults(&store).await;
    assert_eq!(found.len(), 1, "{found:?}");
    assert!(
        found[0].what.starts_with("2 activations have more"),
        "{found:?}"
    );
}

#[tokio::test]
async fn a_damaged_index_is_found() {
    let directory = tempfile::tempdir().unwrap();
    let store = SqliteStore::open(directory.path()).unwrap();
    store.enqueue(vec![new("")]).await.unwrap();
    store
        .write(|connection| {
            // The index lacks what its definition now says.
            connection.pragma_update(None, "writable_schema", true)?;
            connection.execute(
                "UPDATE sqlite_master SET sql = replace(sql, '(registration)', '(task)')
                 WHERE name = 'activation_registration'",
                [],
            )?;
            Ok(())
        })
        .await
        .unwrap();
    drop(store);
    // Its pages are sound, so it can be opened.
    let found = SqliteStore::open_reader(directory.path()).unwrap();
    let faults = faults(&found).await;
    assert!(!faults.is_empty());
    assert!(
        faults[0].what.starts_with("the file is damaged"),
        "{faults:?}"
    );
}
