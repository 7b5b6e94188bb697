use bgtask::prelude::*;

#[background_task(trigger = startup, crate = ::bgtask, crate = ::bgtask)]
async fn sync() {}

fn main() {}
