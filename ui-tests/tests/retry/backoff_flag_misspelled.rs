use bgtask::prelude::*;

#[background_task(trigger = startup, retry(max = 5, backoff = exponential("1s", jiter)))]
async fn sync() {}

fn main() {}
