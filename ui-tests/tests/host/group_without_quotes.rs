use bgtask::prelude::*;

#[background_task(trigger = startup, host = process(media))]
async fn sync() {}

fn main() {}
