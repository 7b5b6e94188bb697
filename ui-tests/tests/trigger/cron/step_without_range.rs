use bgtask::prelude::*;

#[background_task(trigger = cron("5/10 * * * *"))]
async fn sync() {}

fn main() {}
