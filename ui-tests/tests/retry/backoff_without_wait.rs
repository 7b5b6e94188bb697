use bgtask::prelude::*;

#[background_task(trigger = startup, retry(max = 5, backoff = fixed))]
async fn sync() {}

fn main() {}
