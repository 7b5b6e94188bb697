use bgtask::prelude::*;

#[background_task(trigger = cron("0 3 * * *", tz = "Berlin"))]
async fn sync() {}

fn main() {}
