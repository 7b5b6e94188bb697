use bgtask::prelude::*;

#[background_task(trigger = startup)]
async fn sync(_: u32) {}

fn main() {}
