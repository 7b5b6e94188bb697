use bgtask::prelude::*;

const ATTEMPTS: u32 = 0;

#[background_task(trigger = startup, retry(max = ATTEMPTS))]
async fn sync() {}

fn main() {}
