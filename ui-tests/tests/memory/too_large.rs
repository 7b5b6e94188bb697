use bgtask::prelude::*;

#[background_task(trigger = startup, host = process, memory = "8589934592GiB")]
async fn sync() {}

fn main() {}
