use bgtask::prelude::*;

#[background_task(trigger = time(MINUTES))]
async fn sync() {}

fn main() {}
