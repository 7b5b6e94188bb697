use bgtask::prelude::*;

#[background_task(trigger = startup, condition = load_below(0))]
async fn sync() {}

fn main() {}
