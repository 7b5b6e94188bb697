use bgtask::prelude::*;

#[background_task(trigger = startup, host = process, sandbox(write = ["var/lib"]))]
async fn sync() {}

fn main() {}
