//! What the user pressed of a notification of the desktop.

use serde::{Deserialize, Serialize};

/// A toast that is shown, or was; from [`App::show_toast`](crate::App::show_toast). Of each process of
/// the app and each service that shows toasts another one may have the same.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
#[serde(transparent)]
pub struct ToastId(pub(crate) u32);

/// What the user pressed: what a task with `toast_action` is given.
///
/// ```
/// use bgtask::{ToastAction, prelude::*};
///
/// #[background_task(trigger = toast_action)]
/// async fn answer(pressed: ToastAction) -> String {
///     match pressed.argument.split_once(':') {
///         Some(("archive", mail)) => format!("archives {mail}"),
///         _ => format!("shows {}", pressed.argument),
///     }
/// }
/// ```
///
/// Windows: [`ToastNotificationActionTriggerDetail`](https://learn.microsoft.com/uwp/api/windows.ui.notifications.toastnotificationactiontriggerdetail);
/// its `UserInput` has no counterpart, because a notification here has buttons and no fields.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct ToastAction {
    /// The argument of the button, or of the toast itself.
    #[serde(default)]
    pub argument: String,
    /// The toast that it is of.
    #[serde(default)]
    pub toast: ToastId,
    /// With it a window of the app may come to the front, where the desktop gives one: for
    /// `XDG_ACTIVATION_TOKEN` (<https://wayland.app/protocols/xdg-activation-v1>).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub activation_token: Option<String>,
}
