use bgtask::prelude::*;

#[background_task(trigger = startup, colour = "red")]
async fn sync() {}

fn main() {}
