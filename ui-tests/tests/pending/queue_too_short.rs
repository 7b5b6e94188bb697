use bgtask::prelude::*;

#[background_task(trigger = startup, pending = queue(0))]
async fn sync() {}

fn main() {}
