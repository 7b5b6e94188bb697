use bgtask::prelude::*;

#[background_task(trigger = cron("0 3 * * *", once))]
async fn sync() {}

fn main() {}
