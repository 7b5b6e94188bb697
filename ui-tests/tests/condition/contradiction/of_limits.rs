use bgtask::prelude::*;

#[background_task(trigger = startup, condition = battery_above(50) && !battery_above(30))]
async fn sync() {}

fn main() {}
