//! Registrations made while the app runs.

use bgtask_model::{FieldValue, Trigger};

use super::{App, Registration};
use crate::{
    Error, NamedTask, OnDuplicate, Result,
    broker::{Command, Draft, RegistrationChange},
};

/// Makes a registration while the app runs; from [`App::registration`].
///
/// It has a body, the function of a declared task, and a trigger, condition and options of its own,
/// which are written as in the attribute and read by the same grammar. What belongs to the process
/// (`host`, `memory`, `cpu`, `nice`, `sandbox`, `env`, `multiple_instances`) is what the function's
/// attribute says; everything else is only what the builder is told, or the attribute's default.
///
/// It stays until it is [unregistered](Registration::unregister): launches do not touch it. When
/// its function is no longer linked it is in quarantine ([`Standing::Quarantined`]) and does not
/// fire, until the function is back.
///
/// ```no_run
/// use bgtask::prelude::*;
///
/// /// Sends what the user wrote; when, the user says.
/// #[background_task(trigger = application, register = false)]
/// async fn send_report() {}
///
/// #[bgtask::main]
/// async fn main(app: App) -> bgtask::Result<()> {
///     let weekly = app
///         .registration("weekly report")
///         .entry::<send_report>()
///         .trigger(r#"cron("0 8 * * Mon")"#)
///         .condition("internet")
///         .set("timeout", "2m")
///         .register()
///         .await?;
///     println!("{} is due at {:?}", weekly.name(), weekly.next_due());
///     Ok(())
/// }
/// ```
///
/// Windows: [`BackgroundTaskBuilder`](https://learn.microsoft.com/uwp/api/windows.applicationmodel.background.backgroundtaskbuilder),
/// which makes a second registration beside one of the same name.
///
/// [`Standing::Quarantined`]: crate::Standing::Quarantined
#[derive(Clone, Debug)]
#[must_use = "nothing is registered before `register` is called"]
pub struct RegistrationBuilder {
    app: App,
    draft: Draft,
}

impl RegistrationBuilder {
    pub(super) fn new(app: App, name: String) -> Self {
        Self {
            app,
            draft: Draft {
                name,
                entry: None,
                stated: Vec::new(),
                on_duplicate: OnDuplicate::default(),
            },
        }
    }

    /// The function that runs, checked by the compiler.
    ///
    /// Windows: [`TaskEntryPoint`](https://learn.microsoft.com/uwp/api/windows.applicationmodel.background.backgroundtaskbuilder.taskentrypoint),
    /// a text that is looked up when the task is about to run.
    pub fn entry<F: NamedTask>(self) -> Self {
        self.entry_named(F::NAME)
    }

    /// The function that runs, by its task's name, `app::sync_mail`; for one with several
    /// attributes. It must be linked into this program.
    pub fn entry_named(mut self, task: impl Into<String>) -> Self {
        self.draft.entry = Some(task.into());
        self
    }

    /// What starts it, as in the attribute: `time(15)`.
    ///
    /// Windows: [`SetTrigger`](https://learn.microsoft.com/uwp/api/windows.applicationmodel.background.backgroundtaskbuilder.settrigger).
    pub fn trigger(self, trigger: impl Into<String>) -> Self {
        self.set("trigger", trigger.into())
    }

    /// What must hold before it starts, as in the attribute: `internet && ac_power`. Several have
    /// to hold all.
    ///
    /// Windows: [`AddCondition`](https://learn.microsoft.com/uwp/api/windows.applicationmodel.background.backgroundtaskbuilder.addcondition).
    pub fn condition(self, condition: impl Into<String>) -> Self {
        self.set("condition", condition.into())
    }

    /// The registration group that it belongs to; see [`App::group`].
    ///
    /// Windows: [`TaskGroup`](https://learn.microsoft.com/uwp/api/windows.applicationmodel.background.backgroundtaskbuilder.taskgroup).
    pub fn group(self, id: impl Into<String>) -> Self {
        self.set("registration_group", id.into())
    }

    /// Whether a run ends when its condition no longer holds. Default: no.
    ///
    /// Windows: [`CancelOnConditionLoss`](https://learn.microsoft.com/uwp/api/windows.applicationmodel.background.backgroundtaskbuilder.cancelonconditionloss).
    pub fn cancel_on_condition_loss(self, cancel: bool) -> Self {
        self.set("cancel_on_condition_loss", cancel)
    }

    /// Any argument of the [attribute](macro@crate::background_task), with what stands right of
    /// its `=`, a text without its quotes, a list without its parentheses: `set("timeout", "10m")`,
    /// `set("overlap", "queue(8)")`, `set("priority", 5)`, `set("retry", "max = 5")`. A list may
    /// also be written as the attribute has it, `set("retry", "retry(max = 5)")`.
    pub fn set(mut self, argument: impl Into<String>, value: impl Into<FieldValue>) -> Self {
        self.draft.stated.push((argument.into(), value.into()));
        self
    }

    /// What happens when there is a registration of this name. Default: it is replaced.
    pub fn on_duplicate(mut self, on_duplicate: OnDuplicate) -> Self {
        self.draft.on_duplicate = on_duplicate;
        self
    }

    /// Tells all that is wrong with it, and registers nothing.
    ///
    /// Windows: [`Validate`](https://learn.microsoft.com/uwp/api/windows.applicationmodel.background.backgroundtaskbuilder),
    /// which answers yes or no.
    ///
    /// # Errors
    /// Every mistake: those of the grammar ([`Code::InvalidDeclaration`](crate::Code)), an entry
    /// point that is not linked ([`UnknownTask`](crate::Code::UnknownTask)), what cannot be
    /// honoured here ([`Unsupported`](crate::Code::Unsupported)), a name that a declared task has
    /// ([`DuplicateName`](crate::Code::DuplicateName)), access that was not requested before, under
    /// [`Profile::windows`](crate::Profile::windows)
    /// ([`AccessNotRequested`](crate::Code::AccessNotRequested)), and a trigger that the app has used up
    /// ([`TriggerLimitExceeded`](crate::Code::TriggerLimitExceeded)).
    pub async fn validate(&self) -> Result<(), Vec<Error>> {
        self.learn().await;
        let draft = Box::new(self.draft.clone());
        let asked = self.app.ask(|reply| Command::Validate { draft, reply });
        match asked.await {
            Ok(errors) if errors.is_empty() => Ok(()),
            Ok(errors) => Err(errors),
            Err(closing) => Err(vec![closing]),
        }
    }

    /// Registers it, in one transaction: a registration of the same name is replaced, and what
    /// waits for it goes on under the new one; what the user chose for it (paused, disabled) holds
    /// on. One that says the same as the old one also keeps its due time, so that an app may register
    /// at each launch. It survives the process.
    ///
    /// Windows: [`Register`](https://learn.microsoft.com/uwp/api/windows.applicationmodel.background.backgroundtaskbuilder.register).
    ///
    /// # Errors
    /// Those of [`validate`](Self::validate), as one; [`Code::Ambiguous`](crate::Code::Ambiguous)
    /// when several have the name of the one to be replaced;
    /// [`Code::DuplicateName`](crate::Code::DuplicateName) when there is one of this name and
    /// [`OnDuplicate::Error`] was asked for;
    /// [`Code::Closing`](crate::Code::Closing), or what the store says.
    pub async fn register(self) -> Result<Registration> {
        self.learn().await;
        let draft = Box::new(self.draft);
        let made = self
            .app
            .ask(|reply| Command::Change(RegistrationChange::Register { draft, reply }));
        match made.await? {
            Ok(record) => {
                self.app.look();
                Ok(Registration::new(self.app, record))
            }
            Err(errors) => Err(Error::all(errors)),
        }
    }

    /// Asks whether toasts are shown here, where that decides.
    async fn learn(&self) {
        let waits = |(word, value): &(String, FieldValue)| {
            let trigger = Trigger::ToastAction.word();
            word == "trigger" && matches!(value, FieldValue::Text(text) if text.trim() == trigger)
        };
        if self.draft.stated.iter().any(waits) {
            self.app.inner.toasts.learn().await;
        }
    }
}
