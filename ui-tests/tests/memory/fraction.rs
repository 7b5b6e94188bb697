use bgtask::prelude::*;

#[background_task(trigger = startup, host = process, memory = "1.5GiB")]
async fn sync() {}

fn main() {}
