use bgtask::prelude::*;

#[background_condition]
async fn vpn_up(_report: &ConditionReporter) {}

fn main() {}
