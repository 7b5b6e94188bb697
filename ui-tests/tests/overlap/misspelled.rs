use bgtask::prelude::*;

#[background_task(trigger = startup, overlap = skp)]
async fn sync() {}

fn main() {}
