use bgtask::prelude::*;

#[background_condition]
async fn vpn_up<T>(_report: ConditionReporter) {}

fn main() {}
