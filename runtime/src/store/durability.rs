//! What an acknowledgement promises.

/// When what is acknowledged is safe, for [`AppBuilder::durability`](crate::AppBuilder::durability).
///
/// An acknowledgement is the answer to a request, to a fire and to a push, and the recorded end of a run.
/// Windows says nothing of it
/// ([background tasks](https://learn.microsoft.com/windows/uwp/launch-resume/support-your-app-with-background-tasks)).
///
/// ```
/// use bgtask::{AppBuilder, Durability};
///
/// fn setup(app: AppBuilder) -> AppBuilder {
///     app.durability(Durability::Eventual)
/// }
/// # let _ = setup(AppBuilder::new("example"));
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Durability {
    /// It is on the disk before it is acknowledged, and survives a loss of power. The default.
    #[default]
    Immediate,
    /// It survives the end of the app, also by a kill. When the system ends, by a loss of power say, what
    /// was acknowledged in the last moments may be as it was before: an activation that was not accepted,
    /// or a run that has not begun or not ended and so runs once more, also of a task with
    /// `delivery = at_most_once`. What there is fits together in any case. For work that comes in great
    /// numbers and can be asked for again; not beside an outbox, whose rows are gone by then.
    Eventual,
}

impl Durability {
    pub(super) fn promise(self) -> &'static str {
        match self {
            Self::Immediate => "an acknowledged write survives a crash and a loss of power",
            Self::Eventual => {
                "an acknowledged write survives a crash, and a loss of power soon after"
            }
        }
    }

    /// As SQLite says it: <https://sqlite.org/pragma.html#pragma_synchronous>
    pub(super) fn synchronous(self) -> &'static str {
        match self {
            Self::Immediate => "FULL",
            Self::Eventual => "NORMAL",
        }
    }
}
