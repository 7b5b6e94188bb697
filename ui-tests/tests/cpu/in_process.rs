use bgtask::prelude::*;

#[background_task(trigger = startup, cpu = "10s")]
async fn sync() {}

fn main() {}
