use bgtask::prelude::*;

#[background_task(trigger = startup, retry(max = 10_001))]
async fn sync() {}

fn main() {}
