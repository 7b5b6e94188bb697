//! The app's data, asked for by a host: it never opens the store.

use std::{
    collections::HashMap,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
};

use futures_util::future::BoxFuture;
use serde_json::Value;
use tokio::sync::{Semaphore, oneshot};

use super::hosted::Outgoing;
use crate::{
    Code, Error, Result,
    ipc::host_message::{FromHost, Kept},
    task::DataReader,
};

/// How many questions a host has open at a time; further ones wait for an answer.
const HOST_ASKS: usize = 16;

/// How many an app takes of a host at a time: one that asks more is not this program.
pub(super) const APP_TAKES: usize = 2 * HOST_ASKS;

/// Asks the app.
pub(super) struct RemoteData {
    outgoing: Outgoing,
    next: AtomicU64,
    asks: Arc<Semaphore>,
    asked: Mutex<HashMap<u64, oneshot::Sender<Kept>>>,
}

impl RemoteData {
    pub(super) fn new(outgoing: Outgoing) -> Self {
        Self {
            outgoing,
            next: AtomicU64::new(0),
            asks: Arc::new(Semaphore::new(HOST_ASKS)),
            asked: Mutex::default(),
        }
    }

    /// Takes the app's answer.
    pub(super) fn answered(&self, ask: u64, kept: Kept) {
        if let Some(asked) = self.asked().remove(&ask) {
            let _ = asked.send(kept);
        }
    }

    fn asked(&self) -> MutexGuard<'_, HashMap<u64, oneshot::Sender<Kept>>> {
        self.asked.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn ask(self: Arc<Self>, key: String) -> Result<Option<Value>> {
        let gone = || Error::new(Code::Host, "the app does not answer");
        let _turn = self.asks.acquire().await.map_err(|_| gone())?;
        let ask = self.next.fetch_add(1, Ordering::Relaxed);
        let (asked, answer) = oneshot::channel();
        self.asked().insert(ask, asked);
        let told = self.outgoing.send(&FromHost::Read { ask, key }).await;
        told.map_err(|error| gone().source(error))?;
        match answer.await.map_err(|_| gone())? {
            Kept::Value(value) => Ok(Some(value)),
            Kept::Nothing => Ok(None),
            Kept::Unreadable(rule) => Err(Error::new(Code::Store, rule)),
        }
    }
}

/// One for each host, shared by its runs.
pub(super) struct Remote(pub(super) Arc<RemoteData>);

impl DataReader for Remote {
    fn read(&self, key: String) -> BoxFuture<'static, Result<Option<Value>>> {
        // Of its own: a body that gives up waiting must not cut a message off, nor free its turn
        // before the answer came.
        let asking = tokio::spawn(Arc::clone(&self.0).ask(key));
        Box::pin(async move {
            asking.await.unwrap_or_else(|error| {
                Err(Error::new(Code::Host, "the app was not asked").source(error))
            })
        })
    }
}
