use bgtask::prelude::*;

#[background_task(trigger = startup, overlap = skip(1))]
async fn sync() {}

fn main() {}
