use bgtask::prelude::*;

const MINUTES: u32 = 43_201;

#[background_task(trigger = time(MINUTES))]
async fn sync() {}

fn main() {}
