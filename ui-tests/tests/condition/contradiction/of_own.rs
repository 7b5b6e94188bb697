use bgtask::prelude::*;

#[background_condition]
async fn vpn_up(report: ConditionReporter) {
    report.set(true);
}

#[background_task(trigger = startup, condition = self::vpn_up && !self::vpn_up)]
async fn sync() {}

fn main() {}
