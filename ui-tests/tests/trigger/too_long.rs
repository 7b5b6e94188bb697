use bgtask::prelude::*;

#[background_task(trigger = time(50_000))]
async fn sync() {}

fn main() {}
