use bgtask::prelude::*;

#[background_task(trigger = cron("0 3 1 0 *"))]
async fn sync() {}

fn main() {}
