use bgtask::prelude::*;

#[background_condition]
fn vpn_up(_report: ConditionReporter) {}

#[background_task(trigger = startup, condition = self::vpn_up)]
async fn sync() {}

fn main() {}
