use bgtask::prelude::*;

const MINUTES: u32 = 14;

#[background_task(trigger = maintenance(MINUTES))]
async fn sync() {}

fn main() {}
