use bgtask::prelude::*;

#[background_task(trigger = cron("@daily"))]
async fn sync() {}

fn main() {}
