use bgtask::prelude::*;

#[background_task(trigger = startup, timeout = "1m", timeout = "2m")]
async fn sync() {}

fn main() {}
