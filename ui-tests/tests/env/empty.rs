use bgtask::prelude::*;

#[background_task(trigger = startup, host = process, env())]
async fn sync() {}

fn main() {}
