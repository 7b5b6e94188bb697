use bgtask::prelude::*;

#[background_task(trigger = "cron(\"0 3 * * *\", tz = \"Europe/Berlni\")")]
async fn sync() {}

fn main() {}
