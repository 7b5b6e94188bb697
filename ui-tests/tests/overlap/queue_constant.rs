use bgtask::prelude::*;

const LENGTH: u32 = 0;

#[background_task(trigger = startup, overlap = queue(LENGTH))]
async fn sync() {}

fn main() {}
