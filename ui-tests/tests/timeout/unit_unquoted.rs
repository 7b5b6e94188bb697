use bgtask::prelude::*;

#[background_task(trigger = startup, timeout = 10m)]
async fn sync() {}

fn main() {}
