//! Notifications of the desktop.

use super::App;
use crate::{Code, Error, Result, Toast, ToastId};

impl App {
    /// Shows a notification of the desktop. What the user presses of it, while this process runs,
    /// fires the tasks with `toast_action`; so do the buttons of those that the app shows after a
    /// restart, and not those that an ended process of the app left, which nobody tells of.
    ///
    /// Waits for the desktop for 5 s at most.
    ///
    /// ```no_run
    /// use bgtask::{Toast, ToastAction, prelude::*};
    ///
    /// #[background_task(trigger = toast_action)]
    /// async fn answer(pressed: ToastAction) {
    ///     println!("{}", pressed.argument); // "open:7" or "archive:7"
    /// }
    ///
    /// #[bgtask::main]
    /// async fn main(app: App) -> bgtask::Result<()> {
    ///     let toast = Toast::new("A mail from Ada")
    ///         .body("The engine is done.")
    ///         .argument("open:7")
    ///         .button("archive:7", "Archive");
    ///     let shown = app.show_toast(toast).await?;
    ///     app.run_until_shutdown().await?;
    ///     app.hide_toast(shown).await;
    ///     Ok(())
    /// }
    /// ```
    ///
    /// Windows: [`ToastNotifier.Show`](https://learn.microsoft.com/uwp/api/windows.ui.notifications.toastnotifier.show).
    ///
    /// # Errors
    ///
    /// [`Code::Unsupported`]: nobody shows it; there is no session bus, or no
    /// `org.freedesktop.Notifications` on it.
    pub async fn show_toast(&self, toast: Toast) -> Result<ToastId> {
        let shown = self.inner.toasts.show(toast).await;
        shown.map_err(|why| {
            Error::new(Code::Unsupported, format!("the toast is not shown: {why}"))
                .remedy("run in a user's session with a desktop that shows notifications")
        })
    }

    /// Takes a toast away, if it is still shown. Nothing of it can be pressed any more.
    ///
    /// Windows: [`ToastNotifier.Hide`](https://learn.microsoft.com/uwp/api/windows.ui.notifications.toastnotifier.hide).
    pub async fn hide_toast(&self, toast: ToastId) {
        self.inner.toasts.hide(toast).await;
    }
}
