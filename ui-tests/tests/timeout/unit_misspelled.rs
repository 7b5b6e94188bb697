use bgtask::prelude::*;

#[background_task(trigger = startup, timeout = "10 mintues")]
async fn sync() {}

fn main() {}
