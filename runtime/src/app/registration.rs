//! A registration, and what can be done with it.

use jiff::Timestamp;

use super::{App, handle, to_json};
use crate::{
    Explanation, Origin, RegistrationId, RegistrationRecord, RequestOutcome, Requestable, Result,
    Standing,
    broker::{Command, RegistrationChange},
    ipc::control::Order,
    manifest::Entry,
};

/// A registration as it was when it was asked for; from [`App::all_tasks`],
/// [`App::registered`] and [`RegistrationBuilder::register`](super::RegistrationBuilder::register).
///
/// What it tells does not change by itself: [`reload`](Self::reload) asks again.
///
/// ```no_run
/// # let _ = async |app: bgtask::App| -> bgtask::Result<()> {
/// for mut task in app.all_tasks().await? {
///     println!("{} ({}): next at {:?}", task.name(), task.trigger(), task.next_due());
///     task.pause().await?;
/// }
/// # Ok(())
/// # };
/// ```
///
/// Windows: [`BackgroundTaskRegistration`](https://learn.microsoft.com/uwp/api/windows.applicationmodel.background.backgroundtaskregistration).
#[derive(Clone, Debug)]
pub struct Registration {
    app: App,
    record: RegistrationRecord,
}

impl Registration {
    pub(super) fn new(app: App, record: RegistrationRecord) -> Self {
        Self { app, record }
    }

    pub(super) fn app(&self) -> &App {
        &self.app
    }

    /// Its identity: it stays over restarts, and changes when it is replaced (Windows:
    /// [`TaskId`](https://learn.microsoft.com/uwp/api/windows.applicationmodel.background.backgroundtaskregistration.taskid)).
    #[must_use]
    pub fn id(&self) -> RegistrationId {
        self.record.id
    }

    /// Its name; that of its task, if it is declared.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.record.name
    }

    /// The declared task whose body runs.
    #[must_use]
    pub fn entry(&self) -> &str {
        &self.record.entry
    }

    /// Its registration group (Windows:
    /// [`TaskGroup`](https://learn.microsoft.com/uwp/api/windows.applicationmodel.background.backgroundtaskregistration.taskgroup)).
    #[must_use]
    pub fn group(&self) -> Option<&str> {
        self.record.group.as_deref()
    }

    /// What starts it, as the grammar writes it; its trigger's word alone if another version wrote
    /// what this one cannot read.
    #[must_use]
    pub fn trigger(&self) -> String {
        match Entry::from_json(self.record.declaration.as_bytes()) {
            Ok(entry) => entry.declaration.trigger.to_string(),
            Err(_) => self.record.kind.clone(),
        }
    }

    /// Who made it.
    #[must_use]
    pub fn origin(&self) -> Origin {
        self.record.origin
    }

    /// Whether it may fire and start.
    #[must_use]
    pub fn standing(&self) -> &Standing {
        &self.record.standing
    }

    /// When the last run that has ended was started.
    #[must_use]
    pub fn last_run(&self) -> Option<Timestamp> {
        self.record.last_run
    }

    /// When a fire was last held because the energy budget was used up.
    #[must_use]
    pub fn last_throttled(&self) -> Option<Timestamp> {
        self.record.last_throttled
    }

    /// When it comes due next, without its `jitter`; for time kinds.
    #[must_use]
    pub fn next_due(&self) -> Option<Timestamp> {
        self.record.due
    }

    /// How many fires did not become a run.
    #[must_use]
    pub fn suppressed(&self) -> u64 {
        self.record.suppressed
    }

    /// All that the store has of it.
    #[must_use]
    pub fn record(&self) -> &RegistrationRecord {
        &self.record
    }

    /// Asks the store again. `false`: it is gone, and this stays as it was.
    ///
    /// # Errors
    /// What the store says.
    pub async fn reload(&mut self) -> Result<bool> {
        let all = self.app.inner.store.registrations().await?;
        let found = all.into_iter().find(|record| record.id == self.record.id);
        let there = found.is_some();
        if let Some(record) = found {
            self.record = record;
        }
        Ok(there)
    }

    /// Removes it; what waits is recorded as suppressed. With `cancel` what runs is asked to stop
    /// ([`Abort`](crate::CancelReason::Abort)), without it may finish. A task may unregister its own registration.
    /// Nothing happens when it is gone already. A declared task is registered again at the next
    /// launch: [`disable`](Self::disable) lasts.
    ///
    /// Windows: [`Unregister`](https://learn.microsoft.com/uwp/api/windows.applicationmodel.background.backgroundtaskregistration.unregister).
    ///
    /// # Errors
    /// [`Code::Closing`](crate::Code::Closing), or what the store says.
    pub async fn unregister(self, cancel: bool) -> Result<()> {
        let ids = vec![self.record.id];
        self.app
            .ask(|reply| Command::Change(RegistrationChange::Unregister { ids, cancel, reply }))
            .await?
    }

    /// It fires, and what fired is held until [`resume`](Self::resume). Lasts over restarts.
    ///
    /// # Errors
    /// [`Code::NotAccepted`](crate::Code::NotAccepted) when it is [disabled](Self::disable), and
    /// stays so; [`Code::UnknownTask`](crate::Code::UnknownTask) when it is gone or has ended,
    /// [`Code::Closing`](crate::Code::Closing), or what the store says; for the others as well.
    pub async fn pause(&mut self) -> Result<()> {
        self.stand(Order::Pause).await
    }

    /// Ends a [pause](Self::pause); what was held may start.
    ///
    /// # Errors
    /// As [`pause`](Self::pause).
    pub async fn resume(&mut self) -> Result<()> {
        self.stand(Order::Resume).await
    }

    /// Its trigger no longer counts: each fire is suppressed and noted. What waits already is held
    /// until [`enable`](Self::enable), as is what is [fired by hand](App::fire) or by a row of an
    /// [outbox](crate::guide::outbox); requests are answered with
    /// [`DisabledByPolicy`](RequestOutcome::DisabledByPolicy). Ends a pause. Lasts over restarts.
    ///
    /// # Errors
    /// As [`pause`](Self::pause), but for what is disabled already: that is no error.
    pub async fn disable(&mut self) -> Result<()> {
        self.stand(Order::Disable).await
    }

    /// Ends being [disabled](Self::disable). One that is paused stays so.
    ///
    /// # Errors
    /// As [`disable`](Self::disable).
    pub async fn enable(&mut self) -> Result<()> {
        self.stand(Order::Enable).await
    }

    async fn stand(&mut self, order: Order) -> Result<()> {
        let id = self.record.id;
        self.record = self
            .app
            .ask(|reply| Command::Change(RegistrationChange::Stand { id, order, reply }))
            .await??;
        Ok(())
    }

    /// Requests a run of it, if its trigger is `application`; `F` is the function of its
    /// [`entry`](Self::entry). Otherwise as [`TaskHandle::request`](crate::TaskHandle::request).
    ///
    /// # Errors
    /// Those of [`TaskHandle::request`](crate::TaskHandle::request).
    pub async fn request<F: Requestable>(&self, arguments: F::Args) -> Result<RequestOutcome<F>> {
        let (arguments, id) = (to_json(&arguments)?, self.record.id.to_string());
        handle::request(&self.app, id, &self.record.name, arguments, None).await
    }

    /// Why it has not run, or what it waits for.
    ///
    /// # Errors
    /// [`Code::UnknownTask`](crate::Code::UnknownTask) when it is gone.
    pub async fn why(&self) -> Result<Explanation> {
        self.app.why(&self.record.id.to_string()).await
    }
}
