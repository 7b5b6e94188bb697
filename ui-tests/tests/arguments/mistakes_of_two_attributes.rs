use bgtask::prelude::*;

#[background_task(name = "often", trigger = time(5))]
#[background_task(name = "rarely", trigger = cron("0 3 31 2 *"), timeot = "1m")]
async fn sync(_task: &TaskContext) {}

fn main() {}
