use bgtask::prelude::*;

#[background_task(trigger = startup, condition = load_below(0.8001))]
async fn sync() {}

fn main() {}
