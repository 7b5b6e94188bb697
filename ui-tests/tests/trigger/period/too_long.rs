use bgtask::prelude::*;

#[background_task(trigger = every("11years"))]
async fn sync() {}

fn main() {}
