use bgtask::prelude::*;

#[background_condition(crate = facade::bgtask)]
async fn vpn_up(_report: ConditionReporter) {}

fn main() {}
