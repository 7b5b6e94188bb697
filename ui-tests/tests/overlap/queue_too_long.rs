use bgtask::prelude::*;

#[background_task(trigger = startup, overlap = queue(10_001))]
async fn sync() {}

fn main() {}
