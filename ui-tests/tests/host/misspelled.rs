use bgtask::prelude::*;

#[background_task(trigger = startup, host = proces)]
async fn sync() {}

fn main() {}
