use bgtask::prelude::*;

#[background_task(trigger = startup, crate = facade::bgtask)]
async fn sync() {}

fn main() {}
