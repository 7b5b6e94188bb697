//! The run of an activation that was accepted before, by its id.

use tokio::sync::watch;

use super::{App, Run, TaskHandle};
use crate::{
    ActivationId, Code, Error, NamedTask, Result, TaskType,
    broker::{Accepted, Command, RunView},
    store::HistoryQuery,
};

impl App {
    /// The run of an activation that was accepted before: by an earlier launch, by another handle,
    /// or for a row that a process left in an [outbox](crate::guide::outbox). It resolves when the
    /// run ends, or at once from the history.
    ///
    /// ```no_run
    /// # use bgtask::prelude::*;
    /// # #[background_task(trigger = application)]
    /// # async fn export() -> u32 { 7 }
    /// # #[bgtask::main]
    /// # async fn main(app: App) -> Result<(), Box<dyn std::error::Error>> {
    /// // The first launch keeps the id; a later one asks for the result.
    /// let id = app.task::<export>().request(()).await?.allowed()?.activation();
    /// std::fs::write("export.id", id.to_string())?;
    ///
    /// let id = std::fs::read_to_string("export.id")?.parse()?;
    /// let rows = app.run::<export>(id).await?.completed().await?;
    /// # assert_eq!(rows, 7);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// [`Code::UnknownRun`] when nothing that waits, runs or is in the history has that id, or
    /// another task has it; the history goes back as far as
    /// [`keep_history`](crate::AppBuilder::keep_history) says. [`Code::Closing`], and what the
    /// store says.
    pub async fn run<F: NamedTask>(&self, activation: ActivationId) -> Result<Run<F>> {
        self.task::<F>().run(activation).await
    }
}

impl<F: TaskType> TaskHandle<F> {
    /// As [`App::run`], for a task of a function with several attributes.
    ///
    /// # Errors
    /// As there.
    pub async fn run(&self, activation: ActivationId) -> Result<Run<F>> {
        let mut view = self.known(activation).await?;
        if view.is_none() && self.app.looked().await {
            view = self.known(activation).await?;
        }
        let view = view.ok_or_else(|| unknown().task(self.name()))?;
        let accepted = Accepted { activation, view };
        Ok(Run::new(self.app.clone(), self.name(), accepted))
    }

    /// What waits or runs first, then what has ended: an activation goes only that way.
    async fn known(&self, activation: ActivationId) -> Result<Option<watch::Receiver<RunView>>> {
        let live = self
            .app
            .ask(|reply| Command::Find { activation, reply })
            .await?;
        if let Some((task, view)) = live {
            return self.own(&task).map(|()| Some(view));
        }
        let last = HistoryQuery {
            activation: Some(activation),
            limit: 1,
            ..HistoryQuery::default()
        };
        let last = self.app.inner.store.history(last).await?.pop();
        let Some(run) = last.filter(|run| run.retry_at.is_none()) else {
            return Ok(None);
        };
        self.own(&run.task)?;
        let ended = RunView {
            journaled: true,
            progress: run.progress,
            ended: Some((run.run, run.outcome)),
        };
        Ok(Some(watch::channel(ended).1))
    }

    fn own(&self, task: &str) -> Result<()> {
        if task == self.name() {
            return Ok(());
        }
        let rule = format!("that is an activation of `{task}`");
        Err(Error::new(Code::UnknownRun, rule).task(self.name()))
    }
}

fn unknown() -> Error {
    Error::new(
        Code::UnknownRun,
        "no activation of that id waits, runs, or is in the history",
    )
    .remedy(
        "ended runs are kept as long as `AppBuilder::keep_history` says; \
         or its row was put aside: see the column `error` of `bgtask_outbox`",
    )
}
