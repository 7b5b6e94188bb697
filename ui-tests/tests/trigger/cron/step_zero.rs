use bgtask::prelude::*;

#[background_task(trigger = cron("*/0 * * * *"))]
async fn sync() {}

fn main() {}
