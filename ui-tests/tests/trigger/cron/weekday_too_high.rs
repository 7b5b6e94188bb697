use bgtask::prelude::*;

#[background_task(trigger = cron("0 3 * * 8"))]
async fn sync() {}

fn main() {}
