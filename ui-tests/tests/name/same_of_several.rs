use bgtask::prelude::*;

#[background_task(trigger = startup, name = "sync")]
#[background_task(trigger = time(15), name = "sync")]
async fn sync() {}

fn main() {}
