use bgtask::prelude::*;

#[background_task(trigger = startup, condition = load_below)]
async fn sync() {}

fn main() {}
