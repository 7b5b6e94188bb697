//! Whether the user lets the app work in the background.

use crate::{AccessKind, AccessStatus, App, Result};

impl App {
    /// Whether tasks run: [`AccessStatus::is_allowed`]. Reads nothing and asks nobody.
    ///
    /// It changes when access is requested or given back, and when the user or the administrator
    /// changes [the policy](crate::access). While it is denied, triggers do not count: each fire is
    /// recorded as [`Suppression::Denied`](crate::Suppression::Denied), and registrations stay.
    ///
    /// Windows: [`BackgroundExecutionManager.GetAccessStatus`](https://learn.microsoft.com/uwp/api/windows.applicationmodel.background.backgroundexecutionmanager.getaccessstatus).
    ///
    /// ```no_run
    /// # let _ = async |app: bgtask::App| {
    /// if !app.access_status().is_allowed() {
    ///     println!("mail is fetched while this window is open");
    /// }
    /// # };
    /// ```
    #[must_use]
    pub fn access_status(&self) -> AccessStatus {
        self.inner.access.status()
    }

    /// Requests access, saying why in words for the user. The policy files decide; where they leave
    /// it open, the [`Prompter`](crate::access::Prompter) asks the user. What the user said is kept
    /// with the app, and they are not asked the same again.
    ///
    /// By default an app is allowed unless a file says otherwise, and needs to request only more.
    /// Under [`Profile::Windows`](crate::Profile::Windows) it has to before anything is registered,
    /// and again after each update.
    ///
    /// Windows: [`BackgroundExecutionManager.RequestAccessAsync`](https://learn.microsoft.com/uwp/api/windows.applicationmodel.background.backgroundexecutionmanager.requestaccessasync).
    ///
    /// # Errors
    /// [`Code::AccessPolicy`](crate::Code::AccessPolicy) when a policy file is not understood, or
    /// what the store says; nothing is granted then.
    ///
    /// ```no_run
    /// # let _ = async |app: bgtask::App| {
    /// use bgtask::AccessKind;
    ///
    /// let status = app
    ///     .request_access(AccessKind::AlwaysAllowed, "alarms ring while energy is saved")
    ///     .await?;
    /// println!("{status}");
    /// # Ok::<(), bgtask::Error>(())
    /// # };
    /// ```
    pub async fn request_access(&self, kind: AccessKind, reason: &str) -> Result<AccessStatus> {
        self.inner.access.request(kind, reason).await
    }

    /// As [`request_access`](Self::request_access), and says whether what was asked for is granted.
    ///
    /// Windows: [`BackgroundExecutionManager.RequestAccessKindAsync`](https://learn.microsoft.com/uwp/api/windows.applicationmodel.background.backgroundexecutionmanager.requestaccesskindasync).
    ///
    /// # Errors
    /// As [`request_access`](Self::request_access).
    pub async fn request_access_kind(&self, kind: AccessKind, reason: &str) -> Result<bool> {
        let status = self.request_access(kind, reason).await?;
        Ok(status.grants(kind))
    }

    /// Gives access back: tasks do not run until it is requested again. Registrations stay.
    ///
    /// Windows: [`BackgroundExecutionManager.RemoveAccess`](https://learn.microsoft.com/uwp/api/windows.applicationmodel.background.backgroundexecutionmanager.removeaccess).
    ///
    /// # Errors
    /// What the store says; access stays then.
    pub async fn remove_access(&self) -> Result<()> {
        self.inner.access.remove().await
    }
}
