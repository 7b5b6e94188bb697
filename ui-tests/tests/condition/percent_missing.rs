use bgtask::prelude::*;

#[background_task(trigger = startup, condition = battery_above)]
async fn sync() {}

fn main() {}
