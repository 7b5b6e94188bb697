use bgtask::prelude::*;

#[background_task(trigger = startup, retry(max = 5, backoff = exponential("1s", mx = "10m")))]
async fn sync() {}

fn main() {}
