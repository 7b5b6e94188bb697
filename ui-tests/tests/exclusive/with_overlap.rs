use bgtask::prelude::*;

#[background_task(trigger = startup, exclusive = "scan", overlap = allow(2))]
async fn sync() {}

fn main() {}
