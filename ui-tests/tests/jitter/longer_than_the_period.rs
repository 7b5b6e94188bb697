use bgtask::prelude::*;

#[background_task(trigger = time(15), jitter = "16m")]
async fn sync() {}

fn main() {}
