use bgtask::prelude::*;

#[background_task(trigger = startup, host = process, memory = 512)]
async fn sync() {}

fn main() {}
