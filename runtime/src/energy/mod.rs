//! What work in the background costs now, and how much of its budget an app has used.
//!
//! Pure: it is told the facts, what was used and the time.
//!
//! Windows: [`BackgroundWorkCost`](https://learn.microsoft.com/uwp/api/windows.applicationmodel.background.backgroundworkcost).

mod cost;
#[cfg_attr(
    not(test),
    expect(
        dead_code,
        reason = "the broker asks once the store keeps what runs use"
    )
)]
mod ledger;
mod power;

pub use cost::WorkCost;
pub use ledger::EnergyLevel;
#[expect(unused_imports, reason = "as above")]
pub(crate) use ledger::{Ledger, Use};
pub(crate) use power::Power;
