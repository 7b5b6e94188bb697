use bgtask::prelude::*;

const RUNS: u32 = 0;

#[background_task(trigger = startup, overlap = allow(RUNS))]
async fn sync() {}

fn main() {}
