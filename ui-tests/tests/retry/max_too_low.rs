use bgtask::prelude::*;

#[background_task(trigger = startup, retry(max = 0))]
async fn sync() {}

fn main() {}
