use bgtask::prelude::*;

#[background_task(trigger = startup, host = process, delivery = volatile)]
async fn sync() {}

fn main() {}
