use bgtask::prelude::*;

#[background_task(trigger = startup, host = process, env(KEY))]
async fn sync() {}

fn main() {}
