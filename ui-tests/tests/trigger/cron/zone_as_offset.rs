use bgtask::prelude::*;

#[background_task(trigger = cron("0 3 * * *", tz = "+02:00"))]
async fn sync() {}

fn main() {}
