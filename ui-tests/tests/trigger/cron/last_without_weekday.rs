use bgtask::prelude::*;

#[background_task(trigger = cron("0 3 * * L"))]
async fn sync() {}

fn main() {}
