use bgtask::prelude::*;

const LENGTH: u32 = 10001;

#[background_task(trigger = startup, pending = queue(LENGTH))]
async fn sync() {}

fn main() {}
