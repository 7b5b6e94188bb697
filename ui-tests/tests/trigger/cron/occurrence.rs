use bgtask::prelude::*;

#[background_task(trigger = cron("0 3 * * Mon#6"))]
async fn sync() {}

fn main() {}
