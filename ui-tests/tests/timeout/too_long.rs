use bgtask::prelude::*;

#[background_task(trigger = startup, timeout = "11years")]
async fn sync() {}

fn main() {}
