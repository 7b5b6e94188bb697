use bgtask::prelude::*;

#[background_task(trigger = startup, host = process, memory = "1023KiB")]
async fn sync() {}

fn main() {}
