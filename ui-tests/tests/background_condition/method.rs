use bgtask::prelude::*;

struct Vpn;

impl Vpn {
    #[background_condition]
    async fn up(&self, _report: ConditionReporter) {}
}

fn main() {}
