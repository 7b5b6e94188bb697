use bgtask::prelude::*;

#[background_task(trigger = startup, overlap = "skip")]
async fn sync() {}

fn main() {}
