use bgtask::prelude::*;

#[background_task(trigger = time("15m"))]
async fn sync() {}

fn main() {}
