//! What work costs now, and how much of the energy budget is used.

use crate::{App, EnergyLevel, Result, WorkCost, broker::Command, energy::Ledger};

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

    /// How much of [its budget](crate::AppBuilder::energy_budget) the app has used in the last hour
    /// on battery. [`EnergyLevel::Unknown`] without a budget.
    ///
    /// Windows: [`BackgroundWorkCost.AppEnergyUseLevel`](https://learn.microsoft.com/uwp/api/windows.applicationmodel.background.backgroundworkcost.appenergyuselevel).
    ///
    /// # Errors
    /// [`Code::Closing`](crate::Code::Closing).
    ///
    /// ```no_run
    /// # let _ = async |app: bgtask::App| {
    /// use bgtask::EnergyLevel;
    ///
    /// if app.energy_level().await? >= EnergyLevel::OverHalf {
    ///     println!("half of the budget is spent: {}", app.energy_prediction().await?);
    ///     println!("{:?} % by the sync", app.energy_contribution("sync").await?);
    /// }
    /// # Ok::<(), bgtask::Error>(())
    /// # };
    /// ```
    pub async fn energy_level(&self) -> Result<EnergyLevel> {
        Ok(self.ledger().await?.level())
    }

    /// How much of its budget an hour uses, if the app goes on as in this hour and the one before.
    ///
    /// Windows: [`BackgroundWorkCost.AppEnergyUsePrediction`](https://learn.microsoft.com/uwp/api/windows.applicationmodel.background.backgroundworkcost.appenergyuseprediction).
    ///
    /// # Errors
    /// [`Code::Closing`](crate::Code::Closing).
    pub async fn energy_prediction(&self) -> Result<EnergyLevel> {
        Ok(self.ledger().await?.prediction())
    }

    /// A task's part of the predicted use, 0 to 100 percent. `None` without a budget.
    ///
    /// Windows: [`BackgroundTaskRegistration.AppEnergyUsePredictionContribution`](https://learn.microsoft.com/uwp/api/windows.applicationmodel.background.backgroundtaskregistration.appenergyusepredictioncontribution).
    ///
    /// # Errors
    /// [`Code::Closing`](crate::Code::Closing).
    pub async fn energy_contribution(&self, task: &str) -> Result<Option<f64>> {
        Ok(self.ledger().await?.contribution(task))
    }

    async fn ledger(&self) -> Result<Ledger> {
        self.ask(|reply| Command::Energy { reply }).await
    }
}
