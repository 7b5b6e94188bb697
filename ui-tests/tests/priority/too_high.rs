use bgtask::prelude::*;

#[background_task(trigger = startup, priority = 2_147_483_648)]
async fn sync() {}

fn main() {}
