use bgtask::prelude::*;

#[background_task(trigger = time(15), missed = all(10_001))]
async fn sync() {}

fn main() {}
