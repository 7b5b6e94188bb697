//! Numbers that only the compiler knows.
use bgtask::background_task;

const MINUTES: u32 = 20;

mod limits {
    pub(super) const ATTEMPTS: u32 = 2 + 3;
    pub(super) const PERCENT: u32 = 40;
}

#[background_task(
    trigger = time(MINUTES, once),
    condition = battery_above(limits::PERCENT),
    retry(max = limits::ATTEMPTS),
)]
async fn by_constants() {}
