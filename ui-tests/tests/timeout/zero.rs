use bgtask::prelude::*;

#[background_task(trigger = startup, timeout = "0s")]
async fn sync() {}

fn main() {}
