use bgtask::prelude::*;

#[background_task(trigger = startup, crate = 5)]
async fn sync() {}

fn main() {}
