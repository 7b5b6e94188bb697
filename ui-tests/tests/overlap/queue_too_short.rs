use bgtask::prelude::*;

#[background_task(trigger = startup, overlap = queue(0))]
async fn sync() {}

fn main() {}
