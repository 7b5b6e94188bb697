use bgtask::prelude::*;

#[background_task(trigger = startup, handle = "Sync")]
async fn sync() {}

fn main() {}
