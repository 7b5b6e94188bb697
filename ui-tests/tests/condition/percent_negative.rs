use bgtask::prelude::*;

#[background_task(trigger = startup, condition = battery_above(-1))]
async fn sync() {}

fn main() {}
