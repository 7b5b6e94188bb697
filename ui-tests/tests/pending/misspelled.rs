use bgtask::prelude::*;

#[background_task(trigger = startup, pending = lastest)]
async fn sync() {}

fn main() {}
