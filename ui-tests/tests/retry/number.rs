use bgtask::prelude::*;

#[background_task(trigger = startup, retry = 5)]
async fn sync() {}

fn main() {}
