use bgtask::prelude::*;

#[background_task(trigger = time(15, tz = "UTC"))]
async fn sync() {}

fn main() {}
