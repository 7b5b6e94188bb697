use bgtask::prelude::*;

#[background_task(trigger = startup, timeout = "10 parsecs")]
async fn sync() {}

fn main() {}
