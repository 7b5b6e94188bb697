use bgtask::prelude::*;

#[background_task(trigger = cron("0 3 31 2 *"))]
async fn sync() {}

fn main() {}
