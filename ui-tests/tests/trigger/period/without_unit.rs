use bgtask::prelude::*;

#[background_task(trigger = every("10"))]
async fn sync() {}

fn main() {}
