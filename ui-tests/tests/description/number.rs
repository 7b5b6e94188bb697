use bgtask::prelude::*;

#[background_task(trigger = startup, description = 5)]
async fn sync() {}

fn main() {}
