use bgtask::prelude::*;

#[background_task(trigger = startup, name = "sync")]
async fn sync() {}

#[background_task(trigger = time(15), name = "sync")]
async fn sync_again() {}

fn main() {}
