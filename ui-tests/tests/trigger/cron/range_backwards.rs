use bgtask::prelude::*;

#[background_task(trigger = cron("0 3 * * Fri-Mon"))]
async fn sync() {}

fn main() {}
