use bgtask::prelude::*;

#[background_task(trigger = startup, retry(max = "five"))]
async fn sync() {}

fn main() {}
