//! Follows a run in another process until it has ended, across restarts of the app.

use std::{
    sync::{Arc, OnceLock},
    time::Duration,
};

use tokio::{sync::watch, time::sleep};

use super::{Client, kept, look, of};
use crate::{
    ActivationId, Code, Error, Result,
    broker::RunView,
    ipc::control,
    store::{SqliteStore, Store},
};

/// The time between two looks while the app is closed and its store says nothing.
const BETWEEN: Duration = Duration::from_millis(500);

/// What goes wrong so often in a row, for a minute, is no passing matter.
const TRIES: u32 = 120;

/// What keeps a client from seeing how a run ends.
pub(in crate::app) type Lost = Arc<OnceLock<Error>>;

/// Tells what becomes of an activation, until it has ended or nobody listens.
pub(super) async fn follow(
    client: Client,
    activation: ActivationId,
    told: watch::Sender<RunView>,
    lost: Lost,
) {
    let mut follower = Follower {
        client,
        activation,
        told: &told,
        store: None,
        failed: 0,
    };
    tokio::select! {
        ended = follower.follow() => {
            if let Err(error) = ended {
                let _ = lost.set(error);
            }
        }
        () = told.closed() => {}
    }
}

struct Follower<'a> {
    client: Client,
    activation: ActivationId,
    told: &'a watch::Sender<RunView>,
    /// The app's store, while no broker runs.
    store: Option<Arc<SqliteStore>>,
    /// So many looks failed in a row.
    failed: u32,
}

impl Follower<'_> {
    /// Until it has ended.
    async fn follow(&mut self) -> Result<()> {
        loop {
            match self.attend().await {
                Ok(true) => return Ok(()),
                Ok(false) => {}
                Err(error) if error.code() == Code::UnknownRun => return Err(error),
                Err(error) => {
                    self.failed += 1;
                    if self.failed >= TRIES {
                        return Err(error);
                    }
                    // Perhaps it is another file by now.
                    self.store = None;
                }
            }
            self.news().await;
        }
    }

    /// Follows the activation while one broker runs, or looks into the store; whether it has ended.
    async fn attend(&mut self) -> Result<bool> {
        let broker = control::Client::connect(&self.client.runtime()?).await?;
        if let Some(mut broker) = broker {
            self.store = None;
            let mut unlike = None;
            loop {
                let seen = look(&mut broker, self.activation, unlike).await?;
                self.failed = 0;
                unlike = Some(seen.clone());
                if tell(self.told, of(seen)) {
                    return Ok(true);
                }
            }
        }
        let store = match &self.store {
            Some(store) => store,
            None => self.store.insert(self.client.store().await?),
        };
        let kept = kept(&**store, self.activation).await?;
        self.failed = 0;
        Ok(kept.ended.is_some() && tell(self.told, of(kept)))
    }

    /// Waits for a time, or until somebody wrote to the store: the app, which was started.
    async fn news(&self) {
        let mut changed = self.store.as_ref().map(|store| store.changed());
        let written = async {
            match &mut changed {
                Some(changed) => drop(changed.changed().await),
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            () = written => {}
            () = sleep(BETWEEN) => {}
        }
    }
}

/// Tells what is news; whether it has ended.
fn tell(told: &watch::Sender<RunView>, now: RunView) -> bool {
    let has_ended = now.ended.is_some();
    told.send_if_modified(|known| {
        let is_news = has_ended || known.progress != now.progress;
        if is_news {
            *known = now;
        }
        is_news
    });
    has_ended
}
