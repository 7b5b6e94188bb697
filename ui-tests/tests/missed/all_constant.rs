use bgtask::prelude::*;

const RUNS: u32 = 0;

#[background_task(trigger = time(15), missed = all(RUNS))]
async fn sync() {}

fn main() {}
