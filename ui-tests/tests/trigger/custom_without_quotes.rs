use bgtask::prelude::*;

#[background_task(trigger = custom(scan))]
async fn sync() {}

fn main() {}
