use bgtask::prelude::*;

#[background_task(trigger = cron("0 3 * * Mno"))]
async fn sync() {}

fn main() {}
