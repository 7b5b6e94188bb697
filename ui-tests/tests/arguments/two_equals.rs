use bgtask::prelude::*;

#[background_task(trigger = startup, name = = "sync")]
async fn sync() {}

fn main() {}
