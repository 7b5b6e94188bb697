//! Conditions of the user's own.
use bgtask::prelude::*;

mod net {
    use bgtask::prelude::*;

    #[background_condition]
    pub(super) async fn vpn_up(report: ConditionReporter) -> Result<(), std::io::Error> {
        report.set(true);
        Ok(())
    }
}

#[background_condition]
async fn unlocked(report: ConditionReporter) {
    report.set(true);
}

#[background_task(trigger = startup, condition = internet && (self::unlocked || !net::vpn_up))]
async fn gated() {}

#[background_task(trigger = startup, condition = "self::unlocked", condition = ac_power)]
async fn gated_by_a_string() {}
