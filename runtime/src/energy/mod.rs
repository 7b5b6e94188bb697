//! What work in the background costs now, and how much of its budget an app has used.
//!
//! Pure: it is told the facts, what was used and the time.
//!
//! Windows: [`BackgroundWorkCost`](https://learn.microsoft.com/uwp/api/windows.applicationmodel.background.backgroundworkcost).

mod cost;
mod ledger;
mod power;

pub use cost::WorkCost;
pub use ledger::EnergyLevel;
pub(crate) use ledger::{Ledger, Use};
pub(crate) use power::Power;
