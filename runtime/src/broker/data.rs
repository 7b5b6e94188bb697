//! The app's data, between runs and the store.

use std::sync::Arc;

use futures_util::future::BoxFuture;
use serde_json::Value;

use crate::{
    Result,
    store::{DataChange, DataQuery, Store},
    task::{DataReader, Stage, Staged, check_key},
};

/// What runs read: what the store keeps.
pub(super) struct KeptData {
    store: Arc<dyn Store>,
}

impl KeptData {
    pub(super) fn of(store: &Arc<dyn Store>) -> Self {
        let store = Arc::clone(store);
        Self { store }
    }
}

impl DataReader for KeptData {
    fn read(&self, key: String) -> BoxFuture<'static, Result<Option<Value>>> {
        let store = Arc::clone(&self.store);
        Box::pin(async move {
            check_key(&key)?;
            let found = store.data(DataQuery::Key(key)).await?;
            Ok(found.into_iter().next().map(|(_, value)| value))
        })
    }
}

/// What a run staged, as the store takes it.
pub(super) fn changes(stage: Stage) -> Vec<DataChange> {
    let change = |(key, staged)| match staged {
        Staged::Set(value) => DataChange::Set { key, value },
        Staged::Remove => DataChange::Remove { key },
    };
    stage.into_iter().map(change).collect()
}
