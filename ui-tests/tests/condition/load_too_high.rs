use bgtask::prelude::*;

#[background_task(trigger = startup, condition = load_below(100.001))]
async fn sync() {}

fn main() {}
