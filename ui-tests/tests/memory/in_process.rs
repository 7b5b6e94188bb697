use bgtask::prelude::*;

#[background_task(trigger = startup, memory = "512MiB")]
async fn sync() {}

fn main() {}
