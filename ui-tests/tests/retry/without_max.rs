use bgtask::prelude::*;

#[background_task(trigger = startup, retry(backoff = fixed("1s")))]
async fn sync() {}

fn main() {}
