//! What becomes of the space that history took.

use super::*;
use crate::store::{HistoryQuery, Retention};

fn size(directory: &Path) -> u64 {
    database(directory).metadata().unwrap().len()
}

/// So many ended runs, each with a large result.
async fn fill(store: &SqliteStore, count: usize) {
    let all: Vec<_> = (0..count).map(|_| new("")).collect();
    store.enqueue(all.clone()).await.unwrap();
    let claims = all.iter().map(|one| Claim {
        activation: one.id,
        run: RunId::now(),
        at: Timestamp::UNIX_EPOCH,
    });
    store.claim(claims.collect()).await.unwrap();
    let finishes = all.iter().map(|one| Finish {
        activation: one.id,
        fence: 1,
        at: Timestamp::UNIX_EPOCH,
        outcome: Outcome::Completed {
            value: "result ".repeat(150).into(),
        },
        progress: None,
        retry_at: None,
        ends_registration: false,
        data: Vec::new(),
        cpu: None,
        on_battery: false,
    });
    let recorded = store.finish(finishes.collect()).await.unwrap();
    assert!(recorded.iter().all(|one| *one));
    let runs = store.undelivered().await.unwrap();
    let runs = runs.iter().map(|run| run.run).collect();
    store.deliver(runs).await.unwrap();
}

#[tokio::test]
async fn free_space_is_given_back_when_there_is_much_of_it() {
    let directory = tempfile::tempdir().unwrap();
    let store = SqliteStore::open(directory.path()).unwrap();
    let keep = |most| Retention {
        before: Timestamp::UNIX_EPOCH,
        most,
    };
    fill(&store, 12_000).await;
    assert_eq!(store.prune(keep(12_000)).await.unwrap(), 0);
    let reader = SqliteStore::open_reader(directory.path()).unwrap();
    let query = || HistoryQuery {
        limit: 100,
        ..HistoryQuery::default()
    };
    let newest = reader.history(query()).await.unwrap();
    drop(store);
    let before = size(directory.path());
    assert!(before > 12 << 20, "{before}");

    let store = SqliteStore::open(directory.path()).unwrap();
    assert_eq!(store.prune(keep(9000)).await.unwrap(), 3000);
    assert!(size(directory.path()) >= before, "little of it is free");

    // More than one part; and who reads meanwhile is not disturbed.
    let (removed, read) = tokio::join!(store.prune(keep(100)), reader.history(query()));
    assert_eq!(removed.unwrap(), 8900);
    assert_eq!(read.unwrap(), newest);
    assert_eq!(reader.history(query()).await.unwrap(), newest);
    let after = size(directory.path());
    assert!(after < before / 10, "{after} of {before}");
    assert_eq!(store.history(query()).await.unwrap(), newest);
    assert_eq!(store.check().await.unwrap().len(), 1);
}
