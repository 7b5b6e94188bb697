use bgtask::prelude::*;

#[background_condition(name = "vpn")]
async fn vpn_up(_report: ConditionReporter) {}

fn main() {}
