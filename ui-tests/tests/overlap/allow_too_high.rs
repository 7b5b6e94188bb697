use bgtask::prelude::*;

#[background_task(trigger = startup, overlap = allow(10_001))]
async fn sync() {}

fn main() {}
