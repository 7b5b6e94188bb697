use bgtask::prelude::*;

#[background_task(trigger = startup, crate = ::nowhere)]
async fn sync() {}

fn main() {}
