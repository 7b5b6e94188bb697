use bgtask::prelude::*;

#[background_task(trigger = startup, retry(max = 5, backoff = exponentail("1s")))]
async fn sync() {}

fn main() {}
