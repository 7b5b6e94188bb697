use bgtask::prelude::*;

#[background_task(trigger = startup, pending = queue(10_001))]
async fn sync() {}

fn main() {}
