use bgtask::prelude::*;

#[background_task(trigger = startup, condition = "battery_above(150)")]
async fn sync() {}

fn main() {}
