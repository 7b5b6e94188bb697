use std::{future::Future, os::unix::fs::symlink};

use super::*;

/// A database of a caller, and the outbox in it.
struct Shop {
    directory: tempfile::TempDir,
    caller: Connection,
    outbox: SqliteOutbox,
}

impl Shop {
    fn new() -> Self {
        Self::with("wal")
    }

    fn with(journal: &str) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("shop.db");
        let caller = Connection::open(&path).unwrap();
        let mode: String = caller
            .query_row(&format!("PRAGMA journal_mode = {journal}"), [], |row| {
                row.get(0)
            })
            .unwrap();
        assert_eq!(mode, journal);
        Self {
            outbox: SqliteOutbox::new(path),
            directory,
            caller,
        }
    }

    fn request(&self) -> String {
        let row = OutboxRow::new("receipt", &7).unwrap();
        row.insert(&self.caller).unwrap();
        row.id
    }

    async fn polled(&mut self) -> Vec<String> {
        let rows = self.outbox.poll(100, 0).await.unwrap();
        rows.into_iter().map(|row| row.id).collect()
    }
}

/// Far longer than anything here takes.
async fn soon<T>(what: impl Future<Output = T>) -> T {
    tokio::time::timeout(Duration::from_secs(60), what)
        .await
        .expect("it comes")
}

#[tokio::test]
async fn rows_come_in_order_and_go_when_they_are_acknowledged_or_refused() {
    let mut shop = Shop::new();
    let ids: Vec<_> = (0..3).map(|_| shop.request()).collect();
    assert_eq!(shop.polled().await, ids);
    assert_eq!(shop.outbox.poll(2, 0).await.unwrap().len(), 2);
    shop.outbox
        .refuse(ids[0].clone(), "no such task".to_owned())
        .await
        .unwrap();
    shop.outbox.acknowledge(vec![ids[1].clone()]).await.unwrap();
    assert_eq!(shop.polled().await, ids[2..]);
    let left: Vec<(String, Option<String>)> = shop
        .caller
        .prepare("SELECT id, error FROM bgtask_outbox ORDER BY seq")
        .unwrap()
        .query_map([], |row| Ok((row.get(0)?, row.get(1)?)))
        .unwrap()
        .map(Result::unwrap)
        .collect();
    let refused = Some("no such task".to_owned());
    assert_eq!(left, [(ids[0].clone(), refused), (ids[2].clone(), None)]);
}

#[tokio::test]
async fn a_row_is_read_as_it_was_written() {
    let mut shop = Shop::new();
    let at: jiff::Timestamp = "2126-01-02T03:04:05Z".parse().unwrap();
    let row = OutboxRow::new("receipt", &"Ada").unwrap().not_before(at);
    row.insert(&shop.caller).unwrap();
    let read = shop.outbox.poll(1, 0).await.unwrap().remove(0);
    let created: jiff::Timestamp = read.created.as_ref().unwrap().parse().unwrap();
    assert!(created > "2026-01-01T00:00:00Z".parse().unwrap());
    assert_eq!(read.arguments, "\"Ada\"");
    let created = read.created.clone();
    assert_eq!(read, OutboxRow { created, ..row });
}

#[tokio::test]
async fn what_others_wrote_wrongly_can_be_put_aside() {
    let mut shop = Shop::new();
    shop.caller.execute_batch(TABLE).unwrap();
    for values in [
        "(1, 2, 3, 4)",
        "(x'ff00', 'receipt', x'80', 1.5)",
        "('', '', '', '')",
    ] {
        let insert =
            format!("INSERT INTO bgtask_outbox (id, task, arguments, not_before) VALUES {values}");
        shop.caller.execute(&insert, []).unwrap();
    }
    let good = shop.request();
    let rows = shop.polled().await;
    assert_eq!(rows.len(), 4);
    for bad in &rows[..3] {
        let error = "not a UUID".to_owned();
        shop.outbox.refuse(bad.clone(), error).await.unwrap();
    }
    assert_eq!(shop.polled().await, [good]);
}

#[tokio::test]
async fn what_is_not_committed_is_not_there() {
    let mut shop = Shop::new();
    shop.outbox.poll(1, 0).await.unwrap();
    let writing = shop.caller.transaction().unwrap();
    OutboxRow::new("receipt", &7)
        .unwrap()
        .insert(&writing)
        .unwrap();
    // The writer has the lock: nothing can be said yet.
    let busy = shop.outbox.poll(1, 0).await.unwrap_err();
    assert!(busy.to_string().contains("locked"), "{busy}");
    writing.rollback().unwrap();
    assert_eq!(shop.polled().await, [""; 0]);
}

#[cfg(target_os = "linux")]
#[tokio::test]
async fn each_commit_rings_whatever_the_journal() {
    for journal in ["wal", "delete", "truncate", "persist"] {
        let mut shop = Shop::with(journal);
        assert_eq!(shop.polled().await, [""; 0]);
        for _ in 0..3 {
            let id = shop.request();
            // The last ring comes before the commit is visible, and the look waits for it; an
            // earlier one may be left over from the look before.
            let found = async {
                loop {
                    shop.outbox.rung().await;
                    let found = shop.polled().await;
                    if !found.is_empty() {
                        return found;
                    }
                }
            };
            assert_eq!(soon(found).await.join(" "), id, "{journal}");
            shop.outbox.acknowledge(vec![id]).await.unwrap();
        }
    }
}

#[cfg(target_os = "linux")]
#[tokio::test]
async fn a_database_that_is_made_later_is_found_and_another_one_in_its_place_too() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("shop.db");
    let mut outbox = SqliteOutbox::new(&path);
    let missing = outbox.poll(1, 0).await.unwrap_err();
    assert_eq!(missing.to_string(), "there is no such database");
    assert!(!path.exists(), "a look makes no database");
    for _ in 0..2 {
        let elsewhere = directory.path().join("elsewhere.db");
        let row = OutboxRow::new("receipt", &7).unwrap();
        let caller = Connection::open(&elsewhere).unwrap();
        row.insert(&caller).unwrap();
        caller.close().unwrap();
        fs::rename(&elsewhere, &path).unwrap();
        soon(outbox.rung()).await;
        assert_eq!(outbox.poll(9, 0).await.unwrap()[0].id, row.id);
    }
}

#[cfg(target_os = "linux")]
#[tokio::test]
async fn a_link_to_the_database_is_heard_too() {
    let mut shop = Shop::new();
    let beside = tempfile::tempdir().unwrap();
    let link = beside.path().join("link.db");
    symlink(shop.directory.path().join("shop.db"), &link).unwrap();
    shop.outbox = SqliteOutbox::new(link);
    shop.polled().await;
    let id = shop.request();
    let found = async {
        loop {
            shop.outbox.rung().await;
            let found = shop.polled().await;
            if !found.is_empty() {
                return found;
            }
        }
    };
    assert_eq!(soon(found).await, [id]);
}

#[tokio::test(start_paused = true)]
async fn without_a_bell_the_database_is_asked_whether_it_changed() {
    let mut shop = Shop::new();
    shop.polled().await;
    shop.outbox.bell = None;
    // Time is turned as far as there is something to wait for.
    let silent = tokio::time::timeout(PERIOD * 100, shop.outbox.rung()).await;
    assert!(silent.is_err(), "nothing was written");
    let id = shop.request();
    soon(shop.outbox.rung()).await;
    assert_eq!(shop.polled().await, [id]);
}
