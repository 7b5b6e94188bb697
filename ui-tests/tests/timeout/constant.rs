use bgtask::prelude::*;

#[background_task(trigger = startup, timeout = LIMIT)]
async fn sync() {}

fn main() {}
