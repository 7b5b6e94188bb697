use bgtask::prelude::*;

#[background_task(trigger = cron("0 3 * * *", tx = "UTC"))]
async fn sync() {}

fn main() {}
