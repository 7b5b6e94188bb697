use bgtask::prelude::*;

const MINUTES: u64 = 60;

#[background_task(trigger = time(MINUTES))]
async fn sync() {}

fn main() {}
