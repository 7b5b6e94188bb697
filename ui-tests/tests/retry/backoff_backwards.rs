use bgtask::prelude::*;

#[background_task(trigger = startup, retry(max = 5, backoff = exponential("2m", max = "1m")))]
async fn sync() {}

fn main() {}
