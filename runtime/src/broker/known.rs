//! What is known of an activation: it waits or runs, or it is in the history.

use std::{path::Path, sync::Arc};

use tokio::sync::watch;

use super::{Active, RunView};
use crate::{
    ActivationId, Code, Error, Result,
    dirs::{Env, check_private},
    ipc::control::Seen,
    store::{HistoryQuery, SqliteStore, Store},
};

/// An activation that waits, runs, or has ended.
#[derive(Clone, Debug)]
pub(crate) struct Known {
    pub(crate) task: String,
    pub(crate) view: watch::Receiver<RunView>,
    /// Held by those who watch it and take no completion.
    pub(crate) _onlooker: Option<Arc<()>>,
    /// Of what nobody changes while this is here.
    pub(crate) _still: Option<watch::Sender<RunView>>,
}

impl Known {
    pub(super) fn of(active: &Active) -> Self {
        Self {
            task: active.record.task.clone(),
            view: active.view.subscribe(),
            _onlooker: Some(Arc::clone(&active.onlookers)),
            _still: None,
        }
    }

    /// As it is now.
    pub(crate) fn seen(&self) -> Seen {
        let view = self.view.borrow();
        Seen {
            task: self.task.clone(),
            progress: view.progress.clone(),
            ended: view.ended.clone(),
        }
    }
}

/// What the history has of an activation that has ended. `None`: it has not, or is not there.
pub(crate) async fn recorded(store: &dyn Store, activation: ActivationId) -> Result<Option<Known>> {
    let last = HistoryQuery {
        activation: Some(activation),
        limit: 1,
        ..HistoryQuery::default()
    };
    let last = store.history(last).await?.pop();
    let last = last.filter(|run| run.retry_at.is_none());
    Ok(last.map(|run| {
        let ended = RunView {
            journaled: true,
            progress: run.progress,
            ended: Some((run.run, run.outcome)),
        };
        Known {
            task: run.task,
            view: watch::channel(ended).1,
            _onlooker: None,
            _still: None,
        }
    }))
}

/// What the store has of an activation: it waits, or ran when it was left, or has ended.
pub(crate) async fn stored(store: &dyn Store, activation: ActivationId) -> Result<Option<Known>> {
    let Some(open) = store.activation(activation).await? else {
        return recorded(store, activation).await;
    };
    let (still, view) = watch::channel(RunView::default());
    Ok(Some(Known {
        task: open.task,
        view,
        _onlooker: None,
        _still: Some(still),
    }))
}

/// The store of an app, for reading, whether the app runs or not. `None`: it has none.
pub(crate) fn reader(directory: &Path) -> Result<Option<SqliteStore>> {
    let there = is_there(directory)?;
    there
        .then(|| SqliteStore::open_reader(directory))
        .transpose()
}

/// As [`reader`], for looks at single records.
pub(crate) fn glance(directory: &Path) -> Result<Option<SqliteStore>> {
    let there = is_there(directory)?;
    there.then(|| SqliteStore::glance(directory)).transpose()
}

fn is_there(directory: &Path) -> Result<bool> {
    match directory.try_exists() {
        Ok(false) => Ok(false),
        Ok(true) => check_private(directory, Env::of_process().uid).map(|()| true),
        Err(error) => {
            let rule = format!("the directory `{}` cannot be read", directory.display());
            Err(Error::new(Code::Directory, rule).source(error))
        }
    }
}

/// Nothing is known of an activation.
pub(crate) fn unknown() -> Error {
    Error::new(
        Code::UnknownRun,
        "no activation of that id waits, runs, or is in the history",
    )
    .remedy(
        "ended runs are kept as long as `AppBuilder::keep_history` says; \
         or its row was put aside: see the column `error` of `bgtask_outbox`",
    )
}
