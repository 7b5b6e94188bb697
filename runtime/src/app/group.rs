//! Registration groups: registrations of a library, out of the way of the app's own.

use std::{fmt, pin::Pin, sync::Arc};

use super::{App, Registration};
use crate::{Result, TaskContext, host::GroupHandler};

/// The registrations of one `registration_group`; from [`App::group`].
///
/// A group is a namespace: what an app does with all its registrations
/// ([`App::all_tasks`], [`App::unregister_all`]) leaves those of groups alone, so that a library's
/// tasks survive an app that purges its own. It has no life of its own: it is there while a
/// registration names it.
///
/// ```no_run
/// use bgtask::prelude::*;
///
/// #[background_task(trigger = time(60), registration_group = "com.example.telemetry")]
/// async fn upload_telemetry() {}
///
/// #[bgtask::main]
/// async fn main(app: App) -> bgtask::Result<()> {
///     let telemetry = app.group("com.example.telemetry");
///     for task in telemetry.all_tasks().await? {
///         println!("{}", task.name());
///     }
///     app.run_until_shutdown().await
/// }
/// ```
///
/// Windows: [`BackgroundTaskRegistrationGroup`](https://learn.microsoft.com/uwp/api/windows.applicationmodel.background.backgroundtaskregistrationgroup).
#[derive(Clone, Debug)]
pub struct RegistrationGroup {
    app: App,
    id: String,
}

impl RegistrationGroup {
    pub(super) fn new(app: App, id: String) -> Self {
        Self { app, id }
    }

    /// Its id: what `registration_group = "…"` says.
    #[must_use]
    pub fn id(&self) -> &str {
        &self.id
    }

    /// Its registrations, by name; none when it has no members (Windows: null).
    ///
    /// # Errors
    /// What the store says.
    pub async fn all_tasks(&self) -> Result<Vec<Registration>> {
        let of_group = |group: Option<&str>| group == Some(&self.id);
        self.app.registered_in(of_group).await
    }

    /// Removes all its registrations; see [`Registration::unregister`].
    ///
    /// # Errors
    /// [`Code::Closing`](crate::Code::Closing), or what the store says.
    pub async fn unregister_all(&self, cancel: bool) -> Result<()> {
        let all = self.all_tasks().await?;
        self.app.unregister_these(all, cancel).await
    }

    /// From now on, members that run in this process run `handler` instead of their own function.
    /// Its value is the run's result and its error the run's failure; limits, cancellation and
    /// progress are those of the member. The last handler of a group counts. As on Windows it is
    /// not kept: each start of the app sets it again, and what starts before that runs its own
    /// function. [`AppBuilder::on_group_activated`](crate::AppBuilder::on_group_activated) is
    /// early enough for all.
    ///
    /// Windows: [`BackgroundActivated`](https://learn.microsoft.com/uwp/api/windows.applicationmodel.background.backgroundtaskregistrationgroup.backgroundactivated),
    /// which replaces `OnBackgroundActivated` for in-process members.
    pub fn on_activated<H, Fut, T, E>(&self, handler: H)
    where
        H: Fn(TaskContext) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = Result<T, E>> + Send + 'static,
        T: serde::Serialize + 'static,
        E: fmt::Display + 'static,
    {
        self.app.inner.groups.set(&self.id, of(handler));
    }
}

/// A handler as the host calls it.
pub(super) fn of<H, Fut, T, E>(handler: H) -> GroupHandler
where
    H: Fn(TaskContext) -> Fut + Send + Sync + 'static,
    Fut: Future<Output = Result<T, E>> + Send + 'static,
    T: serde::Serialize + 'static,
    E: fmt::Display + 'static,
{
    Arc::new(move |context| {
        let activated = handler(context);
        Box::pin(async move {
            let value = activated.await.map_err(|error| error.to_string())?;
            serde_json::to_value(value)
                .map_err(|error| format!("its result cannot be written as JSON: {error}"))
        }) as Pin<Box<dyn Future<Output = Result<serde_json::Value, String>> + Send>>
    })
}
