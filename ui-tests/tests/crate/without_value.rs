use bgtask::prelude::*;

#[background_task(trigger = startup, crate)]
async fn sync() {}

fn main() {}
