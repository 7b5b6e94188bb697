use bgtask::prelude::*;

#[background_task(trigger = startup, grace = "0s")]
async fn sync() {}

fn main() {}
