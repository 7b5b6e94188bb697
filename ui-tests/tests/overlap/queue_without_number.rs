use bgtask::prelude::*;

#[background_task(trigger = startup, overlap = queue)]
async fn sync() {}

fn main() {}
