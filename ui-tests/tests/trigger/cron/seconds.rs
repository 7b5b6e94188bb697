use bgtask::prelude::*;

#[background_task(trigger = cron("0 0 3 * * Mon"))]
async fn sync() {}

fn main() {}
