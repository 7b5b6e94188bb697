use bgtask::prelude::*;

#[background_task(trigger = every("0s"))]
async fn sync() {}

fn main() {}
