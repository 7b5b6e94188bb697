use bgtask::prelude::*;

#[background_task(trigger = startup, standby = "yes")]
async fn sync() {}

fn main() {}
