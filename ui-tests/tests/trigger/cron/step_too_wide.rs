use bgtask::prelude::*;

#[background_task(trigger = cron("*/90 * * * *"))]
async fn sync() {}

fn main() {}
