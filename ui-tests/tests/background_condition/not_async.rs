use bgtask::prelude::*;

#[background_condition]
fn vpn_up(_report: ConditionReporter) {}

fn main() {}
