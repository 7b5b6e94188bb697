use bgtask::prelude::*;

#[background_task(trigger = cron("0 3 32 * *"))]
async fn sync() {}

fn main() {}
