//! What work costs now.

use crate::{App, WorkCost};

impl App {
    /// What work in the background costs now: a hint for code that can choose how much it does.
    /// `None` while it is not known, as on other systems than Linux. The first call waits until the
    /// power was read, 2 s at most for a service that does not answer; from then on it is watched.
    ///
    /// Windows: [`BackgroundWorkCost.CurrentBackgroundWorkCost`](https://learn.microsoft.com/uwp/api/windows.applicationmodel.background.backgroundworkcost.currentbackgroundworkcost).
    ///
    /// ```no_run
    /// # let _ = async |app: bgtask::App| {
    /// if app.work_cost().await != Some(bgtask::WorkCost::High) {
    ///     // … prefetch
    /// }
    /// # };
    /// ```
    pub async fn work_cost(&self) -> Option<WorkCost> {
        self.inner.power.current().await.work_cost()
    }
}
