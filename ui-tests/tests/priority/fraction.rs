use bgtask::prelude::*;

#[background_task(trigger = startup, priority = 1.5)]
async fn sync() {}

fn main() {}
