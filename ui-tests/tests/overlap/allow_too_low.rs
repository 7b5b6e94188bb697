use bgtask::prelude::*;

#[background_task(trigger = startup, overlap = allow(0))]
async fn sync() {}

fn main() {}
