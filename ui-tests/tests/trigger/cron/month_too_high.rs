use bgtask::prelude::*;

#[background_task(trigger = cron("0 3 1 13 *"))]
async fn sync() {}

fn main() {}
