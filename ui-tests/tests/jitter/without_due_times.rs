use bgtask::prelude::*;

#[background_task(trigger = startup, jitter = "1s")]
async fn sync() {}

fn main() {}
