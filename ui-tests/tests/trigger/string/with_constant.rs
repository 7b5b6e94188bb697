use bgtask::prelude::*;

const MINUTES: u32 = 15;

#[background_task(trigger = "time(MINUTES)")]
async fn sync() {}

fn main() {}
