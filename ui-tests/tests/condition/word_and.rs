use bgtask::prelude::*;

#[background_task(trigger = startup, condition = internet and ac_power)]
async fn sync() {}

fn main() {}
