use bgtask::prelude::*;

const LIMIT: u32 = 100;

#[background_task(trigger = startup, condition = battery_above(LIMIT))]
async fn sync() {}

fn main() {}
