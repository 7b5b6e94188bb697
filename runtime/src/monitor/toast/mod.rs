//! Notifications of the desktop, and what the user presses of them.
//! <https://specifications.freedesktop.org/notification-spec/latest/>

#[cfg(target_os = "linux")]
mod service;
#[cfg(all(test, target_os = "linux"))]
mod tests;

use std::sync::Arc;

use tokio::sync::{mpsc, oneshot, watch};

use super::Changes;
use crate::{ToastId, clock::Clock};

/// A notification of the desktop to be shown, with buttons; see
/// [`App::show_toast`](crate::App::show_toast).
///
/// What is pressed of it fires the tasks with `toast_action`, which are given its argument as a
/// [`ToastAction`](crate::ToastAction).
///
/// ```
/// let toast = bgtask::Toast::new("A mail from Ada")
///     .body("The engine is done.")
///     .argument("open:7")
///     .button("archive:7", "Archive");
/// # let _ = toast;
/// ```
///
/// Windows: [`ToastNotification`](https://learn.microsoft.com/uwp/api/windows.ui.notifications.toastnotification)
/// with actions of `activationType="background"`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[must_use = "`App::show_toast` shows it"]
#[cfg_attr(not(target_os = "linux"), allow(dead_code, reason = "no source yet"))]
pub struct Toast {
    pub(super) title: String,
    pub(super) body: String,
    /// Of the toast itself.
    pub(super) argument: Option<String>,
    /// The argument of each, and what is written on it.
    pub(super) buttons: Vec<(String, String)>,
}

impl Toast {
    /// One with this title, which nobody can press yet.
    pub fn new(title: impl Into<String>) -> Self {
        Self {
            title: title.into(),
            ..Self::default()
        }
    }

    /// With a text, in which nothing is markup.
    pub fn body(mut self, text: impl Into<String>) -> Self {
        self.body = text.into();
        self
    }

    /// The user may press the toast itself; what the task is told then.
    pub fn argument(mut self, argument: impl Into<String>) -> Self {
        self.argument = Some(argument.into());
        self
    }

    /// With one more button: what the task is told, and what is written on it.
    pub fn button(mut self, argument: impl Into<String>, label: impl Into<String>) -> Self {
        self.buttons.push((argument.into(), label.into()));
        self
    }
}

/// Whether toasts with buttons are shown here.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[cfg_attr(not(target_os = "linux"), allow(dead_code, reason = "no source yet"))]
pub(crate) enum Shows {
    /// They are, or nobody asked yet.
    #[default]
    Yes,
    /// There is no session bus.
    NoBus,
    /// Nobody shows notifications, and nobody could be started that does.
    NoService,
    /// Who shows notifications shows no buttons.
    NoButtons,
}

/// Shows toasts and tells what is pressed. Cheap to clone; without any left all is forgotten.
#[derive(Clone, Debug)]
pub(crate) struct Toasts {
    orders: mpsc::UnboundedSender<Order>,
    found: watch::Receiver<Shows>,
}

#[derive(Debug)]
#[cfg_attr(not(target_os = "linux"), allow(dead_code, reason = "no source yet"))]
enum Order {
    /// Whether toasts are shown here.
    Learn(oneshot::Sender<()>),
    Show(Toast, oneshot::Sender<Result<ToastId, String>>),
    Hide(ToastId, oneshot::Sender<()>),
}

/// Where toasts are shown.
#[cfg_attr(not(target_os = "linux"), allow(dead_code, reason = "no source yet"))]
pub(crate) struct Place {
    /// The app, as the user is shown it.
    pub(crate) app: String,
    /// The D-Bus address of the session's bus, if it is not the usual one.
    pub(crate) session_bus: Option<String>,
}

impl Toasts {
    /// Connects to nobody before the first toast, or the first task that waits for one.
    #[cfg(target_os = "linux")]
    pub(crate) fn start(place: Place, clock: Arc<dyn Clock>, changes: Changes) -> Self {
        let (orders, received) = mpsc::unbounded_channel();
        let (tell, found) = watch::channel(Shows::default());
        let service = service::Service::new(place, clock, changes, tell);
        tokio::spawn(service.serve(received));
        Self { orders, found }
    }

    /// There is nobody to ask yet.
    #[cfg(not(target_os = "linux"))]
    pub(crate) fn start(_: Place, _: Arc<dyn Clock>, _: Changes) -> Self {
        Self::of_nobody()
    }

    /// Of a machine without a session bus.
    #[cfg(any(test, not(target_os = "linux")))]
    pub(crate) fn of_nobody() -> Self {
        let orders = mpsc::unbounded_channel().0;
        let found = watch::channel(Shows::NoBus).1;
        Self { orders, found }
    }

    /// Whether toasts with buttons are shown here, as far as anybody asked.
    pub(crate) fn known(&self) -> Shows {
        *self.found.borrow()
    }

    /// Asks whether they are; for some seconds at most.
    pub(crate) async fn learn(&self) -> Shows {
        let (reply, answer) = oneshot::channel();
        // Nobody serves it, and nobody will.
        let _ = self.orders.send(Order::Learn(reply));
        let _ = answer.await;
        self.known()
    }

    /// Shows a toast.
    ///
    /// # Errors
    ///
    /// Why it is not shown.
    pub(crate) async fn show(&self, toast: Toast) -> Result<ToastId, String> {
        let (reply, answer) = oneshot::channel();
        let _ = self.orders.send(Order::Show(toast, reply));
        let nobody = |_| Err("there is no session bus".to_owned());
        answer.await.unwrap_or_else(nobody)
    }

    /// Takes a toast away.
    pub(crate) async fn hide(&self, toast: ToastId) {
        let (reply, answer) = oneshot::channel();
        let _ = self.orders.send(Order::Hide(toast, reply));
        let _ = answer.await;
    }
}
