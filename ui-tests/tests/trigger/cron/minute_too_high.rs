use bgtask::prelude::*;

#[background_task(trigger = cron("60 3 * * *"))]
async fn sync() {}

fn main() {}
