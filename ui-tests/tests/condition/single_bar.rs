use bgtask::prelude::*;

#[background_task(trigger = startup, condition = internet | ac_power)]
async fn sync() {}

fn main() {}
