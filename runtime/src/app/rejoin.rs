//! The run of an activation that was accepted before, by its id.

use super::{App, Run, TaskHandle, requester::Requester};
use crate::{
    ActivationId, Code, Error, NamedTask, Result, TaskType,
    broker::{Accepted, Command, Known, looked, recorded, unknown},
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
        let mut known = self.known(activation).await?;
        if known.is_none() && looked(&self.app.inner.outboxes).await {
            known = self.known(activation).await?;
        }
        let known = known.ok_or_else(|| unknown().task(self.name()))?;
        own(self.name(), &known.task)?;
        let view = known.view;
        let accepted = Accepted { activation, view };
        let requester = Requester::App(self.app.clone());
        Ok(Run::new(requester, self.name(), accepted))
    }

    /// What waits or runs first, then what has ended: an activation goes only that way.
    async fn known(&self, activation: ActivationId) -> Result<Option<Known>> {
        let live = self.app.ask(|reply| Command::Find { activation, reply });
        match live.await? {
            Some(live) => Ok(Some(live)),
            None => recorded(&*self.app.inner.store, activation).await,
        }
    }
}

/// Refuses an activation of another task than the one that is asked for.
pub(super) fn own(name: &str, task: &str) -> Result<()> {
    if task == name {
        return Ok(());
    }
    let rule = format!("that is an activation of `{task}`");
    Err(Error::new(Code::UnknownRun, rule).task(name))
}
