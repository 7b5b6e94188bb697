use bgtask::prelude::*;

#[background_task(trigger = time(15u32))]
async fn sync() {}

fn main() {}
