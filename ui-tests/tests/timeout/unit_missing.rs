use bgtask::prelude::*;

#[background_task(trigger = startup, timeout = "10")]
async fn sync() {}

fn main() {}
