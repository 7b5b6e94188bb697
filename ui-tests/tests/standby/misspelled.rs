use bgtask::prelude::*;

#[background_task(trigger = startup, standby = ture)]
async fn sync() {}

fn main() {}
