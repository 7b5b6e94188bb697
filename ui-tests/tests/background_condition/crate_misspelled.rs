use bgtask::prelude::*;

#[background_condition(crat = ::bgtask)]
async fn vpn_up(_report: ConditionReporter) {}

fn main() {}
